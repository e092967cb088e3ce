//! The partners table.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row};
use tierline_domain::{PartnerId, Rejection};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::partner_query_service_server::PartnerQueryService;
use tierline_readmodel::{PARTNERS, PartnerRow, SEGMENTS, STANDINGS, TIER_HISTORY};
use tierline_rpc::Caller;
use tierline_rpc::filter::{FieldKind, FilterField};
use tierline_rpc::order_by::{OrderBy, OrderField};
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::convert::partner_summary;
use crate::fault::Fault;
use crate::listing::{Selected, Source};
use crate::membership::{self, SEGMENT};
use crate::tokens::Holds;

/// Decisions shown with a partner.
const RECENT_DECISIONS: i64 = 10;
/// Most groups of a count.
const MAX_GROUPS: i64 = 1_000;

pub(crate) const SOURCE: Source = Source {
    from: "read.partners t",
    partner: "t.key",
    fields: &[
        FilterField::new("partner_id", "t.key", FieldKind::Id),
        FilterField::new("name", "t.name", FieldKind::Text),
        FilterField::new("domain", "t.domain", FieldKind::Text),
        FilterField::new(
            "type",
            "t.partner_type",
            FieldKind::Word(&["technology", "channel", "reseller", "referral"]),
        ),
        FilterField::new(
            "status",
            "t.status",
            FieldKind::Word(&["pending", "active", "suspended", "inactive"]),
        ),
        FilterField::new(
            "stage",
            "t.stage",
            FieldKind::Word(&[
                "prospect",
                "onboarding",
                "active",
                "scaling",
                "dormant",
                "exited",
            ]),
        ),
        FilterField::new("region", "t.regions", FieldKind::List),
        FilterField::new("tag", "t.tags", FieldKind::List),
        FilterField::new("manager", "t.manager", FieldKind::Text),
        FilterField::new("industry", "t.industry", FieldKind::Text),
        FilterField::new("program", "t.programs", FieldKind::List),
        FilterField::new("track", "t.tracks", FieldKind::List),
        FilterField::new("tier", "t.tier", FieldKind::Id),
        // Looked up first; the column stands for nothing.
        FilterField::new(SEGMENT, "NULL::text", FieldKind::Id),
        FilterField::new("create_time", "t.create_time", FieldKind::Time),
        FilterField::new("update_time", "t.update_time", FieldKind::Time),
    ],
};

const ORDER: &[OrderField] = &[
    OrderField {
        name: "name",
        column: "t.name_search",
        sql_type: "text",
    },
    OrderField {
        name: "partner_id",
        column: "t.key",
        sql_type: "text",
    },
    OrderField {
        name: "domain",
        column: "t.domain",
        sql_type: "text",
    },
    OrderField {
        name: "tier",
        column: "t.tier_rank",
        sql_type: "bigint",
    },
    OrderField {
        name: "create_time",
        column: "t.create_time",
        sql_type: "timestamptz",
    },
    OrderField {
        name: "update_time",
        column: "t.update_time",
        sql_type: "timestamptz",
    },
];

/// What partners can be grouped by: a column, or a column with a list of which each value counts.
const GROUPS: &[(&str, &str, bool)] = &[
    ("type", "t.partner_type", false),
    ("status", "t.status", false),
    ("stage", "t.stage", false),
    ("tier", "t.tier", false),
    ("region", "t.regions", true),
    ("program", "t.programs", true),
    ("tag", "t.tags", true),
];

#[tonic::async_trait]
impl PartnerQueryService for Query {
    async fn list_partners(
        &self,
        request: Request<pb::ListPartnersRequest>,
    ) -> Result<Response<pb::ListPartnersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.partners(&caller, request.into_inner()).await?,
        ))
    }

    async fn get_partner_view(
        &self,
        request: Request<pb::GetPartnerViewRequest>,
    ) -> Result<Response<pb::PartnerView>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.partner_view(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn partners(
        &self,
        caller: &Caller,
        request: pb::ListPartnersRequest,
    ) -> Result<pb::ListPartnersResponse, Fault> {
        let org = &caller.org;
        let mut selected = Selected::new(&SOURCE, org, caller.confined_to(), &request.filter)?;
        let order = OrderBy::parse(&request.order_by, ORDER, "name", "partner_id")?;
        let group = group(&request.group_by)?;
        let by_segment = request.group_by == SEGMENT;
        let by_members = !membership::named(&selected.filter)?.is_empty();
        if (by_segment || by_members) && caller.confined_to().is_some() {
            return Err(not_for_contacts(by_members).into());
        }
        let binding = [
            "ListPartners",
            org.as_str(),
            &request.filter,
            &order.canonical(),
        ];
        let page = Page::new(request.page_size, &request.page_token, &binding)?;
        // The table shows tiers, filters and counts by them.
        let needed = [Holds::Evaluated(PARTNERS), Holds::Written(SEGMENTS)];
        let needed = &needed[..if by_segment || by_members { 2 } else { 1 }];
        self.wait_for(&request.consistency_token, org, needed)
            .await?;
        self.with_members(org, &mut selected.filter).await?;
        let (rows, next_page_token) = selected.page(self.pool(), "t.state", &order, &page).await?;
        let mut partners = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(row): Json<PartnerRow> = row.try_get(0)?;
            partners.push(partner_summary(&row));
        }
        let groups = match group {
            Some(group) => self.partner_groups(&selected, group).await?,
            None if by_segment => self.segment_groups(&selected).await?,
            None => Vec::new(),
        };
        let total_size = selected.count(self.pool()).await?;
        Ok(pb::ListPartnersResponse {
            partners,
            next_page_token,
            total_size,
            groups,
        })
    }

    async fn partner_groups(
        &self,
        selected: &Selected<'_>,
        (column, list): (&str, bool),
    ) -> Result<Vec<pb::GroupCount>, Fault> {
        let mut query = QueryBuilder::new("SELECT coalesce(g.value, ''), count(*) FROM (SELECT ");
        query.push(column).push(" AS value");
        selected.push(&mut query)?;
        query.push(if list {
            ") s LEFT JOIN LATERAL unnest(s.value) AS g(value) ON TRUE"
        } else {
            ") g"
        });
        query
            .push(" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ")
            .push_bind(MAX_GROUPS);
        let rows = query.build().fetch_all(self.pool()).await?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in rows {
            let count: i64 = row.try_get(1)?;
            let count = u64::try_from(count).unwrap_or_default();
            groups.push(pb::GroupCount {
                group: row.try_get(0)?,
                count,
            });
        }
        Ok(groups)
    }

    async fn partner_view(
        &self,
        caller: &Caller,
        request: pb::GetPartnerViewRequest,
    ) -> Result<pb::PartnerView, Fault> {
        let partner = PartnerId::parse(request.partner_id)?;
        caller.check_partner(&partner)?;
        let needed = [PARTNERS, STANDINGS, TIER_HISTORY].map(Holds::Evaluated);
        self.wait_for(&request.consistency_token, &caller.org, &needed)
            .await?;
        let row: Option<Json<PartnerRow>> =
            sqlx::query_scalar("SELECT state FROM read.partners WHERE org_id = $1 AND key = $2")
                .bind(caller.org.as_str())
                .bind(partner.as_str())
                .fetch_optional(self.pool())
                .await?;
        let Json(row) = row.ok_or_else(|| Rejection::not_found("partner", &partner))?;
        Ok(pb::PartnerView {
            partner: Some(partner_summary(&row)),
            standings: self
                .standings_of_partner(&caller.org, &partner, None)
                .await?,
            recent_decisions: self
                .recent_decisions(&caller.org, &partner, RECENT_DECISIONS)
                .await?,
        })
    }
}

/// Whoever is confined to a partner sees no segment.
fn not_for_contacts(in_filter: bool) -> Rejection {
    let field = if in_filter { "filter" } else { "group_by" };
    Rejection::invalid(field, "segments are not shown to contacts of a partner")
}

fn group(name: &str) -> Result<Option<(&'static str, bool)>, Rejection> {
    if name.is_empty() || name == SEGMENT {
        return Ok(None);
    }
    let found = GROUPS.iter().find(|(known, _, _)| *known == name);
    found
        .map(|(_, column, list)| Some((*column, *list)))
        .ok_or_else(|| {
            let mut names: Vec<_> = GROUPS.iter().map(|(known, _, _)| *known).collect();
            names.push(SEGMENT);
            Rejection::invalid(
                "group_by",
                format!("must be empty or one of: {}", names.join(", ")),
            )
        })
}

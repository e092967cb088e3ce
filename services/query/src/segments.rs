//! Segments, and who is in them. Membership is kept nowhere: it is computed here from the
//! attributes of a partner, so that it is as current as the partners table.

use sqlx::Row;
use sqlx::types::Json;
use tierline_domain::rules::Outcome;
use tierline_domain::segment::SegmentFamily;
use tierline_domain::{OrgId, PartnerId, Rejection, SegmentId};
use tierline_proto::program::v1 as program;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::segment_query_service_server::SegmentQueryService;
use tierline_readmodel::{PARTNERS, PartnerRow, SEGMENTS, SegmentRow};
use tierline_rpc::Caller;
use tierline_rpc::convert::common::attributes_message;
use tierline_rpc::filter::{FieldKind, FilterField};
use tierline_rpc::order_by::{OrderBy, OrderField};
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::convert::{instant, outcome, partner_summary};
use crate::evidence::Writer;
use crate::fault::Fault;
use crate::listing::{Selected, Source};
use crate::tokens::Holds;

/// Partners that are read at a time while members are looked for.
const SCAN: i64 = 500;
/// Most partners that one call looks at.
const MAX_CONSIDERED: u32 = 5_000;

const SOURCE: Source = Source {
    from: "read.segments t",
    // Whoever is confined to a partner sees no segment: none belongs to a partner.
    partner: "NULL::text",
    fields: &[
        FilterField::new("segment_id", "t.key", FieldKind::Id),
        FilterField::new("name", "t.name", FieldKind::Text),
        FilterField::new(
            "family",
            "t.family",
            FieldKind::Word(&["market", "technology", "services"]),
        ),
        FilterField::new("archived", "t.archived", FieldKind::Flag),
        FilterField::new("create_time", "t.create_time", FieldKind::Time),
        FilterField::new("update_time", "t.update_time", FieldKind::Time),
    ],
};

const ORDER: &[OrderField] = &[
    OrderField::new("segment_id", "t.key", "text"),
    OrderField::new("name", "t.name", "text"),
    OrderField::new("family", "t.family", "text"),
    OrderField::new("create_time", "t.create_time", "timestamptz"),
    OrderField::new("update_time", "t.update_time", "timestamptz"),
];

#[tonic::async_trait]
impl SegmentQueryService for Query {
    async fn list_segments(
        &self,
        request: Request<pb::ListSegmentsRequest>,
    ) -> Result<Response<pb::ListSegmentsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.segments(&caller, request.into_inner()).await?,
        ))
    }

    async fn list_segment_members(
        &self,
        request: Request<pb::ListSegmentMembersRequest>,
    ) -> Result<Response<pb::ListSegmentMembersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.members(&caller, request.into_inner()).await?,
        ))
    }

    async fn explain_segments(
        &self,
        request: Request<pb::ExplainSegmentsRequest>,
    ) -> Result<Response<pb::ExplainSegmentsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.memberships(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn segments(
        &self,
        caller: &Caller,
        request: pb::ListSegmentsRequest,
    ) -> Result<pb::ListSegmentsResponse, Fault> {
        let org = &caller.org;
        let selected = Selected::new(&SOURCE, org, caller.confined_to(), &request.filter)?;
        let order = OrderBy::parse(&request.order_by, ORDER, "segment_id", "segment_id")?;
        let canonical = order.canonical();
        let binding = ["ListSegments", org.as_str(), &request.filter, &canonical];
        let page = Page::new(request.page_size, &request.page_token, &binding)?;
        self.wait_for(&request.consistency_token, org, &[Holds::Written(SEGMENTS)])
            .await?;
        let (rows, next_page_token) = selected.page(self.pool(), "t.state", &order, &page).await?;
        let mut segments = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(row): Json<SegmentRow> = row.try_get(0)?;
            segments.push(summary(row));
        }
        Ok(pb::ListSegmentsResponse {
            segments,
            next_page_token,
            total_size: selected.count(self.pool()).await?,
        })
    }

    async fn members(
        &self,
        caller: &Caller,
        request: pb::ListSegmentMembersRequest,
    ) -> Result<pb::ListSegmentMembersResponse, Fault> {
        let org = &caller.org;
        let id = SegmentId::parse(request.segment_id)?;
        let binding = ["ListSegmentMembers", org.as_str(), id.as_str()];
        let page = Page::<String>::new(request.page_size, &request.page_token, &binding)?;
        let needed = [SEGMENTS, PARTNERS].map(Holds::Written);
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let segment = self.segment(org, &id).await?;
        let mut answer = pb::ListSegmentMembersResponse::default();
        let mut after = page.after.clone().unwrap_or_default();
        loop {
            let rows = self.partners_after(org, &after).await?;
            let all_of_them = rows.len() < usize::try_from(SCAN).unwrap_or(usize::MAX);
            for Json(row) in rows {
                // A member beyond the page, or a look too many, shows that there is a next page.
                if answer.partners_considered >= MAX_CONSIDERED {
                    answer.next_page_token = page.token(&after);
                    return Ok(answer);
                }
                let explained = segment.content.explain(id.as_str(), &row.attributes());
                if explained.outcome == Outcome::Met {
                    if answer.partners.len() >= page.size as usize {
                        answer.next_page_token = page.token(&after);
                        return Ok(answer);
                    }
                    answer.partners.push(partner_summary(&row));
                }
                answer.partners_considered += 1;
                answer.partners_unknown += u32::from(explained.outcome == Outcome::Unknown);
                after = row.partner.to_string();
            }
            if all_of_them {
                return Ok(answer);
            }
        }
    }

    /// The next partners of an org, by identifier.
    async fn partners_after(
        &self,
        org: &OrgId,
        after: &str,
    ) -> Result<Vec<Json<PartnerRow>>, Fault> {
        let rows = sqlx::query_scalar(
            "SELECT state FROM read.partners WHERE org_id = $1 AND key > $2 ORDER BY key LIMIT $3",
        )
        .bind(org.as_str())
        .bind(after)
        .bind(SCAN)
        .fetch_all(self.pool())
        .await?;
        Ok(rows)
    }

    async fn segment(&self, org: &OrgId, id: &SegmentId) -> Result<SegmentRow, Fault> {
        let row: Option<Json<SegmentRow>> =
            sqlx::query_scalar("SELECT state FROM read.segments WHERE org_id = $1 AND key = $2")
                .bind(org.as_str())
                .bind(id.as_str())
                .fetch_optional(self.pool())
                .await?;
        let Json(row) = row.ok_or_else(|| Rejection::not_found("segment", id))?;
        Ok(row)
    }

    async fn memberships(
        &self,
        caller: &Caller,
        request: pb::ExplainSegmentsRequest,
    ) -> Result<pb::ExplainSegmentsResponse, Fault> {
        let org = &caller.org;
        let id = PartnerId::parse(request.partner_id)?;
        caller.check_partner(&id)?;
        let binding = ["ExplainSegments", org.as_str(), id.as_str()];
        let page = Page::<String>::new(request.page_size, &request.page_token, &binding)?;
        let needed = [SEGMENTS, PARTNERS].map(Holds::Written);
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let partner: Option<Json<PartnerRow>> =
            sqlx::query_scalar("SELECT state FROM read.partners WHERE org_id = $1 AND key = $2")
                .bind(org.as_str())
                .bind(id.as_str())
                .fetch_optional(self.pool())
                .await?;
        let Json(partner) = partner.ok_or_else(|| Rejection::not_found("partner", &id))?;
        let mut segments: Vec<Json<SegmentRow>> = sqlx::query_scalar(
            "SELECT state FROM read.segments WHERE org_id = $1 AND key > $2 AND NOT archived \
             ORDER BY key LIMIT $3",
        )
        .bind(org.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(self.pool())
        .await?;
        let next_page_token = page.finish(&mut segments, |Json(row)| row.segment.to_string());
        let attributes = partner.attributes();
        let memberships = segments
            .into_iter()
            .map(|Json(row)| {
                let node = row.content.explain(row.segment.as_str(), &attributes);
                let found = node.partner.as_ref().map(|check| &check.found);
                pb::SegmentMembership {
                    segment_id: row.segment.to_string(),
                    name: row.content.name,
                    family: family(row.content.family).into(),
                    outcome: outcome(node.outcome).into(),
                    attributes: found.map(attributes_message).unwrap_or_default(),
                    explanation: Some(Writer::new(None).explanation(&node)),
                }
            })
            .collect();
        Ok(pb::ExplainSegmentsResponse {
            memberships,
            next_page_token,
        })
    }
}

fn family(family: SegmentFamily) -> program::SegmentFamily {
    match family {
        SegmentFamily::Market => program::SegmentFamily::Market,
        SegmentFamily::Technology => program::SegmentFamily::Technology,
        SegmentFamily::Services => program::SegmentFamily::Services,
    }
}

fn summary(row: SegmentRow) -> pb::SegmentSummary {
    pb::SegmentSummary {
        segment_id: row.segment.to_string(),
        name: row.content.name,
        description: row.content.description,
        family: family(row.content.family).into(),
        archived: row.archived,
        create_time: instant(row.create_time),
        update_time: instant(row.update_time),
    }
}

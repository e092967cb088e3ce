//! The history of tiers.

use sqlx::types::Json;
use sqlx::{QueryBuilder, Row};
use tierline_domain::{EnrollmentId, OrgId, PartnerId, ProgramId};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::list_tier_history_request::Scope;
use tierline_proto::standing::v1::Decision;
use tierline_readmodel::{DecisionRow, PARTNERS, TIER_HISTORY};
use tierline_rpc::Caller;
use tierline_rpc::filter::{FieldKind, FilterField};
use tierline_rpc::paging::Page;

use crate::Query;
use crate::convert::decision;
use crate::fault::Fault;
use crate::listing::{Selected, Source};
use crate::tokens::Holds;

const SOURCE: Source = Source {
    from: "read.tier_history t
           LEFT JOIN read.partners p ON p.org_id = t.org_id AND p.key = t.partner_id",
    partner: "t.partner_id",
    fields: &[
        FilterField::new(
            "kind",
            "t.kind",
            FieldKind::Word(&[
                "opened",
                "tier_changed",
                "promotion_recommended",
                "demotion_recommended",
                "recommendation_withdrawn",
                "notice_issued",
                "remediation_started",
                "recovery_recorded",
                "requalification_opened",
                "pin_released",
                "closed",
            ]),
        ),
        FilterField::new(
            "direction",
            "t.direction",
            FieldKind::Word(&["promotion", "demotion"]),
        ),
        FilterField::new(
            "cause",
            "t.cause",
            FieldKind::Word(&[
                "qualified",
                "retention_unmet",
                "pinned",
                "pin_released",
                "approved",
                "tier_removed",
                "terminated",
                "expired",
            ]),
        ),
        FilterField::new(
            "source",
            "t.source",
            FieldKind::Word(&["entry", "placed", "automatic", "pin", "approved"]),
        ),
        FilterField::new("tier", "t.tier", FieldKind::Id),
        FilterField::new("program", "t.program", FieldKind::Id),
        FilterField::new("partner_id", "t.partner_id", FieldKind::Id),
        FilterField::new("as_of_date", "t.as_of", FieldKind::Date),
        FilterField::new("record_time", "t.record_time", FieldKind::Time),
    ],
};

impl Query {
    pub(crate) async fn tier_history(
        &self,
        caller: &Caller,
        request: pb::ListTierHistoryRequest,
    ) -> Result<pb::ListTierHistoryResponse, Fault> {
        let org = &caller.org;
        let mut selected = Selected::new(&SOURCE, org, caller.confined_to(), &request.filter)?;
        let scope = match request.scope {
            None => None,
            Some(Scope::PartnerId(id)) => Some(("t.partner_id", PartnerId::parse(id)?.to_string())),
            Some(Scope::ProgramId(id)) => Some(("t.program", ProgramId::parse(id)?.to_string())),
            Some(Scope::EnrollmentId(id)) => Some(("t.key", EnrollmentId::parse(id)?.to_string())),
        };
        let bound = scope
            .as_ref()
            .map(|(column, id)| format!("{column}={id}"))
            .unwrap_or_default();
        selected.equal.extend(scope);
        if request.tier_changes_only {
            selected.equal.push(("t.kind", "tier_changed".to_owned()));
        }
        let changes = request.tier_changes_only.to_string();
        let binding = [
            "ListTierHistory",
            org.as_str(),
            &request.filter,
            &bound,
            &changes,
        ];
        let page = Page::<i64>::new(request.page_size, &request.page_token, &binding)?;
        let needed = [Holds::Written(PARTNERS), Holds::Evaluated(TIER_HISTORY)];
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let mut found = self.decisions(&selected, page.after, page.limit()).await?;
        let next_page_token = page.finish(&mut found, |(position, _)| *position);
        let decisions = found.into_iter().map(|(_, decision)| decision).collect();
        Ok(pb::ListTierHistoryResponse {
            decisions,
            next_page_token,
        })
    }

    /// The latest decisions about a partner, newest first.
    pub(crate) async fn recent_decisions(
        &self,
        org: &OrgId,
        partner: &PartnerId,
        limit: i64,
    ) -> Result<Vec<Decision>, Fault> {
        let selected = Selected::new(&SOURCE, org, Some(partner), "")?;
        let found = self.decisions(&selected, None, limit).await?;
        Ok(found.into_iter().map(|(_, decision)| decision).collect())
    }

    async fn decisions(
        &self,
        selected: &Selected<'_>,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<(i64, Decision)>, Fault> {
        let mut query = QueryBuilder::new("SELECT t.position, t.state, coalesce(p.name, '')");
        selected.push(&mut query)?;
        if let Some(before) = before {
            query.push(" AND t.position < ").push_bind(before);
        }
        query
            .push(" ORDER BY t.position DESC LIMIT ")
            .push_bind(limit);
        let rows = query.build().fetch_all(self.pool()).await?;
        let mut decisions = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(state): Json<DecisionRow> = row.try_get(1)?;
            decisions.push((row.try_get(0)?, decision(&state, row.try_get(2)?)));
        }
        Ok(decisions)
    }
}

//! Standings.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{QueryBuilder, Row as _};
use tierline_domain::{EnrollmentId, OrgId, PartnerId, ProgramId, Rejection};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::get_standing_request::Subject;
use tierline_proto::query::v1::standing_query_service_server::StandingQueryService;
use tierline_proto::standing::v1::{
    DemotionProcess, Recommendation, RequalificationPath, Standing,
};
use tierline_readmodel::{PARTNERS, PROGRAMS, ProgramRow, STANDINGS, StandingRow};
use tierline_rpc::Caller;
use tierline_rpc::convert::color_message;
use tierline_rpc::filter::{FieldKind, FilterField};
use tierline_rpc::order_by::{OrderBy, OrderField};
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::convert::{instant, tier_name, tier_progress, tier_source};
use crate::fault::Fault;
use crate::listing::{Selected, Source};
use crate::tokens::Holds;

/// Most standings of one partner that are shown.
const MAX_PER_PARTNER: i64 = 1_000;

/// The row, the partner's name, whether events about the partner are set aside, so that the row
/// may be out of date, the evaluator's timer, and where the row of the program is.
const COLUMNS: &str = "t.state, coalesce(p.name, ''), EXISTS (
        SELECT 1 FROM bus.parked b WHERE b.org_id = t.org_id
            AND b.routing_key IN (t.org_id || '/' || t.partner_id, t.org_id || '/*')),
        e.next_change::text,
        (SELECT g.position FROM read.programs g WHERE g.org_id = t.org_id AND g.key = t.program)";

const SOURCE: Source = Source {
    from: "read.standings t
           LEFT JOIN read.partners p ON p.org_id = t.org_id AND p.key = t.partner_id
           LEFT JOIN eval.enrollments e ON e.org_id = t.org_id AND e.partner_id = t.partner_id
                AND e.enrollment_id = t.key",
    partner: "t.partner_id",
    fields: &[
        FilterField::new("enrollment_id", "t.key", FieldKind::Id),
        FilterField::new("partner_id", "t.partner_id", FieldKind::Id),
        FilterField::new("partner_name", "p.name", FieldKind::Text),
        FilterField::new("program", "t.program", FieldKind::Id),
        FilterField::new("track", "t.track", FieldKind::Id),
        FilterField::new("tier", "t.tier", FieldKind::Id),
        FilterField::new("tier_rank", "t.tier_rank", FieldKind::Number),
        FilterField::new(
            "source",
            "t.source",
            FieldKind::Word(&["entry", "placed", "automatic", "pin", "approved"]),
        ),
        FilterField::new("tier_since_date", "t.tier_since", FieldKind::Date),
        FilterField::new("next_change_date", "e.next_change", FieldKind::Date),
        FilterField::new("at_risk", "t.at_risk", FieldKind::Flag),
        FilterField::new("recommended", "t.recommended", FieldKind::Id),
        FilterField::new("closed", "t.closed", FieldKind::Flag),
    ],
};

/// The same for a single standing or those of one partner: one look into each index, whatever the
/// planner believes about tables that were small when they were last analysed.
const FEW: Source = Source {
    from: "read.standings t
           LEFT JOIN LATERAL (
               SELECT x.name FROM read.partners x
               WHERE x.org_id = t.org_id AND x.key = t.partner_id OFFSET 0) p ON true
           LEFT JOIN LATERAL (
               SELECT x.next_change FROM eval.enrollments x
               WHERE x.org_id = t.org_id AND x.partner_id = t.partner_id
                   AND x.enrollment_id = t.key OFFSET 0) e ON true",
    ..SOURCE
};

const ORDER: &[OrderField] = &[
    OrderField {
        name: "partner_name",
        column: "coalesce(p.name_search, '')",
        sql_type: "text",
    },
    OrderField {
        name: "partner_id",
        column: "t.partner_id",
        sql_type: "text",
    },
    OrderField {
        name: "program",
        column: "t.program",
        sql_type: "text",
    },
    OrderField {
        name: "tier_rank",
        column: "t.tier_rank",
        sql_type: "bigint",
    },
    OrderField {
        name: "tier_since_date",
        column: "coalesce(t.tier_since, 'infinity'::date)",
        sql_type: "date",
    },
    OrderField {
        name: "next_change_date",
        column: "coalesce(e.next_change, 'infinity'::date)",
        sql_type: "date",
    },
    OrderField {
        name: "enrollment_id",
        column: "t.key",
        sql_type: "text",
    },
];

#[tonic::async_trait]
impl StandingQueryService for Query {
    async fn get_standing(
        &self,
        request: Request<pb::GetStandingRequest>,
    ) -> Result<Response<pb::GetStandingResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.standing(&caller, request.into_inner()).await?,
        ))
    }

    async fn list_standings(
        &self,
        request: Request<pb::ListStandingsRequest>,
    ) -> Result<Response<pb::ListStandingsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.standings(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn standing(
        &self,
        caller: &Caller,
        request: pb::GetStandingRequest,
    ) -> Result<pb::GetStandingResponse, Fault> {
        let program = match request.program_id.as_str() {
            "" => None,
            id => Some(ProgramId::parse(id)?),
        };
        let org = &caller.org;
        let needed = [
            Holds::Written(PROGRAMS),
            Holds::Written(PARTNERS),
            Holds::Evaluated(STANDINGS),
        ];
        let token = &request.consistency_token;
        let standings = match request.subject {
            Some(Subject::PartnerId(id)) => {
                let partner = PartnerId::parse(id)?;
                caller.check_partner(&partner)?;
                self.wait_for(token, org, &needed).await?;
                let standings = self
                    .standings_of_partner(org, &partner, program.as_ref())
                    .await?;
                if standings.is_empty() {
                    self.partner_must_exist(org, &partner).await?;
                }
                standings
            }
            Some(Subject::EnrollmentId(id)) => {
                let enrollment = EnrollmentId::parse(id)?;
                self.wait_for(token, org, &needed).await?;
                vec![
                    self.standing_of(caller, &enrollment, program.as_ref())
                        .await?,
                ]
            }
            None => {
                let description = "exactly one of partner_id and enrollment_id is required";
                return Err(Rejection::invalid("subject", description).into());
            }
        };
        Ok(pb::GetStandingResponse { standings })
    }

    pub(crate) async fn partner_must_exist(
        &self,
        org: &OrgId,
        partner: &PartnerId,
    ) -> Result<(), Fault> {
        let found: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM read.partners WHERE org_id = $1 AND key = $2)",
        )
        .bind(org.as_str())
        .bind(partner.as_str())
        .fetch_one(self.pool())
        .await?;
        if found {
            Ok(())
        } else {
            Err(Rejection::not_found("partner", partner).into())
        }
    }

    async fn standing_of(
        &self,
        caller: &Caller,
        enrollment: &EnrollmentId,
        program: Option<&ProgramId>,
    ) -> Result<Standing, Fault> {
        let mut selected = Selected::new(&FEW, &caller.org, caller.confined_to(), "")?;
        selected.equal.push(("t.key", enrollment.to_string()));
        selected
            .equal
            .extend(program.map(|program| ("t.program", program.to_string())));
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS);
        selected.push(&mut query)?;
        let rows = query.build().fetch_all(self.pool()).await?;
        let standings = self.standing_messages(&caller.org, rows).await?;
        let not_found = || Rejection::not_found("enrollment", enrollment).into();
        standings.into_iter().next().ok_or_else(not_found)
    }

    /// The standings of a partner, ordered by program and track.
    pub(crate) async fn standings_of_partner(
        &self,
        org: &OrgId,
        partner: &PartnerId,
        program: Option<&ProgramId>,
    ) -> Result<Vec<Standing>, Fault> {
        let mut selected = Selected::new(&FEW, org, Some(partner), "")?;
        selected
            .equal
            .extend(program.map(|program| ("t.program", program.to_string())));
        let mut query = QueryBuilder::new("SELECT ");
        query.push(COLUMNS);
        selected.push(&mut query)?;
        query
            .push(" ORDER BY t.program, t.track, t.key LIMIT ")
            .push_bind(MAX_PER_PARTNER);
        let rows = query.build().fetch_all(self.pool()).await?;
        self.standing_messages(org, rows).await
    }

    async fn standings(
        &self,
        caller: &Caller,
        request: pb::ListStandingsRequest,
    ) -> Result<pb::ListStandingsResponse, Fault> {
        let org = &caller.org;
        let selected = Selected::new(&SOURCE, org, caller.confined_to(), &request.filter)?;
        let order = OrderBy::parse(&request.order_by, ORDER, "partner_name", "enrollment_id")?;
        let binding = [
            "ListStandings",
            org.as_str(),
            &request.filter,
            &order.canonical(),
        ];
        let page = Page::new(request.page_size, &request.page_token, &binding)?;
        let needed = [
            Holds::Written(PROGRAMS),
            Holds::Written(PARTNERS),
            Holds::Evaluated(STANDINGS),
        ];
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let (rows, next_page_token) = selected.page(self.pool(), COLUMNS, &order, &page).await?;
        let mut standings = self.standing_messages(org, rows).await?;
        if request.without_progress {
            for standing in &mut standings {
                standing.progress.clear();
                standing.retention = None;
            }
        }
        let total_size = selected.count(self.pool()).await?;
        Ok(pb::ListStandingsResponse {
            standings,
            next_page_token,
            total_size,
        })
    }

    async fn standing_messages(
        &self,
        org: &OrgId,
        rows: Vec<PgRow>,
    ) -> Result<Vec<Standing>, Fault> {
        let mut read = Vec::with_capacity(rows.len());
        let mut present = HashMap::new();
        for row in rows {
            let Json(state): Json<StandingRow> = row.try_get(0)?;
            let next_change: Option<String> = row.try_get(3)?;
            if let Some(position) = row.try_get::<Option<i64>, _>(4)? {
                present.insert(state.terms.program.to_string(), position);
            }
            read.push(Row {
                state,
                partner_name: row.try_get(1)?,
                parked: row.try_get(2)?,
                next_change: next_change.unwrap_or_default(),
            });
        }
        let programs = self.programs_at(org, present).await?;
        let messages = read.into_iter().map(|row| {
            let program = programs.get(row.state.terms.program.as_str());
            message(row, program.map(Arc::as_ref))
        });
        Ok(messages.collect())
    }
}

/// What is read of one standing.
struct Row {
    state: StandingRow,
    partner_name: String,
    /// Events about the partner are set aside.
    parked: bool,
    next_change: String,
}

/// The message of a standing; names come from the version of the program that was in force.
fn message(read: Row, program: Option<&ProgramRow>) -> Standing {
    let row = &read.state;
    let (terms, standing) = (&row.terms, &row.standing);
    let track = program.and_then(|program| program.track(row.program_version, &terms.track));
    let tier = standing.tier.as_ref();
    let shown = track
        .zip(tier)
        .and_then(|(track, id)| track.tiers.iter().find(|tier| tier.id == *id));
    let measured = standing.progress.as_ref();
    Standing {
        enrollment_id: terms.enrollment.to_string(),
        partner_id: terms.partner.to_string(),
        partner_name: read.partner_name,
        program_id: terms.program.to_string(),
        program_name: program
            .map(|program| program.name.clone())
            .unwrap_or_default(),
        track_id: terms.track.to_string(),
        track_name: track.map(|track| track.name.clone()).unwrap_or_default(),
        tier_id: tier.map(ToString::to_string).unwrap_or_default(),
        tier_name: row.tier_name.clone(),
        tier_rank: tier.map_or(0, |_| row.rank.into()),
        tier_color: shown.map_or(0, |tier| color_message(tier.color).into()),
        tier_source: tier.map_or(0, |_| tier_source(standing.source).into()),
        tier_since_date: tier
            .map(|_| standing.tier_since.to_string())
            .unwrap_or_default(),
        program_version: row.program_version,
        evaluated_date: tier
            .map(|_| standing.last_as_of.to_string())
            .unwrap_or_default(),
        progress: measured
            .map(|progress| {
                progress
                    .tiers
                    .iter()
                    .map(|t| tier_progress(t, track))
                    .collect()
            })
            .unwrap_or_default(),
        retention: measured
            .and_then(|progress| progress.retention.as_ref())
            .map(|retention| tier_progress(retention, track)),
        demotion_process: standing.process.as_ref().map(|process| DemotionProcess {
            tier_id: process.tier.to_string(),
            notice_date: process.since.to_string(),
            remediation_start_date: process.notice_ends.to_string(),
            demotion_date: process.remediation_ends.to_string(),
            in_remediation: process.in_remediation,
        }),
        recommendation: standing
            .recommended
            .as_ref()
            .map(|recommended| Recommendation {
                recommendation: recommended.number,
                tier_id: recommended.to.to_string(),
                tier_name: tier_name(&recommended.to, track),
                since_date: recommended.since.to_string(),
            }),
        requalification: standing.requalification.as_ref().map(|(tier, until)| {
            RequalificationPath {
                tier_id: tier.to_string(),
                until_date: until.to_string(),
            }
        }),
        next_change_date: read.next_change,
        closed: standing.closed.is_some(),
        under_review: read.parked || standing.unreadable,
        decision_id: row.decision.map(|id| id.to_string()).unwrap_or_default(),
        update_time: instant(row.update_time),
    }
}

//! The benefits library, and what programs and partners have of it. Names and descriptions are
//! joined to the programs here, so that a change of the library is seen everywhere at once.

use std::collections::{BTreeSet, HashMap};

use sqlx::Row;
use sqlx::types::Json;
use tierline_domain::benefit::BenefitValue;
use tierline_domain::program::{Benefit, Tier, Track};
use tierline_domain::rules::Outcome;
use tierline_domain::standing::{CriterionProgress, Progress};
use tierline_domain::{OrgId, PartnerId, ProgramId, Rejection, TierId};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::benefit_query_service_server::BenefitQueryService;
use tierline_readmodel::{BENEFITS, BenefitRow, PROGRAMS, STANDINGS, StandingRow};
use tierline_rpc::Caller;
use tierline_rpc::convert::benefit_type_message;
use tierline_rpc::filter::{FieldKind, FilterField};
use tierline_rpc::order_by::{OrderBy, OrderField};
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::convert::instant;
use crate::fault::Fault;
use crate::listing::{Selected, Source};
use crate::tokens::Holds;

/// Most enrollments of one partner that are looked at.
const MAX_PER_PARTNER: i64 = 1_000;

const SOURCE: Source = Source {
    from: "read.benefits t",
    // Whoever is confined to a partner sees what the partner has, not the library.
    partner: "NULL::text",
    fields: &[
        FilterField::new("benefit_id", "t.key", FieldKind::Id),
        FilterField::new("name", "t.name", FieldKind::Text),
        FilterField::new(
            "type",
            "t.type",
            FieldKind::Word(&["yes_no", "percent", "amount", "days", "hours", "text"]),
        ),
        FilterField::new("archived", "t.archived", FieldKind::Flag),
        FilterField::new("create_time", "t.create_time", FieldKind::Time),
        FilterField::new("update_time", "t.update_time", FieldKind::Time),
    ],
};

const ORDER: &[OrderField] = &[
    OrderField::new("benefit_id", "t.key", "text"),
    OrderField::new("name", "t.name", "text"),
    OrderField::new("type", "t.type", "text"),
    OrderField::new("create_time", "t.create_time", "timestamptz"),
    OrderField::new("update_time", "t.update_time", "timestamptz"),
];

#[tonic::async_trait]
impl BenefitQueryService for Query {
    async fn list_benefits(
        &self,
        request: Request<pb::ListBenefitsRequest>,
    ) -> Result<Response<pb::ListBenefitsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.benefits(&caller, request.into_inner()).await?,
        ))
    }

    async fn get_program_benefits(
        &self,
        request: Request<pb::GetProgramBenefitsRequest>,
    ) -> Result<Response<pb::GetProgramBenefitsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.program_benefits(&caller, request.into_inner()).await?,
        ))
    }

    async fn get_partner_benefits(
        &self,
        request: Request<pb::GetPartnerBenefitsRequest>,
    ) -> Result<Response<pb::GetPartnerBenefitsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.partner_benefits(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn benefits(
        &self,
        caller: &Caller,
        request: pb::ListBenefitsRequest,
    ) -> Result<pb::ListBenefitsResponse, Fault> {
        let org = &caller.org;
        let selected = Selected::new(&SOURCE, org, caller.confined_to(), &request.filter)?;
        let order = OrderBy::parse(&request.order_by, ORDER, "benefit_id", "benefit_id")?;
        let canonical = order.canonical();
        let binding = ["ListBenefits", org.as_str(), &request.filter, &canonical];
        let page = Page::new(request.page_size, &request.page_token, &binding)?;
        self.wait_for(&request.consistency_token, org, &[Holds::Written(BENEFITS)])
            .await?;
        let (rows, next_page_token) = selected.page(self.pool(), "t.state", &order, &page).await?;
        let mut benefits = Vec::with_capacity(rows.len());
        for row in rows {
            let Json(row): Json<BenefitRow> = row.try_get(0)?;
            benefits.push(summary(row));
        }
        Ok(pb::ListBenefitsResponse {
            benefits,
            next_page_token,
            total_size: selected.count(self.pool()).await?,
        })
    }

    async fn program_benefits(
        &self,
        caller: &Caller,
        request: pb::GetProgramBenefitsRequest,
    ) -> Result<pb::GetProgramBenefitsResponse, Fault> {
        let org = &caller.org;
        let id = ProgramId::parse(request.program_id)?;
        let needed = [BENEFITS, PROGRAMS].map(Holds::Written);
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let programs = self.programs_by_key(org, &[id.to_string()]).await?;
        let row = programs
            .get(id.as_str())
            .ok_or_else(|| Rejection::not_found("program", &id))?;
        let version = match request.version {
            0 => row.newest(),
            number => row.versions.iter().find(|version| version.number == number),
        };
        let version = version.ok_or_else(|| {
            let wanted = format!("{id}/versions/{}", request.version);
            Rejection::not_found("program version", wanted)
        })?;
        let tracks = &version.definition.tracks;
        let tiers = || tracks.iter().flat_map(|track| &track.tiers);
        let library = self.library(org, tiers()).await?;
        let of_track = |track: &Track| -> Vec<pb::TierBenefits> {
            let tiers = track.tiers.iter().map(|tier| pb::TierBenefits {
                track_id: track.id.to_string(),
                track_name: track.name.clone(),
                tier_id: tier.id.to_string(),
                tier_name: tier.name.clone(),
                benefits: tier.benefits.iter().map(|one| library.given(one)).collect(),
            });
            tiers.collect()
        };
        Ok(pb::GetProgramBenefitsResponse {
            version: version.number,
            tiers: tracks.iter().flat_map(of_track).collect(),
        })
    }

    async fn partner_benefits(
        &self,
        caller: &Caller,
        request: pb::GetPartnerBenefitsRequest,
    ) -> Result<pb::GetPartnerBenefitsResponse, Fault> {
        let org = &caller.org;
        let partner = PartnerId::parse(request.partner_id)?;
        caller.check_partner(&partner)?;
        let program = match request.program_id.as_str() {
            "" => None,
            id => Some(ProgramId::parse(id)?),
        };
        let needed = [
            Holds::Written(BENEFITS),
            Holds::Written(PROGRAMS),
            Holds::Evaluated(STANDINGS),
        ];
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let rows: Vec<Json<StandingRow>> = sqlx::query_scalar(
            "SELECT state FROM read.standings WHERE org_id = $1 AND partner_id = $2 \
             AND ($3::text IS NULL OR program = $3) AND NOT closed AND tier IS NOT NULL \
             ORDER BY program, track, key LIMIT $4",
        )
        .bind(org.as_str())
        .bind(partner.as_str())
        .bind(program.as_ref().map(ProgramId::as_str))
        .bind(MAX_PER_PARTNER)
        .fetch_all(self.pool())
        .await?;
        if rows.is_empty() {
            self.partner_must_exist(org, &partner).await?;
        }
        let named = rows.iter().map(|Json(row)| row.terms.program.to_string());
        let keys: BTreeSet<String> = named.collect();
        let programs = self
            .programs_by_key(org, &keys.into_iter().collect::<Vec<_>>())
            .await?;
        let held = |row: &StandingRow| -> Option<Tier> {
            let program = programs.get(row.terms.program.as_str())?;
            let track = program.track(row.program_version, &row.terms.track)?;
            let held = row.standing.tier.as_ref()?;
            track.tiers.iter().find(|tier| tier.id == *held).cloned()
        };
        let held: Vec<Option<Tier>> = rows.iter().map(|Json(row)| held(row)).collect();
        let library = self.library(org, held.iter().flatten()).await?;
        let enrollments = rows.iter().zip(&held).map(|(Json(row), tier)| {
            let tier = tier.as_ref();
            pb::EnrollmentBenefits {
                enrollment_id: row.terms.enrollment.to_string(),
                program_id: row.terms.program.to_string(),
                program_version: row.program_version,
                track_id: row.terms.track.to_string(),
                tier_id: row
                    .standing
                    .tier
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                tier_name: row.tier_name.clone(),
                benefits: tier
                    .map(|tier| library.of_partner(tier, row.standing.progress.as_ref()))
                    .unwrap_or_default(),
            }
        });
        Ok(pb::GetPartnerBenefitsResponse {
            enrollments: enrollments.collect(),
        })
    }

    /// What the library says of the benefits of these tiers.
    async fn library<'a>(
        &self,
        org: &OrgId,
        tiers: impl Iterator<Item = &'a Tier>,
    ) -> Result<Library, Fault> {
        let ids = tiers
            .flat_map(|tier| &tier.benefits)
            .filter_map(|benefit| benefit.id.as_ref().map(ToString::to_string));
        let ids: BTreeSet<String> = ids.collect();
        if ids.is_empty() {
            return Ok(Library::default());
        }
        let rows: Vec<Json<BenefitRow>> = sqlx::query_scalar(
            "SELECT state FROM read.benefits WHERE org_id = $1 AND key = ANY($2)",
        )
        .bind(org.as_str())
        .bind(ids.into_iter().collect::<Vec<_>>())
        .fetch_all(self.pool())
        .await?;
        let rows = rows.into_iter();
        Ok(Library(
            rows.map(|Json(row)| (row.benefit.to_string(), row))
                .collect(),
        ))
    }
}

/// Benefits of the library by identifier.
#[derive(Default)]
struct Library(HashMap<String, BenefitRow>);

impl Library {
    /// A benefit of a tier with what the library says of it. The table may be behind the program;
    /// then the identifier stands for the name.
    fn given(&self, benefit: &Benefit) -> pb::GivenBenefit {
        let known = benefit.id.as_ref().and_then(|id| self.0.get(id.as_str()));
        let content = known.map(|row| &row.content);
        pb::GivenBenefit {
            benefit_id: benefit
                .id
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            name: content.map_or_else(|| benefit.key().to_owned(), |one| one.name.clone()),
            description: content
                .map(|one| one.description.clone())
                .unwrap_or_default(),
            r#type: content.map_or(0, |one| benefit_type_message(one.benefit_type).into()),
            value: benefit.value.clone(),
            earned_by: benefit.earned_by.clone().unwrap_or_default(),
        }
    }

    fn of_partner(&self, tier: &Tier, progress: Option<&Progress>) -> Vec<pb::PartnerBenefit> {
        let benefits = tier.benefits.iter().map(|benefit| {
            let (state, reason) = state(benefit, &tier.id, progress);
            pb::PartnerBenefit {
                benefit: Some(self.given(benefit)),
                state: state.into(),
                reason,
            }
        });
        benefits.collect()
    }
}

/// Whether the holder of a tier has earned one of its benefits, and why.
fn state(
    benefit: &Benefit,
    tier: &TierId,
    progress: Option<&Progress>,
) -> (pb::BenefitState, String) {
    if !BenefitValue::told_by(&benefit.value).is_given() {
        let reason = "the tier does not give it".to_owned();
        return (pb::BenefitState::NotGiven, reason);
    }
    let Some(id) = benefit.earned_by.as_deref() else {
        let reason = "it comes with the tier".to_owned();
        return (pb::BenefitState::Earned, reason);
    };
    let Some(criterion) = progress.and_then(|progress| measured(id, tier, progress)) else {
        let reason = format!("\"{id}\" was not measured yet");
        return (pb::BenefitState::Unknown, reason);
    };
    let name = &criterion.name;
    let found = criterion.measured.as_deref().unwrap_or("not known");
    let required = &criterion.required;
    match criterion.outcome {
        Outcome::Met => {
            let reason = format!("{name}: {found}, and {required} is required");
            (pb::BenefitState::Earned, reason)
        }
        Outcome::NotApplicable => {
            let reason = format!("{name} is not asked of the partner");
            (pb::BenefitState::Earned, reason)
        }
        Outcome::Unmet => {
            let reason = format!("{name}: {found}, but {required} is required");
            (pb::BenefitState::NotEarned, reason)
        }
        Outcome::Unknown => {
            let reason = format!("{name} is not known, and {required} is required");
            (pb::BenefitState::Unknown, reason)
        }
    }
}

/// A criterion of a tier as it was last measured: for keeping the tier, where it is asked for
/// there, otherwise for reaching it.
fn measured<'a>(id: &str, tier: &TierId, progress: &'a Progress) -> Option<&'a CriterionProgress> {
    let all = progress.retention.iter().chain(&progress.tiers);
    all.filter(|one| one.tier == *tier)
        .flat_map(|one| &one.criteria)
        .find(|criterion| criterion.id == id)
}

fn summary(row: BenefitRow) -> pb::BenefitSummary {
    pb::BenefitSummary {
        benefit_id: row.benefit.to_string(),
        name: row.content.name,
        description: row.content.description,
        r#type: benefit_type_message(row.content.benefit_type).into(),
        archived: row.archived,
        create_time: instant(row.create_time),
        update_time: instant(row.update_time),
    }
}

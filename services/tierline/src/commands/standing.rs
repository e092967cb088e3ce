//! `tierline standing show PARTNER`

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;
use tierline_proto::enrollment::v1::GetEnrollmentRequest;
use tierline_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use tierline_proto::program::v1::get_program_version_request::Selector;
use tierline_proto::program::v1::program_service_client::ProgramServiceClient;
use tierline_proto::program::v1::{GetProgramVersionRequest, ProgramDefinition, Tier};
use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::query::v1::benefit_query_service_client::BenefitQueryServiceClient;
use tierline_proto::query::v1::get_standing_request::Subject;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tierline_proto::query::v1::{
    ExplainDecisionRequest, GetStandingRequest, ListBenefitsRequest, ListStandingsRequest,
};
use tierline_proto::standing::v1::{Standing, TierSource};
use tonic::{Code, Status};

use super::show::partner::Partner;
use super::show::standing::Shown;
use super::show::{json, partner, words};
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::output;

/// Standings of a page.
const PAGE: i32 = 500;

/// Where partners stand.
#[derive(Debug, clap::Args)]
pub struct StandingArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Tier, progress and what is missing, for each enrollment of a partner.
    ///
    /// Exit code: 0 when the partner was found, 1 when not or when the server refused.
    Show(ShowArgs),
    /// All standings of the org, or those that pass a filter.
    ///
    /// Exit code: 0, also for an empty list; 1 when the server refused.
    List(ListArgs),
}

/// Which standings to list.
#[derive(Debug, Clone, clap::Args)]
pub struct ListArgs {
    /// Only standings that pass, such as 'program = "resale" AND tier = gold'. Over partner_id,
    /// partner_name, program, track, tier, tier_rank, source, tier_since_date,
    /// next_change_date, at_risk, recommended, closed.
    #[arg(long, default_value = "")]
    filter: String,
    /// Order, such as 'tier_since_date desc'. Over partner_name, partner_id, program, tier_rank,
    /// tier_since_date, next_change_date.
    #[arg(long, default_value = "")]
    order_by: String,
}

/// Which standings.
#[derive(Debug, Clone, clap::Args)]
pub struct ShowArgs {
    /// The partner: its identifier, its domain or its exact name.
    partner: String,
    /// Only the enrollments in this program.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<String>,
}

pub async fn run(args: StandingArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Show(args) => show(args, globals, false).await,
        What::List(args) => list(args, globals).await,
    }
}

async fn list(args: ListArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let channel = globals.client.connect().await?;
    let mut client = StandingQueryServiceClient::new(channel);
    let mut standings: Vec<Standing> = Vec::new();
    let mut request = ListStandingsRequest {
        filter: args.filter,
        order_by: args.order_by,
        page_size: PAGE,
        without_progress: !globals.output.json(),
        ..Default::default()
    };
    loop {
        let page = client
            .list_standings(request.clone())
            .await
            .map_err(refused)?
            .into_inner();
        standings.extend(page.standings);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if globals.output.json() {
        output::json(&json::all("standing.v1.Standing", &standings)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = standings.iter().map(|one| {
        [
            one.partner_id.clone(),
            format!("{}/{}", one.program_id, one.track_id),
            one.tier_name.clone(),
            one.tier_since_date.clone(),
            one.evaluated_date.clone(),
            if one.demotion_process.is_some() {
                "at risk"
            } else {
                ""
            }
            .to_owned(),
        ]
    });
    output::table(
        &["partner", "program/track", "tier", "since", "evaluated", ""],
        rows,
    );
    output::line(words::counted(standings.len() as u64, "standing"));
    Ok(ExitCode::SUCCESS)
}

/// Shows the standings; with `why` also the sentence that led to each present tier.
pub async fn show(args: ShowArgs, globals: &Globals, why: bool) -> anyhow::Result<ExitCode> {
    let channel = globals.client.connect().await?;
    let partner = partner::find(&channel, &args.partner).await?;
    let request = GetStandingRequest {
        subject: Some(Subject::PartnerId(partner.id.clone())),
        program_id: args.program.unwrap_or_default(),
        ..Default::default()
    };
    let standings = StandingQueryServiceClient::new(channel.clone())
        .get_standing(request)
        .await
        .map_err(refused)?
        .into_inner()
        .standings;
    let mut more = More::new(channel, why);
    let mut shown = Vec::with_capacity(standings.len());
    for standing in standings {
        shown.push(more.about(standing).await?);
    }
    print(&partner, &shown, globals)?;
    Ok(ExitCode::SUCCESS)
}

fn print(partner: &Partner, shown: &[Shown], globals: &Globals) -> anyhow::Result<()> {
    if globals.output.json() {
        return output::json(&as_json(partner, shown)?);
    }
    let name = shown
        .first()
        .map_or(&partner.name, |one| &one.standing.partner_name);
    output::line(format!("{name} ({})", partner.id));
    if shown.is_empty() {
        output::line("  is not enrolled in any program that was asked for");
    }
    for one in shown {
        output::line("");
        for line in one.lines() {
            output::line(line);
        }
    }
    Ok(())
}

fn as_json(partner: &Partner, shown: &[Shown]) -> anyhow::Result<serde_json::Value> {
    let mut standings = Vec::with_capacity(shown.len());
    for one in shown {
        let mut standing = json::of("standing.v1.Standing", &one.standing)?;
        if let Some(object) = standing.as_object_mut() {
            let benefits = json::all("program.v1.Benefit", one.benefits())?;
            object.insert("benefits".to_owned(), benefits);
            let pin = one
                .pin
                .as_ref()
                .map(|pin| json::of("enrollment.v1.Pin", pin));
            object.insert("pin".to_owned(), pin.transpose()?.unwrap_or_default());
            if let Some(why) = &one.why {
                object.insert("decision_sentence".to_owned(), json!(why));
            }
        }
        standings.push(standing);
    }
    Ok(json!({"partner_id": partner.id, "standings": standings}))
}

/// What other services know about standings. A caller who may not ask them sees the rest.
struct More {
    channel: Authorized,
    why: bool,
    definitions: BTreeMap<(String, u32), Option<ProgramDefinition>>,
    /// Names of benefits by identifier, once they were asked for.
    library: Option<BTreeMap<String, String>>,
}

impl More {
    fn new(channel: Authorized, why: bool) -> Self {
        Self {
            channel,
            why,
            definitions: BTreeMap::new(),
            library: None,
        }
    }

    async fn about(&mut self, standing: Standing) -> anyhow::Result<Shown> {
        let mut shown = Shown {
            tiers: self.tiers(&standing).await?,
            ..Shown::default()
        };
        if standing.tier_source == i32::from(TierSource::Pin) {
            let request = GetEnrollmentRequest {
                enrollment_id: standing.enrollment_id.clone(),
            };
            let mut client = EnrollmentServiceClient::new(self.channel.clone());
            let enrollment = if_allowed(client.get_enrollment(request).await)?;
            shown.pin = enrollment.and_then(|enrollment| enrollment.into_inner().pin);
        }
        if self.why && !standing.decision_id.is_empty() {
            let request = ExplainDecisionRequest {
                decision_id: standing.decision_id.clone(),
            };
            let mut client = AuditServiceClient::new(self.channel.clone());
            let explained = if_allowed(client.explain_decision(request).await)?;
            let decision = explained.and_then(|explained| explained.into_inner().decision);
            shown.why = decision.map(|decision| decision.sentence);
        }
        shown.standing = standing;
        Ok(shown)
    }

    /// The tiers of the track as the version of the program has them that was in force.
    async fn tiers(&mut self, standing: &Standing) -> anyhow::Result<Vec<Tier>> {
        if standing.program_version == 0 {
            return Ok(Vec::new());
        }
        let key = (standing.program_id.clone(), standing.program_version);
        if !self.definitions.contains_key(&key) {
            let request = GetProgramVersionRequest {
                program_id: key.0.clone(),
                selector: Some(Selector::Version(key.1)),
            };
            let mut client = ProgramServiceClient::new(self.channel.clone());
            let version = if_allowed(client.get_program_version(request).await)?;
            let definition = version.and_then(|version| version.into_inner().definition);
            self.definitions.insert(key.clone(), definition);
        }
        let definition = self.definitions.get(&key).and_then(Option::as_ref);
        let track = definition.and_then(|definition| {
            let mut tracks = definition.tracks.iter();
            tracks.find(|track| track.id == standing.track_id)
        });
        let mut tiers = track.map(|track| track.tiers.clone()).unwrap_or_default();
        self.name_benefits(&mut tiers).await?;
        Ok(tiers)
    }

    /// Gives benefits of the library the names that they have there.
    async fn name_benefits(&mut self, tiers: &mut [Tier]) -> anyhow::Result<()> {
        let benefits = tiers.iter_mut().flat_map(|tier| &mut tier.benefits);
        for benefit in benefits.filter(|benefit| !benefit.id.is_empty()) {
            let names = match &mut self.library {
                Some(names) => names,
                unread => unread.insert(names_of_library(&self.channel).await?),
            };
            if let Some(name) = names.get(&benefit.id) {
                benefit.name.clone_from(name);
            }
        }
        Ok(())
    }
}

/// The names of the benefits library by identifier; none for a caller who may not read it.
async fn names_of_library(channel: &Authorized) -> anyhow::Result<BTreeMap<String, String>> {
    let mut client = BenefitQueryServiceClient::new(channel.clone());
    let mut request = ListBenefitsRequest {
        page_size: PAGE,
        ..Default::default()
    };
    let mut names = BTreeMap::new();
    loop {
        let Some(page) = if_allowed(client.list_benefits(request.clone()).await)? else {
            return Ok(names);
        };
        let page = page.into_inner();
        let named = page.benefits.into_iter();
        names.extend(named.map(|benefit| (benefit.benefit_id, benefit.name)));
        if page.next_page_token.is_empty() {
            return Ok(names);
        }
        request.page_token = page.next_page_token;
    }
}

/// `None` for what the caller has no role for.
fn if_allowed<T>(answer: Result<T, Status>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == Code::PermissionDenied => Ok(None),
        Err(status) => Err(refused(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_role_hides_a_detail_and_other_refusals_are_errors() {
        let denied: Result<(), Status> = Err(Status::permission_denied("no"));
        assert!(if_allowed(denied).unwrap().is_none());
        let lost: Result<(), Status> = Err(Status::data_loss("gone"));
        assert!(if_allowed(lost).is_err());
        assert_eq!(if_allowed(Ok(7)).unwrap(), Some(7));
    }

    #[test]
    fn the_json_of_a_standing_carries_benefits_and_pin() {
        let partner = Partner {
            id: "acme".into(),
            name: "Acme".into(),
        };
        let shown = as_json(&partner, &[Shown::default()]).unwrap();
        assert_eq!(shown["partner_id"], "acme");
        assert_eq!(shown["standings"][0]["benefits"], json!([]));
        assert!(shown["standings"][0]["pin"].is_null());
    }
}

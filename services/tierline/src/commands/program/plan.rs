//! `tierline program plan`: what publishing a definition would change, and who would move.

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;
use prost::Message as _;
use tierline_domain::program::currency::currency_change;
use tierline_domain::program::validate;
use tierline_proto::query::v1::trial_definition::Content;
use tierline_proto::query::v1::what_if_service_client::WhatIfServiceClient;
use tierline_proto::query::v1::{PreviewProgramRequest, TrialDefinition};

use super::{lint, source, transition, trial, violations};
use crate::cli::Globals;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// The definition in YAML.
    file: PathBuf,
    /// The first day on which it would be in force. Default: today in the org.
    #[arg(long, value_name = "DATE")]
    effective: Option<Date>,
    /// From when on tiers may be lost under it: now, next-review, or a date. Default: now, from its
    /// first day.
    #[arg(long, value_name = "WHEN", default_value = "now")]
    losses_from: transition::From,
    /// The day that is compared; until then time passes and nothing else happens. Default: the
    /// first day in force.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    #[command(flatten)]
    trial: trial::TrialArgs,
}

pub async fn run(args: PlanArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let (yaml, definition) = source::file(&args.file)?;
    if let Err(wrong) = validate(&definition) {
        output::problem(&format!("{} cannot be published", args.file.display()));
        for one in violations(&wrong) {
            output::note(&format!("  {}: {}", one.field, one.description));
        }
        return Ok(ExitCode::FAILURE);
    }
    let channel = globals.client.connect().await?;
    let live = source::version_of(&channel, definition.slug.as_str(), None).await?;
    let seen = live.as_ref().map(source::seen).transpose()?;
    let changes = match &seen {
        Some(live) => live.changes_to(&definition.clone().into()),
        None => Vec::new(),
    };
    let currency = seen.and_then(|live| currency_change(&live.definition, &definition));
    let request = PreviewProgramRequest {
        draft: Some(TrialDefinition {
            content: Some(Content::Yaml(yaml)),
        }),
        effective_date: args
            .effective
            .map(|day| day.to_string())
            .unwrap_or_default(),
        as_of_date: args.on.map(|day| day.to_string()).unwrap_or_default(),
        include_unchanged: args.trial.all,
        resume_token: String::new(),
        transition: args.losses_from.message(),
    };
    let bytes = request.encode_to_vec();
    let outcome = trial::follow(&args.trial, &bytes, async |resume_token| {
        let request = PreviewProgramRequest {
            resume_token,
            ..request.clone()
        };
        let mut client = WhatIfServiceClient::new(channel.clone());
        Ok(client.preview_program(request).await?.into_inner())
    })
    .await?;
    let findings = lint::lint(&definition);
    let in_force = live.and_then(|live| live.summary);
    if globals.output.json() {
        let mut whole = trial::as_json(&outcome)?;
        whole["program_id"] = definition.slug.as_str().into();
        whole["version_in_force"] = in_force.map(|live| live.version).into();
        whole["changes"] = serde_json::to_value(&changes)?;
        whole["currency_change"] = serde_json::to_value(&currency)?;
        whole["findings"] = findings.iter().map(lint::json).collect();
        output::json(&whole)?;
        return Ok(ExitCode::SUCCESS);
    }
    match in_force {
        Some(live) => {
            output::line(format!(
                "{} against version {}, in force from {}:",
                args.file.display(),
                live.version,
                live.effective_date
            ));
            super::diff::print(&changes);
            if let Some(change) = &currency {
                super::diff::print_currency(change);
            }
        }
        None => output::line(format!(
            "{} is new: no version of it is in force.",
            definition.slug
        )),
    }
    lint::print_shortly(&findings);
    output::line("");
    trial::print(&outcome, args.trial.show, false);
    Ok(ExitCode::SUCCESS)
}

//! `tierline program backtest`: who would have stood where at the ends of past periods.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use prost::Message as _;
use tierline_proto::common::v1::PeriodUnit;
use tierline_proto::query::v1::backtest_program_request::Rules;
use tierline_proto::query::v1::trial_definition::Content;
use tierline_proto::query::v1::what_if_service_client::WhatIfServiceClient;
use tierline_proto::query::v1::{BacktestProgramRequest, TrialDefinition};

use super::{source, trial};
use crate::cli::Globals;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    /// The definition in YAML, as if it had been in force from the beginning; or the name of a
    /// program, for its published versions as they were in force.
    #[arg(value_name = "FILE|PROGRAM")]
    what: String,
    /// At the ends of which periods.
    #[arg(long, value_enum, default_value_t = Every::Quarter)]
    every: Every,
    /// How many complete periods back, at most 40.
    #[arg(long, default_value_t = 4, value_name = "N")]
    periods: u32,
    #[command(flatten)]
    trial: trial::TrialArgs,
}

/// Periods at whose ends is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Every {
    Month,
    Quarter,
    HalfYear,
    Year,
    FiscalQuarter,
    FiscalYear,
}

impl Every {
    fn unit(self) -> PeriodUnit {
        match self {
            Self::Month => PeriodUnit::Month,
            Self::Quarter => PeriodUnit::Quarter,
            Self::HalfYear => PeriodUnit::HalfYear,
            Self::Year => PeriodUnit::Year,
            Self::FiscalQuarter => PeriodUnit::FiscalQuarter,
            Self::FiscalYear => PeriodUnit::FiscalYear,
        }
    }
}

pub async fn run(args: BacktestArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let path: PathBuf = Path::new(&args.what).to_owned();
    let rules = match path.exists() {
        true => Rules::Draft(TrialDefinition {
            content: Some(Content::Yaml(source::file(&path)?.0)),
        }),
        false => Rules::ProgramId(args.what.clone()),
    };
    let request = BacktestProgramRequest {
        rules: Some(rules),
        period: args.every.unit().into(),
        periods: args.periods,
        include_unchanged: args.trial.all,
        resume_token: String::new(),
    };
    let channel = globals.client.connect().await?;
    let bytes = request.encode_to_vec();
    let outcome = trial::follow(&args.trial, &bytes, async |resume_token| {
        let request = BacktestProgramRequest {
            resume_token,
            ..request.clone()
        };
        let mut client = WhatIfServiceClient::new(channel.clone());
        Ok(client.backtest_program(request).await?.into_inner())
    })
    .await?;
    if globals.output.json() {
        output::json(&trial::as_json(&outcome)?)?;
    } else {
        trial::print(&outcome, args.trial.show, true);
    }
    Ok(ExitCode::SUCCESS)
}

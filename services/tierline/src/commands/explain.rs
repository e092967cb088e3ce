//! `tierline explain partner PARTNER` and `tierline explain decision DECISION`

use std::process::ExitCode;

use super::audit::explain::{ExplainArgs as DecisionArgs, explain as explain_decision};
use super::standing::{ShowArgs, show};
use crate::cli::Globals;

/// Answers why.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Why a partner has its tier, what keeps it, and what is missing for the next one.
    ///
    /// Exit code: 0 when the partner was found, 1 when not or when the server refused.
    Partner(ShowArgs),
    /// A decision with all of its evidence; the same as `tierline audit explain`.
    ///
    /// Exit code: 0 when the decision was found, 1 when not or when the server refused.
    Decision(DecisionArgs),
}

pub async fn run(args: ExplainArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Partner(args) => show(args, globals, true).await,
        What::Decision(args) => explain_decision(args, globals).await,
    }
}

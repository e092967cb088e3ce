//! `tierline audit history`, `explain` and `replay`: what was decided, on what, and whether it
//! comes out the same again.

pub mod explain;
pub mod history;
pub mod replay;

use std::process::ExitCode;

use crate::cli::Globals;
use crate::client::ClientFlags;

/// Decisions about tiers, their evidence, and their proof.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Decisions, newest first, of a partner, a program or the whole org.
    ///
    /// Exit code: 0, also for an empty list; 1 when the server refused.
    History(history::HistoryArgs),
    /// A decision with all of its evidence: requirement, facts, rates, versions.
    ///
    /// Exit code: 0 when the decision was found, 1 when not or when the server refused.
    Explain(explain::ExplainArgs),
    /// Decides every recorded decision again from the log and reports each difference.
    ///
    /// Exit code: 0 when everything comes out as recorded, 1 when there are differences or when
    /// the server refused.
    Replay(replay::ReplayArgs),
}

pub async fn run(args: AuditArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match args.what {
        What::History(args) => history::run(args, globals).await,
        What::Explain(args) => explain::explain(args, globals).await,
        What::Replay(args) => replay::run(args, globals).await,
    }
}

/// `--org` of commands that can be about a whole org. It takes the place of the flag of the same
/// name that all commands have, and so may also be written without a value.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WholeOrg {
    /// The whole org, which is also the default. With a value, the org whose local token to show.
    #[arg(
        id = "org",
        long = "org",
        value_name = "ORG",
        num_args = 0..=1,
        default_missing_value = ""
    )]
    org: Option<String>,
}

impl WholeOrg {
    /// True when the flag was given without a value, and so cannot be narrowed.
    fn bare(&self) -> bool {
        self.org.as_deref() == Some("")
    }

    /// The connection; a flag without a value does not choose a token.
    fn client(&self, globals: &Globals) -> ClientFlags {
        let mut client = globals.client.clone();
        if client.org.as_deref() == Some("") {
            client.org = std::env::var("TIERLINE_ORG").ok();
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::Cli;

    fn parsed(line: &str) -> String {
        let words = std::iter::once("tierline").chain(line.split_whitespace());
        format!("{:?}", Cli::try_parse_from(words).unwrap())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_flag_org_may_stand_without_a_value_where_a_whole_org_can_be_meant() {
        for line in ["audit replay --org", "audit history --org --limit 3"] {
            let text = parsed(line);
            assert!(text.contains("WholeOrg { org: Some(\"\") }"), "{text}");
        }
        let text = parsed("audit replay --org sandbox");
        assert!(
            text.contains("token_file: None, org: Some(\"sandbox\")"),
            "{text}"
        );
        assert!(
            text.contains("WholeOrg { org: Some(\"sandbox\") }"),
            "{text}"
        );
        let text = parsed("--org sandbox audit history acme");
        assert!(
            text.contains("token_file: None, org: Some(\"sandbox\")"),
            "{text}"
        );
    }

    #[test]
    fn only_one_thing_can_be_replayed_at_a_time() {
        let line = [
            "tierline",
            "audit",
            "replay",
            "--program",
            "p",
            "--partner",
            "q",
        ];
        assert!(Cli::try_parse_from(line).is_err());
    }
}

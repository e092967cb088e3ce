//! `tierline audit replay`

use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;
use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::query::v1::replay_decisions_request::Scope;
use tierline_proto::query::v1::replay_decisions_response::Kind;
use tierline_proto::query::v1::{ReplayDecisionsRequest, ReplayDifference, ReplaySummary};

use super::WholeOrg;
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::commands::show::{json, partner, progress, words};
use crate::output;

/// Most differences that are kept for showing; the summary counts them all.
const MAX_KEPT: usize = 10_000;

/// Whose decisions; without any of these, those of the whole org.
#[derive(Debug, clap::Args)]
#[group(id = "whose", multiple = false, args = ["program", "partner", "enrollment"])]
pub struct ReplayArgs {
    #[command(flatten)]
    org: WholeOrg,
    /// Of a program.
    #[arg(long, value_name = "PROGRAM")]
    program: Option<String>,
    /// Of a partner: its identifier, its domain or its exact name.
    #[arg(long, value_name = "PARTNER")]
    partner: Option<String>,
    /// Of an enrollment.
    #[arg(long, value_name = "ENROLLMENT")]
    enrollment: Option<String>,
    /// Most differences to list.
    #[arg(long, default_value_t = 20, value_name = "N")]
    show: usize,
}

impl ReplayArgs {
    async fn scope(&self, channel: &Authorized) -> anyhow::Result<Option<Scope>> {
        if let Some(program) = &self.program {
            return Ok(Some(Scope::ProgramId(program.clone())));
        }
        if let Some(named) = &self.partner {
            let partner = partner::find(channel, named).await?;
            return Ok(Some(Scope::PartnerId(partner.id)));
        }
        Ok(self.enrollment.clone().map(Scope::EnrollmentId))
    }
}

pub async fn run(args: ReplayArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let narrowed = args.program.is_some() || args.partner.is_some() || args.enrollment.is_some();
    anyhow::ensure!(
        !(narrowed && args.org.bare()),
        "--org without a value means the whole org; leave it out with --program, --partner or \
         --enrollment"
    );
    let channel = args.org.client(globals).connect().await?;
    let scope = args.scope(&channel).await?;
    let (summary, differences) = replay(channel, scope).await?;
    let shown = &differences[..differences.len().min(args.show)];
    if globals.output.json() {
        output::json(&json!({
            "summary": json::of("query.v1.ReplaySummary", &summary)?,
            "differences": json::all("query.v1.ReplayDifference", shown)?,
        }))?;
    } else {
        for difference in shown {
            for line in difference_lines(difference) {
                output::line(line);
            }
        }
        let hidden = summary.differences.saturating_sub(shown.len() as u64);
        if hidden > 0 {
            output::line(format!(
                "and {} (--show N)",
                words::counted(hidden, "more difference")
            ));
        }
        output::line(summary_line(&summary));
    }
    Ok(if summary.differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn replay(
    channel: Authorized,
    scope: Option<Scope>,
) -> anyhow::Result<(ReplaySummary, Vec<ReplayDifference>)> {
    let mut stream = AuditServiceClient::new(channel)
        .replay_decisions(ReplayDecisionsRequest { scope })
        .await
        .map_err(refused)?
        .into_inner();
    let bar = progress::counting("enrollments");
    let (mut summary, mut differences) = (None, Vec::new());
    while let Some(message) = stream.message().await.map_err(refused)? {
        match message.kind {
            Some(Kind::Progress(now)) => {
                bar.set_length(now.total_enrollments);
                bar.set_position(now.done_enrollments);
                bar.set_message(words::counted(now.compared_decisions, "decision"));
            }
            Some(Kind::Difference(difference)) if differences.len() < MAX_KEPT => {
                differences.push(difference);
            }
            Some(Kind::Difference(_)) => {}
            Some(Kind::Summary(end)) => summary = Some(end),
            None => {}
        }
    }
    bar.finish_and_clear();
    let summary = summary.context("the server ended the replay without a summary; repeat it")?;
    Ok((summary, differences))
}

fn difference_lines(one: &ReplayDifference) -> [String; 3] {
    let or_nothing = |text: &str| {
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text.to_owned()
        }
    };
    [
        format!(
            "difference in {}/{} of partner {} {}",
            one.enrollment_id, one.sequence, one.partner_id, one.decision_id
        )
        .trim_end()
        .to_owned(),
        format!("  recorded    {}", or_nothing(&one.recorded)),
        format!("  recomputed  {}", or_nothing(&one.recomputed)),
    ]
}

fn summary_line(one: &ReplaySummary) -> String {
    format!(
        "{} and {} of {} recomputed, {} ({} read, up to position {} of the log)",
        words::counted(one.decisions, "decision"),
        words::counted(one.progress_records, "progress record"),
        words::counted(one.enrollments, "enrollment"),
        words::counted(one.differences, "difference"),
        words::counted(one.events, "event"),
        words::grouped(one.log_position)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_how_much_was_recomputed() {
        let summary = ReplaySummary {
            enrollments: 701,
            decisions: 1_402,
            differences: 0,
            log_position: 60_000,
            events: 58_000,
            progress_records: 7_012,
        };
        assert_eq!(
            summary_line(&summary),
            "1,402 decisions and 7,012 progress records of 701 enrollments recomputed, 0 \
             differences (58,000 events read, up to position 60,000 of the log)"
        );
    }

    #[test]
    fn a_difference_shows_both_sides() {
        let lines = difference_lines(&ReplayDifference {
            enrollment_id: "e".into(),
            partner_id: "acme".into(),
            sequence: 4,
            recorded: "to: gold".into(),
            ..Default::default()
        });
        assert_eq!(lines[0], "difference in e/4 of partner acme");
        assert_eq!(lines[2], "  recomputed  nothing");
    }
}

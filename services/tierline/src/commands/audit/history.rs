//! `tierline audit history`

use std::process::ExitCode;

use jiff::civil::Date;
use tierline_proto::query::v1::ListTierHistoryRequest;
use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::query::v1::list_tier_history_request::Scope;
use tierline_proto::standing::v1::{Decision, DecisionKind};

use super::WholeOrg;
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::commands::show::{json, partner, text, words};
use crate::output;

/// Largest page that a server gives.
const MAX_PAGE: usize = 1_000;
/// Columns that a sentence needs to stand in the table.
const LEAST_SENTENCE: usize = 32;

/// Causes that a change of tier can have.
const CAUSES: [&str; 8] = [
    "qualified",
    "retention_unmet",
    "pinned",
    "pin_released",
    "approved",
    "tier_removed",
    "terminated",
    "expired",
];

/// Which decisions.
#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// Only of this partner: its identifier, its domain or its exact name.
    partner: Option<String>,
    /// Only of this program.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "partner")]
    program: Option<String>,
    #[command(flatten)]
    org: WholeOrg,
    /// Only decisions for this business date or a later one.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Only decisions for this business date or an earlier one.
    #[arg(long, value_name = "DATE")]
    to: Option<Date>,
    /// Only changes of tier with this cause.
    #[arg(long, value_name = "CAUSE", value_parser = clap::builder::PossibleValuesParser::new(CAUSES))]
    cause: Option<String>,
    /// Only changes of tier, without notices, recommendations and the like.
    #[arg(long)]
    changes: bool,
    /// Most decisions to list; 0 for all.
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
}

impl HistoryArgs {
    fn filter(&self) -> String {
        let terms = [
            self.from.map(|date| format!("as_of_date >= \"{date}\"")),
            self.to.map(|date| format!("as_of_date <= \"{date}\"")),
            self.cause.as_ref().map(|cause| format!("cause = {cause}")),
        ];
        terms
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" AND ")
    }
}

pub async fn run(args: HistoryArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let channel = args.org.client(globals).connect().await?;
    let scope = match (&args.partner, &args.program) {
        (Some(named), _) => Some(Scope::PartnerId(partner::find(&channel, named).await?.id)),
        (None, Some(program)) => Some(Scope::ProgramId(program.clone())),
        (None, None) => None,
    };
    let of_partner = matches!(scope, Some(Scope::PartnerId(_)));
    let (decisions, more) = pages(&channel, &args, scope).await?;
    if globals.output.json() {
        // A line each, so that a long history can be read while it comes.
        for decision in &decisions {
            let decision = json::of("standing.v1.Decision", decision)?;
            output::line(serde_json::to_string(&decision)?);
        }
        return Ok(ExitCode::SUCCESS);
    }
    print(&decisions, of_partner, text::terminal_width());
    let shown = words::counted(decisions.len() as u64, "decision");
    if more {
        output::line(format!("the newest {shown}; --limit 0 lists all"));
    } else {
        output::line(shown);
    }
    Ok(ExitCode::SUCCESS)
}

/// Follows the pages up to the limit. Also says whether there is more.
async fn pages(
    channel: &Authorized,
    args: &HistoryArgs,
    scope: Option<Scope>,
) -> anyhow::Result<(Vec<Decision>, bool)> {
    let limit = if args.limit == 0 {
        usize::MAX
    } else {
        args.limit
    };
    let mut client = AuditServiceClient::new(channel.clone());
    let mut request = ListTierHistoryRequest {
        scope,
        filter: args.filter(),
        tier_changes_only: args.changes,
        ..Default::default()
    };
    let mut decisions = Vec::new();
    loop {
        let size = (limit - decisions.len()).min(MAX_PAGE);
        request.page_size = i32::try_from(size)?;
        let answer = client.list_tier_history(request.clone()).await;
        let answer = answer.map_err(refused)?.into_inner();
        decisions.extend(answer.decisions);
        let more = !answer.next_page_token.is_empty();
        if !more || decisions.len() >= limit {
            decisions.truncate(limit);
            return Ok((decisions, more));
        }
        request.page_token = answer.next_page_token;
    }
}

fn print(decisions: &[Decision], of_partner: bool, terminal: Option<usize>) {
    if decisions.is_empty() {
        return;
    }
    let headings: &[&str] = if of_partner {
        &[
            "when",
            "program/track",
            "change",
            "cause",
            "decision",
            "sentence",
        ]
    } else {
        &[
            "when",
            "partner",
            "program/track",
            "change",
            "cause",
            "decision",
            "sentence",
        ]
    };
    let mut rows = vec![headings.iter().map(|one| (*one).to_owned()).collect()];
    rows.extend(decisions.iter().map(|one| row(one, of_partner)));
    let fits = text::fit_last(&mut rows, terminal, LEAST_SENTENCE).is_some();
    rows.remove(0);
    if fits {
        output::table(headings, rows);
        return;
    }
    // Too narrow for a column of sentences: each below its decision.
    let width = terminal.unwrap_or(usize::MAX).saturating_sub(4);
    for mut row in rows {
        let sentence = row.pop().unwrap_or_default();
        output::line(row.join("  "));
        output::line(format!("    {}", text::shorten(&sentence, width)));
    }
}

fn row(one: &Decision, of_partner: bool) -> Vec<String> {
    let mut row = vec![one.as_of_date.clone()];
    if !of_partner {
        row.push(one.partner_id.clone());
    }
    row.push(format!("{}/{}", one.program_id, one.track_id));
    row.push(change_text(one));
    row.push(words::spaced(&words::cause(one.cause)));
    row.push(place(one));
    row.push(one.sentence.clone());
    row
}

/// What `tierline audit explain` takes: enrollment and sequence, shorter than the event id.
pub fn place(one: &Decision) -> String {
    format!("{}/{}", one.enrollment_id, one.sequence)
}

/// What the decision did: from tier to tier, or what kind of decision about which tier.
pub fn change_text(one: &Decision) -> String {
    match DecisionKind::try_from(one.kind) {
        Ok(DecisionKind::TierChanged) if !one.from_tier_id.is_empty() => {
            format!("{} → {}", one.from_tier_id, one.to_tier_id)
        }
        Ok(DecisionKind::TierChanged | DecisionKind::Opened) => format!("→ {}", one.to_tier_id),
        _ => {
            let kind = words::spaced(&words::decision_kind(one.kind));
            format!("{kind}: {}", one.to_tier_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(kind: DecisionKind, from: &str, to: &str) -> Decision {
        Decision {
            kind: kind.into(),
            enrollment_id: "acme.p.t".into(),
            sequence: 3,
            from_tier_id: from.into(),
            to_tier_id: to.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_change_reads_as_an_arrow_and_other_decisions_by_their_kind() {
        let text = |kind, from, to| change_text(&decision(kind, from, to));
        assert_eq!(
            text(DecisionKind::TierChanged, "silver", "gold"),
            "silver → gold"
        );
        assert_eq!(text(DecisionKind::Opened, "", "bronze"), "→ bronze");
        assert_eq!(
            text(DecisionKind::NoticeIssued, "", "gold"),
            "notice issued: gold"
        );
    }

    #[test]
    fn a_row_names_the_decision_so_that_it_can_be_pasted() {
        let one = decision(DecisionKind::Opened, "", "bronze");
        assert_eq!(row(&one, true)[4], "acme.p.t/3");
        assert_eq!(row(&one, false).len(), row(&one, true).len() + 1);
    }

    #[test]
    fn dates_and_cause_become_a_filter() {
        let args = HistoryArgs {
            partner: None,
            program: None,
            org: WholeOrg::default(),
            from: Some(jiff::civil::date(2026, 1, 1)),
            to: None,
            cause: Some("qualified".into()),
            changes: false,
            limit: 1,
        };
        assert_eq!(
            args.filter(),
            "as_of_date >= \"2026-01-01\" AND cause = qualified"
        );
    }
}

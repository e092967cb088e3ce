//! `tierline audit explain DECISION`

use std::process::ExitCode;

use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::query::v1::{ExplainDecisionRequest, ExplainDecisionResponse, Trigger};
use tierline_proto::standing::v1::Decision;

use super::history::{change_text, place};
use crate::cli::Globals;
use crate::client::refused;
use crate::commands::show::standing::indented;
use crate::commands::show::{json, text, tree, words};
use crate::output;

/// Which decision.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The decision: ENROLLMENT/SEQUENCE as `tierline audit history` prints it, or its event id.
    decision: String,
    /// Most facts that counted, and most that did not, to show of each criterion.
    #[arg(long, default_value_t = 10, value_name = "N")]
    facts: usize,
}

/// Shows a decision with all of its evidence.
pub async fn explain(args: ExplainArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let channel = globals.client.connect().await?;
    let request = ExplainDecisionRequest {
        decision_id: args.decision,
    };
    let explained = AuditServiceClient::new(channel)
        .explain_decision(request)
        .await
        .map_err(refused)?
        .into_inner();
    if globals.output.json() {
        let explained = json::of("query.v1.ExplainDecisionResponse", &explained)?;
        output::json(&explained)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in lines(&explained, args.facts) {
        output::line(line);
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(explained: &ExplainDecisionResponse, facts: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(decision) = &explained.decision {
        lines.extend(decision_lines(decision));
    }
    lines.push(String::new());
    match (explained.triggers.as_slice(), &explained.decision) {
        ([], _) => lines.push("Caused by the passing of time.".to_owned()),
        (triggers, _) => {
            lines.push("Caused by".to_owned());
            let rows: Vec<Vec<String>> = triggers.iter().map(trigger_row).collect();
            lines.extend(indented(2, text::aligned(&rows)));
        }
    }
    lines.push(String::new());
    match &explained.explanation {
        Some(explanation) => {
            lines.push("Requirement".to_owned());
            lines.extend(indented(2, tree::lines(explanation, facts)));
        }
        None => lines.push("No requirement was evaluated for this decision.".to_owned()),
    }
    lines
}

fn decision_lines(one: &Decision) -> Vec<String> {
    let mut lines = vec![format!("Decision {} ({})", place(one), one.decision_id)];
    lines.extend(indented(2, text::wrapped(&one.sentence, 76)));
    lines.push(String::new());
    let partner = match one.partner_name.as_str() {
        "" => one.partner_id.clone(),
        name => format!("{name} ({})", one.partner_id),
    };
    let why = [words::direction(one.direction), words::cause(one.cause)];
    let why: Vec<String> = why
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| words::spaced(word))
        .collect();
    let change = match why.is_empty() {
        true => change_text(one),
        false => format!("{} ({})", change_text(one), why.join(", ")),
    };
    let mut rows = vec![
        ["partner".to_owned(), partner],
        ["change".to_owned(), change],
        [
            "tier then".to_owned(),
            words::decided_by(one.source).to_owned(),
        ],
        ["as of".to_owned(), one.as_of_date.clone()],
        [
            "recorded".to_owned(),
            words::second(one.record_time.as_ref()),
        ],
        [
            "program".to_owned(),
            format!(
                "{} version {}, track {}",
                one.program_id, one.program_version, one.track_id
            ),
        ],
    ];
    if let Some(basis) = &one.basis {
        let text = format!(
            "the log of partition {} up to number {}",
            basis.partition,
            words::grouped(basis.number)
        );
        rows.push(["basis".to_owned(), text]);
    }
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    lines.extend(indented(2, text::aligned(&rows)));
    lines
}

fn trigger_row(one: &Trigger) -> Vec<String> {
    let name = one.event_type.rsplit('.').next().unwrap_or_default();
    let actor = match one.actor.as_str() {
        "" => String::new(),
        actor => format!("by {actor}"),
    };
    let at = words::second(one.record_time.as_ref());
    vec![
        name.to_owned(),
        one.subject.clone(),
        actor,
        at,
        one.event_id.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_proto::standing::v1::{Basis, Cause, DecisionKind, Direction, TierSource};

    #[test]
    fn everything_that_a_decision_rests_on_is_shown() {
        let explained = ExplainDecisionResponse {
            decision: Some(Decision {
                decision_id: "uuid".into(),
                kind: DecisionKind::TierChanged.into(),
                enrollment_id: "acme.p.t".into(),
                partner_id: "acme".into(),
                partner_name: "Acme".into(),
                program_id: "p".into(),
                track_id: "t".into(),
                from_tier_id: "bronze".into(),
                to_tier_id: "silver".into(),
                direction: Direction::Promotion.into(),
                cause: Cause::Qualified.into(),
                source: TierSource::Automatic.into(),
                as_of_date: "2026-06-30".into(),
                program_version: 2,
                sentence: "Promoted to silver.".into(),
                basis: Some(Basis {
                    partition: 5,
                    number: 1234,
                    triggers: vec![1234],
                }),
                sequence: 3,
                ..Default::default()
            }),
            explanation: None,
            triggers: vec![Trigger {
                event_type: "tierline.activity.v1.DealWon".into(),
                event_id: "e".into(),
                subject: "Deal/42".into(),
                actor: "kim".into(),
                record_time: None,
            }],
        };
        let text = lines(&explained, 5).join("\n");
        for part in [
            "Decision acme.p.t/3 (uuid)",
            "Promoted to silver.",
            "change     bronze → silver (promotion, qualified)",
            "program    p version 2, track t",
            "basis      the log of partition 5 up to number 1,234",
            "DealWon  Deal/42  by kim",
            "No requirement was evaluated",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}

//! A standing as text: the tier, what it rests on, and the way to the next one.

use tierline_proto::enrollment::v1::Pin;
use tierline_proto::program::v1::requirement::Kind;
use tierline_proto::program::v1::{Benefit, Requirement, Tier};
use tierline_proto::standing::v1::{CriterionProgress, Outcome, Standing, TierProgress};

use super::{text, words};
use crate::output;

/// Width at which paragraphs break.
const PARAGRAPH: usize = 76;

/// A standing with what other services know about it.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The standing itself.
    pub standing: Standing,
    /// The tiers of the track in the version of the program that was in force, highest first;
    /// empty when the caller may not see them.
    pub tiers: Vec<Tier>,
    /// The pin, if there is one and the caller may see it.
    pub pin: Option<Pin>,
    /// Why the present tier was decided, when that was asked for.
    pub why: Option<String>,
}

impl Shown {
    fn tier(&self, id: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.id == id)
    }

    /// What the present tier gives.
    pub fn benefits(&self) -> &[Benefit] {
        self.tier(&self.standing.tier_id)
            .map_or(&[], |tier| &tier.benefits)
    }

    /// The standing as lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        lines.extend(indented(2, self.facts()));
        for progress in &self.standing.progress {
            lines.push(String::new());
            lines.extend(indented(2, tier_lines(progress)));
            if self
                .next()
                .is_some_and(|next| next.tier_id == progress.tier_id)
            {
                lines.extend(indented(2, self.missing(progress)));
            }
        }
        if let Some(retention) = &self.standing.retention {
            lines.push(String::new());
            lines.extend(indented(2, retention_lines(retention)));
        }
        lines
    }

    fn title(&self) -> String {
        let one = &self.standing;
        let named = |name: &str, id: &str| {
            if name.is_empty() {
                id.to_owned()
            } else {
                name.into()
            }
        };
        format!(
            "{} / {}",
            named(&one.program_name, &one.program_id),
            named(&one.track_name, &one.track_id)
        )
    }

    /// The header: a label and a text per row.
    fn facts(&self) -> Vec<String> {
        let one = &self.standing;
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut add = |label: &str, text: String| rows.push(vec![label.to_owned(), text]);
        add("Tier", tier_text(one));
        if let Some(why) = &self.why {
            let mut label = "Why";
            for part in text::wrapped(why, PARAGRAPH) {
                add(label, part);
                label = "";
            }
        }
        if !one.evaluated_date.is_empty() {
            let version = one.program_version;
            add(
                "Evaluated",
                format!("{}, program version {version}", one.evaluated_date),
            );
        }
        if one.under_review {
            let warning = "events about this partner are set aside; all of this may be out of date";
            add("Under review", warning.to_owned());
        }
        if let Some(pin) = &self.pin {
            let until = ending(&pin.until_date);
            add(
                "Pinned",
                format!("{}{until}: {}", self.tier_name(&pin.tier_id), pin.reason),
            );
        }
        if let Some(process) = &one.demotion_process {
            add("At risk", self.process_text(process));
        }
        if let Some(recommended) = &one.recommendation {
            add(
                "Recommended",
                format!(
                    "{} since {}; recommendation {} waits for a person",
                    recommended.tier_name, recommended.since_date, recommended.recommendation
                ),
            );
        }
        if let Some(path) = &one.requalification {
            let name = self.tier_name(&path.tier_id);
            add(
                "Requalify",
                format!("{name} can be earned again until {}", path.until_date),
            );
        }
        if !one.next_change_date.is_empty() {
            add(
                "Next change",
                format!("not by time alone before {}", one.next_change_date),
            );
        }
        let mut label = "Benefits";
        for benefit in self.benefits() {
            let name = match benefit.name.as_str() {
                "" => &benefit.id,
                _ => &benefit.name,
            };
            add(label, format!("{name}: {}", benefit.value));
            label = "";
        }
        add("Enrollment", one.enrollment_id.clone());
        if !one.decision_id.is_empty() {
            add("Decision", one.decision_id.clone());
        }
        text::aligned(&rows)
    }

    fn process_text(&self, process: &tierline_proto::standing::v1::DemotionProcess) -> String {
        let remediation = if process.in_remediation {
            format!("in remediation since {}", process.remediation_start_date)
        } else {
            format!("remediation begins {}", process.remediation_start_date)
        };
        format!(
            "{}: notice of {}, {remediation}, demotion on {} if nothing changes",
            self.tier_name(&process.tier_id),
            process.notice_date,
            process.demotion_date
        )
    }

    fn tier_name(&self, id: &str) -> String {
        let progress = self.standing.progress.iter();
        let known = progress
            .filter(|progress| progress.tier_id == id)
            .map(|progress| progress.tier_name.clone())
            .next();
        let defined = || self.tier(id).map(|tier| tier.name.clone());
        known.or_else(defined).unwrap_or_else(|| id.to_owned())
    }

    /// The lowest tier above the present one.
    pub fn next(&self) -> Option<&TierProgress> {
        let one = &self.standing;
        if one.closed || one.tier_id.is_empty() {
            return None;
        }
        let above = one
            .progress
            .iter()
            .filter(|tier| tier.tier_rank < one.tier_rank);
        above.max_by_key(|tier| tier.tier_rank)
    }

    /// What is missing for a tier, as lines.
    fn missing(&self, progress: &TierProgress) -> Vec<String> {
        let gaps: Vec<String> = progress.criteria.iter().filter_map(gap_text).collect();
        if gaps.is_empty() {
            return Vec::new();
        }
        let mut sentence = format!("Missing for {}: {}", progress.tier_name, gaps.join("; "));
        let requirement = self.tier(&progress.tier_id);
        let requirement = requirement.and_then(|tier| tier.qualification.as_ref());
        if requirement.is_some_and(has_alternatives) {
            sentence.push_str(" (there are alternatives, so not all of it is needed)");
        }
        text::wrapped(&sentence, PARAGRAPH)
    }
}

fn tier_text(one: &Standing) -> String {
    if one.closed {
        return "none any more: the enrollment has ended".to_owned();
    }
    if one.tier_id.is_empty() {
        return "not evaluated yet".to_owned();
    }
    let decided = words::decided_by(one.tier_source);
    format!("{} since {}, {decided}", one.tier_name, one.tier_since_date)
}

fn ending(date: &str) -> String {
    if date.is_empty() {
        " until it is cleared".to_owned()
    } else {
        format!(" until {date}")
    }
}

fn tier_lines(progress: &TierProgress) -> Vec<String> {
    let head = format!(
        "{}: {}",
        progress.tier_name,
        words::outcome(progress.outcome)
    );
    let mut lines = vec![head];
    lines.extend(indented(2, criteria_lines(&progress.criteria)));
    lines
}

fn retention_lines(retention: &TierProgress) -> Vec<String> {
    let head = format!(
        "To keep {}: {}",
        retention.tier_name,
        words::outcome(retention.outcome)
    );
    let mut lines = vec![head];
    lines.extend(indented(2, criteria_lines(&retention.criteria)));
    lines
}

/// One line per criterion: sign, name, end of the period, bar, percent, measured of required.
fn criteria_lines(criteria: &[CriterionProgress]) -> Vec<String> {
    let dated = criteria.iter().any(|one| !one.period_end_date.is_empty());
    let rows: Vec<Vec<String>> = criteria
        .iter()
        .map(|one| {
            let mut row = vec![format!("{} {}", words::outcome_sign(one.outcome), one.name)];
            if dated {
                row.push(match one.period_end_date.as_str() {
                    "" => String::new(),
                    date => format!("to {date}"),
                });
            }
            row.push(output::bar(one.percent));
            row.push(format!("{:>3} %", one.percent.min(100)));
            row.push(amounts(one));
            row
        })
        .collect();
    text::aligned(&rows)
}

fn amounts(one: &CriterionProgress) -> String {
    let measured = if one.measured.is_empty() {
        "unknown"
    } else {
        &one.measured
    };
    // A lower bound is something to reach; a condition is not.
    let mut text = if one.required.starts_with("at least ") {
        format!("{measured} of {}", one.required)
    } else {
        format!("{measured}, required: {}", one.required)
    };
    if !one.gap.is_empty() {
        text.push_str(&format!(", missing {}", one.gap));
    }
    text
}

fn gap_text(one: &CriterionProgress) -> Option<String> {
    let open = [Outcome::Unmet, Outcome::Unknown].map(i32::from);
    if !open.contains(&one.outcome) {
        return None;
    }
    let gap = if one.gap.is_empty() {
        "not known"
    } else {
        &one.gap
    };
    let period = match one.period_end_date.as_str() {
        "" => String::new(),
        date => format!(" (period to {date})"),
    };
    Some(format!("{}: {gap}{period}", one.name))
}

/// True when a requirement can be met without every one of its criteria.
fn has_alternatives(requirement: &Requirement) -> bool {
    let below = |holds: &Option<Box<Requirement>>| holds.as_deref().is_some_and(has_alternatives);
    match &requirement.kind {
        Some(
            Kind::Any(_)
            | Kind::AtLeast(_)
            | Kind::AnyPeriod(_)
            | Kind::Streak(_)
            | Kind::AnyDay(_)
            | Kind::BestOf(_)
            | Kind::Information(_),
        ) => true,
        Some(Kind::All(list)) => list.items.iter().any(has_alternatives),
        Some(Kind::Negation(inner)) => has_alternatives(inner),
        Some(Kind::EveryPeriod(periods)) => below(&periods.holds),
        Some(Kind::Sustained(inner)) => below(&inner.holds),
        Some(Kind::ForEach(inner)) => below(&inner.holds),
        Some(Kind::Where(inner)) => below(&inner.holds),
        Some(Kind::Criterion(_) | Kind::Partner(_)) | None => false,
    }
}

/// The lines, each after so many spaces.
pub fn indented(by: usize, lines: Vec<String>) -> Vec<String> {
    let lines = lines.into_iter();
    lines
        .map(|line| format!("{}{line}", " ".repeat(by)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_proto::program::v1::RequirementList;
    use tierline_proto::standing::v1::{DemotionProcess, TierSource};

    fn criterion(percent: u32, outcome: Outcome, period: &str) -> CriterionProgress {
        let met = outcome == Outcome::Met;
        CriterionProgress {
            criterion_id: "revenue".into(),
            name: "Revenue".into(),
            period_end_date: period.into(),
            outcome: outcome.into(),
            measured: "75,000.00 USD".into(),
            required: "at least 100,000.00 USD".into(),
            gap: if met {
                String::new()
            } else {
                "25,000.00 USD".into()
            },
            percent,
        }
    }

    fn progress(id: &str, rank: u32, criterion: CriterionProgress) -> TierProgress {
        TierProgress {
            tier_id: id.to_lowercase(),
            tier_name: id.into(),
            tier_rank: rank,
            outcome: criterion.outcome,
            criteria: vec![criterion],
        }
    }

    fn shown() -> Shown {
        Shown {
            standing: Standing {
                enrollment_id: "acme.p.resell".into(),
                program_name: "Standard".into(),
                track_id: "resell".into(),
                tier_id: "silver".into(),
                tier_name: "Silver".into(),
                tier_rank: 1,
                tier_source: TierSource::Automatic.into(),
                tier_since_date: "2026-01-31".into(),
                progress: vec![
                    progress("Gold", 0, criterion(75, Outcome::Unmet, "2026-03-31")),
                    progress("Silver", 1, criterion(100, Outcome::Met, "")),
                ],
                retention: Some(progress("Silver", 1, criterion(100, Outcome::Met, ""))),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    #[test]
    fn a_standing_shows_its_tier_a_bar_per_criterion_and_what_is_missing_for_the_next() {
        let lines = shown().lines();
        assert_eq!(lines[0], "Standard / resell");
        assert_eq!(
            lines[1],
            "  Tier        Silver since 2026-01-31, decided by the facts"
        );
        let text = lines.join("\n");
        assert!(
            text.contains(
                "  Gold: unmet\n    ✗ Revenue  to 2026-03-31  ███████░░░   75 %  75,000.00 USD of \
                 at least 100,000.00 USD, missing 25,000.00 USD\n  Missing for Gold: Revenue: \
                 25,000.00 USD (period to 2026-03-31)"
            ),
            "{text}"
        );
        assert!(text.contains("  To keep Silver: met"), "{text}");
        assert!(!text.contains("Missing for Silver"), "{text}");
    }

    #[test]
    fn a_condition_is_not_something_of_which_a_part_is_reached() {
        let mut one = criterion(0, Outcome::Unknown, "");
        (one.measured, one.gap) = (String::new(), String::new());
        one.required = "sponsor is one of VP, C-level".into();
        assert_eq!(
            amounts(&one),
            "unknown, required: sponsor is one of VP, C-level"
        );
    }

    #[test]
    fn a_requirement_with_alternatives_does_not_claim_that_everything_is_needed() {
        let mut shown = shown();
        let any = Requirement {
            kind: Some(Kind::Any(RequirementList::default())),
        };
        let all = RequirementList { items: vec![any] };
        shown.tiers = vec![Tier {
            id: "gold".into(),
            qualification: Some(Requirement {
                kind: Some(Kind::All(all)),
            }),
            ..Default::default()
        }];
        let text = shown.lines().join("\n");
        assert!(text.contains("not all"), "{text}");
    }

    #[test]
    fn a_running_process_a_pin_and_a_review_are_in_the_header() {
        let mut shown = shown();
        shown.standing.under_review = true;
        shown.standing.demotion_process = Some(DemotionProcess {
            tier_id: "silver".into(),
            notice_date: "2026-04-01".into(),
            remediation_start_date: "2026-05-01".into(),
            demotion_date: "2026-07-30".into(),
            in_remediation: false,
        });
        shown.pin = Some(Pin {
            tier_id: "gold".into(),
            reason: "bridge".into(),
            until_date: String::new(),
        });
        shown.tiers = vec![Tier {
            id: "silver".into(),
            benefits: vec![Benefit {
                name: "Deal protection".into(),
                value: "60 days".into(),
                ..Default::default()
            }],
            ..Default::default()
        }];
        let text = shown.lines().join("\n");
        for part in [
            "Under review  events about this partner are set aside",
            "Pinned        Gold until it is cleared: bridge",
            "Silver: notice of 2026-04-01, remediation begins 2026-05-01, demotion on 2026-07-30",
            "Benefits      Deal protection: 60 days",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn an_ended_enrollment_has_no_next_tier() {
        let mut shown = shown();
        shown.standing.closed = true;
        assert!(shown.next().is_none());
        assert!(shown.lines()[1].contains("has ended"));
    }
}

//! Requirements over complete periods, and how outcomes combine.

use tierline_domain::rules::{Mode, Node, Outcome, Requirement};

use crate::given::{Partner, With, day, fact, requirement, won};

fn revenue(kind: &str, last: u32, least: &str) -> Requirement {
    requirement(&format!(
        "{kind}:
           unit: quarter
           last: {last}
           holds:
             criterion:
               id: revenue
               name: Revenue
               measure: {{sum: {{facts: {{kind: deal, date: closed,
                 window: {{rolling_months: 12}}}}, of: amount}}}}
               needs: {{gte: {least}}}"
    ))
}

#[test]
fn each_of_the_last_quarter_ends_is_measured_on_its_own_twelve_months() {
    let requirement = revenue("every_period", 2, "100000");
    // In the twelve months to the end of June, but no longer in those to the end of September.
    let partner = Partner::with([
        won(1, "60000", "2025-07-15"),
        won(2, "40000", "2026-02-01"),
        won(3, "59999.99", "2026-09-30"),
    ]);
    let explanation = partner.explain(&requirement, "2026-10-15");
    assert_eq!(explanation.outcome, Outcome::Unmet);
    let ends: Vec<_> = explanation
        .children
        .iter()
        .map(|child| (child.kind, child.as_of.unwrap(), child.outcome))
        .collect();
    assert_eq!(
        ends,
        [
            (Node::PeriodEnd, day("2026-09-30"), Outcome::Unmet),
            (Node::PeriodEnd, day("2026-06-30"), Outcome::Met),
        ]
    );
    assert_eq!(
        partner
            .explain(&revenue("any_period", 2, "100000"), "2026-10-15")
            .outcome,
        Outcome::Met
    );
}

#[test]
fn a_quarter_counts_from_the_day_after_its_end() {
    let requirement = revenue("every_period", 1, "100");
    let partner = Partner::with([won(1, "100", "2026-06-30")]);
    let before = partner.evaluate(&requirement, "2026-06-30");
    assert_eq!(before.explanation.outcome, Outcome::Unmet);
    assert_eq!(before.next_change, Some(day("2026-07-01")));
    let after = partner.evaluate(&requirement, "2026-07-01");
    assert_eq!(after.explanation.outcome, Outcome::Met);
    assert_eq!(after.next_change, Some(day("2026-10-01")));
}

#[test]
fn a_fact_after_the_end_of_the_period_does_not_count_for_it() {
    let requirement = revenue("every_period", 1, "100");
    let partner = Partner::with([won(1, "100", "2026-07-01")]);
    assert_eq!(
        partner.explain(&requirement, "2026-07-15").outcome,
        Outcome::Unmet
    );
    assert_eq!(
        partner.explain(&requirement, "2026-10-01").outcome,
        Outcome::Met
    );
}

#[test]
fn fiscal_quarters_end_where_the_org_says() {
    let mut partner = Partner::with([won(1, "100", "2026-01-31")]);
    partner.calendar.fiscal_year_start = 2;
    let mut fiscal = revenue("every_period", 1, "100");
    let Requirement::EveryPeriod(periods) = &mut fiscal else {
        panic!("periods")
    };
    periods.unit = tierline_domain::time::PeriodUnit::FiscalQuarter;
    let explanation = partner.explain(&fiscal, "2026-02-01");
    assert_eq!(explanation.outcome, Outcome::Met);
    assert_eq!(explanation.children[0].as_of, Some(day("2026-01-31")));
}

#[test]
fn as_of_today_the_same_measure_is_taken_on_the_day_itself() {
    let requirement = revenue("any_period", 2, "75000");
    let partner = Partner::with([won(1, "75000", "2026-10-10")]);
    let at_ends = partner.naive(&requirement, day("2026-10-10"), Mode::AtPeriodEnds);
    assert_eq!(at_ends.explanation.outcome, Outcome::Unmet);
    let today = partner.naive(&requirement, day("2026-10-10"), Mode::AsOfToday);
    assert_eq!(today.explanation.outcome, Outcome::Met);
    assert_eq!(today.explanation.children[0].kind, Node::Today);
    assert_eq!(today.next_change, Some(day("2027-10-10")));
    let mut ends = Vec::new();
    today.explanation.each_leaf(&mut |_, end| ends.push(end));
    assert_eq!(ends, [None]);
}

#[test]
fn the_leaves_know_the_period_for_which_they_were_measured() {
    let explanation = Partner::with([]).explain(&revenue("every_period", 2, "1"), "2026-10-15");
    let mut leaves = Vec::new();
    explanation.each_leaf(&mut |leaf, end| leaves.push((leaf.id.clone().unwrap(), end.unwrap())));
    assert_eq!(
        leaves,
        [
            ("revenue".to_owned(), day("2026-09-30")),
            ("revenue".to_owned(), day("2026-06-30")),
        ]
    );
}

#[test]
fn something_in_each_quarter_is_a_current_window_as_of_every_quarter_end() {
    let requirement = requirement(
        "every_period: {unit: quarter, last: 2, holds: {criterion: {id: c, name: Campaigns,
           measure: {count: {facts: {kind: campaign, date: held, window: {current: quarter}}}},
           needs: {gte: 1}}}}",
    );
    let held = |id, day| fact("campaign", id).on("held", day);
    let both = Partner::with([held(1, "2026-04-01"), held(2, "2026-09-30")]);
    assert_eq!(
        both.explain(&requirement, "2026-10-01").outcome,
        Outcome::Met
    );
    let twice_in_one = Partner::with([held(1, "2026-07-01"), held(2, "2026-09-30")]);
    assert_eq!(
        twice_in_one.explain(&requirement, "2026-10-01").outcome,
        Outcome::Unmet
    );
}

/// A requirement whose outcome is known: the partner has the attribute `a` with the number 1 and
/// not the attribute `b`.
fn leaf(outcome: Outcome, id: usize) -> String {
    let (attribute, needs) = match outcome {
        Outcome::Met => ("a", "{gte: 1}"),
        Outcome::Unmet => ("a", "{gt: 1}"),
        _ => ("b", "{gte: 1}"),
    };
    format!(
        "{{criterion: {{id: c{id}, name: C, measure: {{partner_number: \
         {{attribute: {attribute}}}}}, needs: {needs}}}}}"
    )
}

#[test]
fn groups_combine_three_outcomes() {
    use Outcome::{Met, Unknown, Unmet};
    let partner = Partner::with([]).attribute("a", crate::given::number("1"));
    let outcome = |group: &str, parts: &[Outcome]| {
        let leaves: Vec<_> = parts
            .iter()
            .enumerate()
            .map(|(id, part)| leaf(*part, id))
            .collect();
        let list = leaves.join(", ");
        let yaml = match group.strip_prefix("at_least ") {
            Some(count) => format!("at_least: {{count: {count}, of: [{list}]}}"),
            None if group == "not" => format!("not: {list}"),
            None => format!("{group}: [{list}]"),
        };
        partner.explain(&requirement(&yaml), "2026-01-01").outcome
    };
    for (group, parts, expected) in [
        ("all", [Met, Met].as_slice(), Met),
        ("all", &[Met, Unknown], Unknown),
        ("all", &[Unmet, Unknown], Unmet),
        ("any", &[Unmet, Unmet], Unmet),
        ("any", &[Unmet, Unknown], Unknown),
        ("any", &[Met, Unknown], Met),
        ("at_least 2", &[Met, Met, Unmet], Met),
        ("at_least 2", &[Met, Unknown, Unmet], Unknown),
        ("at_least 2", &[Met, Unmet, Unmet], Unmet),
        ("not", &[Met], Unmet),
        ("not", &[Unmet], Met),
        ("not", &[Unknown], Unknown),
    ] {
        assert_eq!(outcome(group, parts), expected, "{group} {parts:?}");
    }
}

#[test]
fn one_complete_path_has_to_hold_and_paths_are_not_mixed() {
    // 500,000 with a quarter from the cloud, or 3,000,000: more revenue can not make up for a
    // share that is too low until it reaches the second path.
    let tier = requirement(
        "any:
           - all:
               - criterion: {id: total, name: Total, needs: {gte: 500000}, measure: {sum: {facts:
                   {kind: deal, date: closed, window: all_time}, of: amount}}}
               - criterion: {id: cloud, name: Cloud, needs: {gte: 125000}, measure: {sum: {facts:
                   {kind: deal, where: {field: {name: line, is: {equals: cloud}}}, date: closed,
                   window: all_time}, of: amount}}}
           - criterion: {id: large, name: Large, needs: {gte: 3000000}, measure: {sum: {facts:
               {kind: deal, date: closed, window: all_time}, of: amount}}}",
    );
    let sales = |cloud: &str, other: &str| {
        Partner::with([
            won(1, cloud, "2026-01-01").field("line", "cloud"),
            won(2, other, "2026-01-01").field("line", "server"),
        ])
    };
    for (cloud, other, outcome) in [
        ("125000", "375000", Outcome::Met),
        ("124999", "375001", Outcome::Unmet),
        ("100000", "2800000", Outcome::Unmet),
        ("100000", "2900000", Outcome::Met),
    ] {
        assert_eq!(
            sales(cloud, other).explain(&tier, "2026-02-01").outcome,
            outcome
        );
    }
}

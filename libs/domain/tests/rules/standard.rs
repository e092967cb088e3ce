//! The three-tier standard as shipped in `programs/`, on the cases that come with it.

use tierline_domain::program::{ProgramDefinition, program_from_yaml};
use tierline_domain::rules::{Mode, Outcome, Requirement};

use crate::given::{Partner, With, certified, day, fact, won};

fn program(file: &str) -> ProgramDefinition {
    let path = format!("{}/../../programs/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    program_from_yaml(&text).unwrap_or_else(|rejection| panic!("{file}: {rejection}"))
}

fn qualification(program: &ProgramDefinition, tier: &str) -> Requirement {
    let tiers = &program.tracks[0].tiers;
    let found = tiers
        .iter()
        .find(|found| found.id.as_str() == tier)
        .unwrap();
    found.qualification.clone().unwrap()
}

fn retention(program: &ProgramDefinition, tier: &str) -> Requirement {
    let tiers = &program.tracks[0].tiers;
    tiers
        .iter()
        .find(|found| found.id.as_str() == tier)
        .unwrap()
        .keeps()
        .unwrap()
        .clone()
}

/// The tier that the facts qualify for.
fn tier(program: &ProgramDefinition, partner: &Partner, as_of: &str) -> String {
    let tiers = &program.tracks[0].tiers;
    let qualifies =
        |requirement: &Requirement| partner.explain(requirement, as_of).outcome == Outcome::Met;
    let reached = tiers
        .iter()
        .find(|tier| tier.qualification.as_ref().is_none_or(qualifies));
    reached.unwrap().id.to_string()
}

/// Everything that silver asks for but revenue and certifications.
fn silver_otherwise() -> Partner {
    Partner::with([
        fact("reference", "r1").on("held", "2024-05-01"),
        fact("reference", "r2").on("held", "2026-05-01"),
        fact("review", "b1").on("held", "2026-06-01"),
        fact("campaign", "c1").on("held", "2026-02-01"),
        fact("campaign", "c2").on("held", "2026-03-01"),
    ])
    .attribute("executive_sponsor", "vp")
}

fn silver(advanced: usize, revenue: &str) -> Partner {
    let mut partner = silver_otherwise();
    for person in 0..3 {
        let level = if person < advanced {
            "Advanced"
        } else {
            "Associate"
        };
        let held = certified(&format!("person {person}"), "core").field("level", level);
        partner.facts.push(held.on("expires", "2026-12-31"));
    }
    partner.facts.push(won("d1", revenue, "2026-02-15"));
    partner
}

#[test]
fn both_programs_are_sound() {
    for file in ["three-tier.yaml", "three-tier-revenue.yaml"] {
        let program = program(file);
        tierline_domain::program::validate(&program).unwrap();
        for tier in &program.tracks[0].tiers {
            for requirement in tier.qualification.iter().chain(&tier.retention) {
                requirement.check().unwrap();
            }
        }
    }
}

#[test]
fn exactly_100_000_at_both_quarter_ends_reaches_silver() {
    for file in ["three-tier.yaml", "three-tier-revenue.yaml"] {
        let program = program(file);
        assert_eq!(
            tier(&program, &silver(1, "100000.00"), "2026-07-01"),
            "silver"
        );
        assert_eq!(
            tier(&program, &silver(1, "99999.99"), "2026-07-01"),
            "bronze"
        );
    }
}

#[test]
fn one_cent_below_at_one_of_the_quarter_ends_does_not_reach_silver() {
    let program = program("three-tier-revenue.yaml");
    // 100,000 at the end of March; at the end of June 60,000.01 have left and 60,000 came.
    let partner = Partner::with([
        won(1, "60000.01", "2025-05-01"),
        won(2, "39999.99", "2026-01-01"),
        won(3, "60000", "2026-06-30"),
    ]);
    let explanation = partner.explain(&qualification(&program, "silver"), "2026-07-01");
    assert_eq!(explanation.outcome, Outcome::Unmet);
    let outcomes: Vec<_> = explanation
        .children
        .iter()
        .map(|child| child.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Unmet, Outcome::Met]);
}

#[test]
fn only_won_deals_that_the_partner_sourced_count() {
    let program = program("three-tier-revenue.yaml");
    let influenced = won(1, "600000", "2026-01-01").field("source", "influenced");
    let open = won(2, "600000", "2026-01-01").state("approved");
    let partner = Partner::with([influenced, open, won(3, "100000", "2026-01-01")]);
    assert_eq!(tier(&program, &partner, "2026-07-01"), "silver");
}

#[test]
fn three_certified_of_whom_none_is_advanced_stay_bronze() {
    let program = program("three-tier.yaml");
    assert_eq!(tier(&program, &silver(0, "100000"), "2026-07-01"), "bronze");
    assert_eq!(tier(&program, &silver(1, "100000"), "2026-07-01"), "silver");
}

#[test]
fn a_certificate_that_expired_yesterday_does_not_count_today() {
    let program = program("three-tier.yaml");
    let mut partner = silver(1, "100000");
    partner
        .facts
        .push(fact("review", "b2").on("held", "2026-12-01"));
    assert_eq!(tier(&program, &partner, "2026-12-31"), "silver");
    assert_eq!(tier(&program, &partner, "2027-01-01"), "bronze");
}

#[test]
fn each_of_the_other_requirements_of_silver_is_needed() {
    let program = program("three-tier.yaml");
    for missing in ["r1", "b1", "c1", "d1"] {
        let mut partner = silver(1, "100000");
        partner.facts.retain(|fact| fact.id != missing);
        assert_eq!(
            tier(&program, &partner, "2026-07-01"),
            "bronze",
            "{missing}"
        );
    }
    let mut nobody = silver(1, "100000");
    nobody.attributes.clear();
    let explanation = nobody.explain(&qualification(&program, "silver"), "2026-07-01");
    assert_eq!(explanation.outcome, Outcome::Unknown);
    assert_eq!(tier(&program, &nobody, "2026-07-01"), "bronze");
}

#[test]
fn gold_takes_everything_of_the_strategic_tier() {
    let program = program("three-tier.yaml");
    let mut partner = silver(0, "500000").attribute("executive_sponsor", " c-LEVEL");
    for person in ["four", "five"] {
        partner.facts.push(certified(person, "core"));
    }
    for id in ["r3", "r4", "r5"] {
        partner
            .facts
            .push(fact("reference", id).on("held", "2026-05-01"));
    }
    for (id, held) in [
        ("c3", "2025-07-01"),
        ("c4", "2025-12-31"),
        ("c5", "2026-06-30"),
    ] {
        partner.facts.push(fact("campaign", id).on("held", held));
    }
    assert_eq!(tier(&program, &partner, "2026-07-01"), "gold");
    partner.facts.retain(|fact| fact.id != "c4");
    assert_eq!(tier(&program, &partner, "2026-07-01"), "bronze");
    // Without anybody of level Advanced not even silver.
    partner
        .facts
        .push(certified("six", "core").field("level", "advanced"));
    assert_eq!(tier(&program, &partner, "2026-07-01"), "silver");
}

#[test]
fn silver_is_at_risk_below_75_000_at_two_quarter_ends_and_recovers_on_the_day() {
    for file in ["three-tier.yaml", "three-tier-revenue.yaml"] {
        let keeps = retention(&program(file), "silver");
        let at_risk = silver(1, "74999.99");
        assert_eq!(
            at_risk.explain(&keeps, "2026-07-01").outcome,
            Outcome::Unmet
        );
        assert_eq!(
            silver(1, "75000").explain(&keeps, "2026-07-01").outcome,
            Outcome::Met
        );
        // A deal in the notice lifts the rolling twelve months to 75,000.00 on its day.
        let mut saved = at_risk.clone();
        saved.facts.push(won("d2", "0.01", "2026-07-30"));
        let on = |date: &str, mode| saved.naive(&keeps, day(date), mode).explanation.outcome;
        assert_eq!(on("2026-07-29", Mode::AsOfToday), Outcome::Unmet);
        assert_eq!(on("2026-07-30", Mode::AsOfToday), Outcome::Met);
        assert_eq!(on("2026-07-30", Mode::AtPeriodEnds), Outcome::Unmet);
    }
}

#[test]
fn one_quarter_end_below_75_000_does_not_put_silver_at_risk() {
    let keeps = retention(&program("three-tier-revenue.yaml"), "silver");
    let partner = Partner::with([won(1, "75000", "2025-05-01"), won(2, "1", "2026-06-01")]);
    assert_eq!(partner.explain(&keeps, "2026-07-01").outcome, Outcome::Met);
    assert_eq!(
        partner.explain(&keeps, "2026-10-01").outcome,
        Outcome::Unmet
    );
}

#[test]
fn two_cycles_without_a_review_put_a_tier_at_risk() {
    let keeps = retention(&program("three-tier.yaml"), "silver");
    let mut partner = silver(1, "100000");
    for fact in &mut partner.facts {
        fact.dates.remove("expires");
    }
    partner.facts.push(won("d2", "100000", "2026-12-01"));
    assert_eq!(partner.explain(&keeps, "2027-05-31").outcome, Outcome::Met);
    assert_eq!(
        partner.explain(&keeps, "2027-06-01").outcome,
        Outcome::Unmet
    );
}

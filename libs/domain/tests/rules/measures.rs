//! Measures out of groups, of other measures, of what lasts, and of persons in roles.

use tierline_domain::TierId;
use tierline_domain::rules::{Fact, Outcome, Requirement};

use crate::given::{Partner, With, certified, day, fact, measured, number, requirement};

/// A criterion over a measure, written in one line.
fn criterion(measure: &str, needs: &str) -> Requirement {
    requirement(&format!(
        "criterion: {{id: c, name: C, measure: {measure}, needs: {needs}}}"
    ))
}

const DEALS: &str = "{kind: deal, date: closed, window: all_time}";

fn deal(id: u32, customer: &str, amount: &str, closed: &str) -> Fact {
    fact("deal", id)
        .state("won")
        .amount(amount, "USD")
        .on("closed", closed)
        .field("customer", customer)
}

fn value(partner: &Partner, measure: &str, as_of: &str) -> Option<String> {
    let tree = partner.explain(&criterion(measure, "{gte: 0}"), as_of);
    measured(&tree).map(|number| number.to_string())
}

fn customer(id: &str, acquired: &str, lost: Option<&str>) -> Fact {
    let fact = fact("customer", id).on("acquired", acquired);
    match lost {
        Some(day) => fact.on("lost", day),
        None => fact,
    }
}

#[test]
fn a_ratio_without_a_whole_is_what_the_program_says() {
    let partner = Partner::with([]);
    let ratio = |when: &str| {
        let count = format!("{{count: {{facts: {DEALS}}}}}");
        format!("{{ratio: {{of: {count}, to: {count}, when_zero: {when}}}}}")
    };
    let outcome = |when: &str| {
        let tree = partner.explain(&criterion(&ratio(when), "{gte: 0.5}"), "2026-06-30");
        tree.outcome
    };
    assert_eq!(outcome("not_applicable"), Outcome::NotApplicable);
    assert_eq!(outcome("zero"), Outcome::Unmet);
    assert_eq!(outcome("one"), Outcome::Met);
}

#[test]
fn what_is_left_of_customers_is_measured_on_the_same_customers() {
    let partner = Partner::with([
        customer("a", "2024-01-01", None),
        customer("b", "2024-01-01", Some("2026-06-29")),
        customer("c", "2025-01-01", Some("2026-06-30")),
        customer("d", "2020-01-01", None),
    ]);
    let window = "{rolling_months: 36}";
    let active =
        format!("in_force: {{kind: customer, from: acquired, until: lost, began: {window}}}");
    let all = format!("count: {{facts: {{kind: customer, date: acquired, window: {window}}}}}");
    let ratio = format!("{{ratio: {{of: {{{active}}}, to: {{{all}}}}}}}");
    // The last day is a day on which it is in force still.
    let as_of = |day: &str| value(&partner, &ratio, day).unwrap();
    assert_eq!(as_of("2026-06-29"), "1");
    assert_eq!(as_of("2026-06-30"), "0.6666666667");
    assert_eq!(as_of("2026-07-01"), "0.3333333333");
}

#[test]
fn what_was_kept_over_a_year_is_told_from_what_there_was_at_its_start() {
    let partner = Partner::with([
        customer("kept", "2025-01-01", None),
        customer("lost", "2025-01-01", Some("2026-03-01")),
        customer("new", "2026-02-01", None),
    ]);
    let lasting = |when: &str| {
        let measure = format!(
            "{{in_force: {{kind: customer, from: acquired, until: lost, when: {{{when}: \
             {{current: year}}}}}}}}"
        );
        value(&partner, &measure, "2026-06-30").unwrap()
    };
    assert_eq!(lasting("before"), "2");
    assert_eq!(lasting("throughout"), "1");
    assert_eq!(lasting("within"), "3");
}

/// A customer as it is recorded: its dates are attributes.
fn recorded(id: &str, acquired: &str, lost: Option<&str>) -> Fact {
    let fact = fact("customer", id)
        .on("held", "2026-06-01")
        .field("acquired", day(acquired));
    match lost {
        Some(lost) => fact.field("lost", day(lost)),
        None => fact,
    }
}

#[test]
fn dates_that_are_attributes_count_like_those_of_the_thing() {
    let partner = |made: fn(&str, &str, Option<&str>) -> Fact| {
        Partner::with([
            made("a", "2024-01-01", None),
            made("b", "2024-01-01", Some("2026-06-29")),
            made("c", "2025-12-01", Some("2026-05-31")),
        ])
    };
    let (named, attributes) = (partner(customer), partner(recorded));
    let facts = "{kind: customer, date: acquired, window: {rolling_months: 36}}";
    let stayed = "{kind: customer, date: acquired, window: all_time, \
                  after: {months: 6, unless: lost}}";
    let acquired = "{field: {name: acquired_date, is: {gte: {date: 2025-01-01}}}}";
    for (measure, expected) in [
        (
            "{in_force: {kind: customer, from: acquired, until: lost}}".to_owned(),
            "1",
        ),
        (format!("{{count: {{facts: {facts}}}}}"), "3"),
        (format!("{{days_since: {{facts: {facts}}}}}"), "211"),
        (format!("{{count: {{facts: {stayed}}}}}"), "2"),
        (
            format!(
                "{{in_force: {{kind: customer, from: acquired, until: lost, \
                     when: {{within: {{current: year}}}}, where: {acquired}}}}}"
            ),
            "1",
        ),
    ] {
        let as_of = |partner: &Partner| value(partner, &measure, "2026-06-30");
        assert_eq!(as_of(&attributes).as_deref(), Some(expected), "{measure}");
        assert_eq!(as_of(&attributes), as_of(&named), "{measure}");
    }
}

#[test]
fn a_date_of_the_thing_goes_before_an_attribute_of_the_same_name() {
    let deal = deal(1, "a", "5", "2026-06-01").field("closed", day("2020-01-01"));
    assert_eq!(deal.date("closed"), Some(day("2026-06-01")));
    let attribute = Some(tierline_domain::rules::Value::Date(day("2020-01-01")));
    assert_eq!(Fact::field(&deal, "closed"), attribute);
}

#[test]
fn the_median_is_over_customers_and_not_over_deals() {
    let partner = Partner::with([
        deal(1, "a", "10", "2026-01-01"),
        deal(2, "A ", "20", "2026-01-02"),
        deal(3, "b", "100", "2026-01-03"),
        deal(4, "c", "7", "2026-01-04"),
    ]);
    let by_customer = format!("{{facts: {DEALS}, by: customer, of: amount}}");
    let groups = |take: &str| format!("{{groups: {{groups: {by_customer}, take: {take}}}}}");
    let as_of = |take: &str| value(&partner, &groups(take), "2026-06-30").unwrap();
    assert_eq!(as_of("median"), "30");
    assert_eq!(as_of("minimum"), "7");
    assert_eq!(as_of("maximum"), "100");
    let big = format!("{{count_groups: {{groups: {by_customer}, each: {{gte: 30}}}}}}");
    assert_eq!(value(&partner, &big, "2026-06-30").unwrap(), "2");
}

#[test]
fn points_have_weights_and_caps_and_a_fact_counts_for_the_first_line_that_takes_it() {
    let partner = Partner::with([
        deal(1, "a", "250", "2026-01-01").field("source", "sourced"),
        deal(2, "a", "250", "2026-01-02").field("source", "assisted"),
        deal(3, "b", "1000", "2026-01-03").field("source", "assisted"),
    ]);
    let line = |name: &str, filter: &str, rest: &str| {
        format!(
            "{{name: {name}, facts: {{kind: deal, where: {filter}, date: closed, window: \
             all_time}}, {rest}}}"
        )
    };
    let sourced = "{field: {name: source, is: {equals: sourced}}}";
    let points = |rest: &str, take: &str| {
        let whole = "points: 5, per: {each: 100, of: amount, whole: true}";
        let table = [
            line("sourced", sourced, whole),
            line("any", "{all: []}", rest),
        ]
        .join(", ");
        let measure = format!("{{points: {{table: [{table}], take: {take}}}}}");
        value(&partner, &measure, "2026-06-30")
    };
    // Two whole hundreds of 250 for the first line, ten and two and a half for the second.
    let by_amount = "points: 1, per: {each: 100, of: amount}";
    assert_eq!(points(by_amount, "first").unwrap(), "22.5");
    assert_eq!(points(by_amount, "every").unwrap(), "25");
    assert_eq!(
        points(&format!("{by_amount}, most: 4"), "first").unwrap(),
        "14"
    );
    let per_customer = format!("{by_amount}, most_per: {{key: customer, most: 3}}");
    assert_eq!(points(&per_customer, "first").unwrap(), "15.5");
    assert_eq!(points("points: 7, first: 1", "first").unwrap(), "17");
}

#[test]
fn growth_is_against_the_same_days_a_year_before() {
    let partner = Partner::with([
        deal(1, "a", "1000", "2025-03-31"),
        deal(2, "a", "1259", "2026-03-31"),
    ]);
    let sum = "{sum: {facts: {kind: deal, date: closed, window: {current: quarter}}, of: amount}}";
    let growth = |rest: &str| {
        let measure = format!("{{growth: {{of: {sum}{rest}}}}}");
        value(&partner, &measure, "2026-03-31")
    };
    assert_eq!(growth("").unwrap(), "25.9");
    assert_eq!(growth(", step: 10").unwrap(), "20");
    assert_eq!(growth(", minimum_base: 1000.01"), None);
}

#[test]
fn one_person_fills_one_seat() {
    let roles = "{roles: {roles: [
        {name: Sales, where: {field: {name: certification, is: {equals: sales}}}},
        {name: Technical, seats: 2, where: {field: {name: certification, is: {equals: tech}}}}]}}";
    let seats = |facts: Vec<Fact>| value(&Partner::with(facts), roles, "2026-06-30").unwrap();
    let both = || vec![certified("ann", "sales"), certified("ann", "tech")];
    assert_eq!(seats(both()), "1");
    let mut three = both();
    three.extend([certified("bob", "tech"), certified("cal", "tech")]);
    // Ann sells, so that both others have a seat.
    assert_eq!(seats(three), "3");
}

#[test]
fn validity_is_by_the_day_of_the_award() {
    let measure = "{persons_certified: {validity: [{months: 24}, {awarded_from: 2017-09-02, \
                   months: 36}, {awarded_from: 2024-04-01, months: 24}]}}";
    let valid = |awarded: &str, as_of: &str| {
        let partner = Partner::with([certified("ann", "cka").on("awarded", awarded)]);
        value(&partner, measure, as_of).unwrap() == "1"
    };
    for (awarded, last, first_over) in [
        ("2017-09-01", "2019-08-31", "2019-09-01"),
        ("2017-09-02", "2020-09-01", "2020-09-02"),
        ("2024-04-01", "2026-03-31", "2026-04-01"),
    ] {
        assert!(valid(awarded, last), "{awarded} {last}");
        assert!(!valid(awarded, first_over), "{awarded} {first_over}");
    }
}

#[test]
fn something_sustained_for_longer_than_six_months_is_not_there_at_six() {
    let partner = Partner::with([deal(1, "a", "1", "2026-01-15")]);
    let sustained = |rest: &str| {
        requirement(&format!(
            "sustained: {{duration: {{months: 6}}{rest}, holds: {{criterion: {{id: c, name: C, \
             measure: {{count: {{facts: {DEALS}}}}}, needs: {{gte: 1}}}}}}}}"
        ))
    };
    let outcome = |rest: &str, as_of: &str| partner.explain(&sustained(rest), as_of).outcome;
    assert_eq!(outcome("", "2026-07-14"), Outcome::Unmet);
    assert_eq!(outcome("", "2026-07-15"), Outcome::Met);
    assert_eq!(outcome(", longer: true", "2026-07-15"), Outcome::Unmet);
    assert_eq!(outcome(", longer: true", "2026-07-16"), Outcome::Met);
    let unmet = partner.evaluate(&sustained(""), "2026-02-01");
    assert_eq!(unmet.next_change, Some(day("2026-07-15")));
}

#[test]
fn every_product_with_sales_needs_a_certified_person() {
    let each = requirement(
        "
for_each:
  groups: {facts: {kind: deal, date: closed, window: all_time}, by: product, of: amount}
  having: {gte: 100}
  holds:
    criterion:
      id: covered
      name: Certified for it
      measure: {persons_certified: {same: certification}}
      needs: {gte: 1}
",
    );
    let sold = |id: u32, product: &str, amount: &str| {
        deal(id, "a", amount, "2026-01-01").field("product", product)
    };
    let mut partner = Partner::with([
        sold(1, "Core", "100"),
        sold(2, "Cloud", "99"),
        certified("ann", "core").on("awarded", "2026-01-01"),
    ]);
    assert_eq!(partner.explain(&each, "2026-06-30").outcome, Outcome::Met);
    partner.facts.push(sold(3, "Cloud", "1"));
    let tree = partner.explain(&each, "2026-06-30");
    assert_eq!(tree.outcome, Outcome::Unmet);
    assert_eq!(tree.children[0].name.as_deref(), Some("Cloud"));
    assert!(
        tree.sentence().contains("1 of 2 groups"),
        "{}",
        tree.sentence()
    );
    let nobody = Partner::with([]);
    assert_eq!(
        nobody.explain(&each, "2026-06-30").outcome,
        Outcome::NotApplicable
    );
}

#[test]
fn consecutive_years_in_a_tier_are_whole_and_without_a_gap() {
    let years = |tiers: &[(&str, &str)]| {
        let mut partner = Partner::with([]);
        let tier = |id: &str| TierId::parse(id).unwrap();
        let held = tiers.iter().map(|(id, since)| (tier(id), day(since)));
        partner.tiers = held.collect();
        partner.calendar = partner.calendar.of_enrollment(1, day("2020-03-01"));
        let measure = "{periods_in_tier: {tiers: [silver], unit: partnership_year}}";
        value(&partner, measure, "2024-03-01").unwrap()
    };
    assert_eq!(years(&[("silver", "2020-03-01")]), "4");
    assert_eq!(
        years(&[("express", "2020-03-01"), ("silver", "2021-03-01")]),
        "3"
    );
    assert_eq!(
        years(&[("express", "2020-03-01"), ("silver", "2021-03-02")]),
        "2"
    );
    let gap = [
        ("silver", "2020-03-01"),
        ("express", "2021-03-01"),
        ("silver", "2022-03-01"),
    ];
    assert_eq!(years(&gap), "2");
}

#[test]
fn scores_are_weighed_and_a_gate_closes_them() {
    let partner = |certified: &str| {
        Partner::with([deal(1, "a", "50", "2026-01-01")])
            .attribute("csat", number("90"))
            .attribute("audited", certified)
    };
    let sum = format!("{{sum: {{facts: {DEALS}, of: amount}}}}");
    let score = format!(
        "{{gate: {{when: {{partner: {{id: g, name: G, where: {{field: {{name: audited, is: \
         {{equals: yes it is}}}}}}}}}}, of: {{weighted: [
           {{name: Sales, weight: 3, of: {{linear: {{of: {sum}, table: [{{at: 0, gives: 0}}, \
         {{at: 100, gives: 100}}]}}}}}},
           {{name: Satisfaction, weight: 1, of: {{steps: {{of: {{partner_number: {{attribute: \
         csat}}}}, table: [{{from: 80, gives: 70}}, {{from: 90, gives: 100}}]}}}}}}]}}}}}}"
    );
    // (3 x 50 + 1 x 100) / 4
    assert_eq!(
        value(&partner("yes it is"), &score, "2026-06-30").unwrap(),
        "62.5"
    );
    assert_eq!(value(&partner("no"), &score, "2026-06-30").unwrap(), "0");
}

#[test]
fn what_is_asked_for_elsewhere_does_not_count_and_what_is_not_offered_is_out_of_reach() {
    let place = |otherwise: &str| {
        requirement(&format!(
            "where: {{where: {{field: {{name: region, is: {{equals: emea}}}}}}, from: 2026-01-01, \
             otherwise: {otherwise}, holds: {{criterion: {{id: c, name: C, measure: \
             months_in_program, needs: {{gte: 0}}}}}}}}"
        ))
    };
    let at = |region: &str, as_of: &str, otherwise: &str| {
        let partner = Partner::with([]).attribute("region", region);
        partner.explain(&place(otherwise), as_of).outcome
    };
    assert_eq!(at("EMEA", "2026-01-01", "unmet"), Outcome::Met);
    assert_eq!(at("EMEA", "2025-12-31", "unmet"), Outcome::Unmet);
    assert_eq!(
        at("APAC", "2026-01-01", "not_applicable"),
        Outcome::NotApplicable
    );
    let nowhere = Partner::with([]).explain(&place("unmet"), "2026-01-01");
    assert_eq!(nowhere.outcome, Outcome::Unknown);
}

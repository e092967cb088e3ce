//! What explanations say, and the form in which they are stored.

use tierline_domain::rules::{Explanation, Outcome};

use crate::given::{Partner, With, certified, requirement, won};

const REVENUE: &str = "criterion: {id: revenue, name: Partner-sourced revenue, measure: {sum:
  {facts: {kind: deal, date: closed, window: {rolling_months: 12}}, of: amount}},
  needs: {gte: 100000}}";

#[test]
fn a_criterion_says_what_was_measured_what_is_needed_where_and_what_is_missing() {
    let partner = Partner::with([won(1, "99999.99", "2026-01-01")]);
    let explanation = partner.explain(&requirement(REVENUE), "2026-09-30");
    assert_eq!(
        explanation.sentence(),
        "Partner-sourced revenue, rolling 12 months: 99,999.99 USD of at least 100,000.00 USD \
         from 2025-10-01 to 2026-09-30; 0.01 USD missing."
    );
    assert_eq!(explanation.measured_text().unwrap(), "99,999.99 USD");
    assert_eq!(explanation.required_text(), "at least 100,000.00 USD");
    assert_eq!(explanation.gap_text().unwrap(), "0.01 USD");
}

#[test]
fn what_is_just_below_a_threshold_never_reads_as_the_threshold() {
    let partner = Partner::with([won(1, "99999.9999", "2026-01-01")]);
    let explanation = partner.explain(&requirement(REVENUE), "2026-09-30");
    assert_eq!(explanation.measured_text().unwrap(), "99,999.9999 USD");
    assert_eq!(explanation.gap_text().unwrap(), "0.0001 USD");
    assert_eq!(explanation.percent, Some(99));
}

#[test]
fn what_was_left_out_is_said() {
    let partner = Partner::with([
        won(1, "1", "2026-01-01").amount("5", "ISK"),
        won(2, "1", "2026-01-01").amount("5", "GBP"),
        won(3, "10", "2026-01-01"),
    ]);
    let explanation = partner.explain(&requirement(REVENUE), "2026-09-30");
    let sentence = explanation.sentence();
    assert!(
        sentence.ends_with("; 2 facts could not be converted."),
        "{sentence}"
    );
}

#[test]
fn parts_are_said_with_the_whole() {
    let professionals = requirement(
        "criterion: {id: p, name: Certified professionals, measure: {persons_certified: {}},
         needs: {gte: 3}, of_which: [{name: Advanced,
         where: {field: {name: level, is: {equals: Advanced}}}, needs: {gte: 1}}]}",
    );
    let partner = Partner::with(["ann", "bob", "cleo"].map(|person| certified(person, "core")));
    let explanation = partner.explain(&professionals, "2026-09-30");
    assert_eq!(explanation.outcome, Outcome::Unmet);
    assert_eq!(explanation.percent, Some(50));
    assert_eq!(
        explanation.sentence(),
        "Certified professionals: 3 persons, of which 0 Advanced of at least 3 persons, of which \
         at least 1 Advanced; 1 Advanced missing."
    );
}

#[test]
fn a_group_names_what_decided_it() {
    let both = requirement(&format!(
        "all: [{{{REVENUE}}}, {{partner: {{id: sponsor, name: Executive sponsor,
         where: {{field: {{name: executive_sponsor, is: {{includes_any: [VP, C-level]}}}}}}}}}}]"
    ));
    let partner = Partner::with([won(1, "100000", "2026-01-01")]);
    let explanation = partner.explain(&both, "2026-09-30");
    assert_eq!(
        explanation.sentence(),
        "1 of 2 requirements is not known to be met: Executive sponsor: not known; needs \
         executive_sponsor is one of VP, C-level."
    );
    let partner = partner.attribute("executive_sponsor", "VP");
    let explanation = partner.explain(&both, "2026-09-30");
    assert!(
        explanation
            .sentence()
            .starts_with("All 2 requirements are met: Partner-sourced revenue, rolling")
    );
    assert_eq!(
        explanation.children[1].measured_text().unwrap(),
        "executive_sponsor: VP"
    );
}

#[test]
fn a_stored_explanation_is_compact_and_reads_back_the_same() {
    let partner = Partner::with([won(1, "100000", "2026-01-01")]);
    let explanation = partner.explain(&requirement(REVENUE), "2026-09-30");
    let json = serde_json::to_string(&explanation).unwrap();
    let digest = explanation.value.as_ref().unwrap().digest;
    assert_eq!(
        json,
        format!(
            "{{\"kind\":\"criterion\",\"id\":\"revenue\",\"name\":\"Partner-sourced revenue\",\
             \"outcome\":\"met\",\"percent\":100,\"value\":{{\"number\":\"100000\",\
             \"unit\":{{\"money\":\"USD\"}},\"needs\":{{\"gte\":\"100000\"}},\
             \"window\":{{\"rolling_months\":12}},\
             \"days\":{{\"from\":\"2025-10-01\",\"to\":\"2026-09-30\"}},\
             \"counted\":1,\"digest\":\"{digest}\"}}}}"
        )
    );
    assert_eq!(
        serde_json::from_str::<Explanation>(&json).unwrap(),
        explanation
    );
}

#[test]
fn the_digest_names_the_facts_that_counted_and_nothing_else() {
    let revenue = requirement(REVENUE);
    let digest = |facts: Vec<_>| {
        let explanation = Partner::with(facts).explain(&revenue, "2026-09-30");
        explanation.value.unwrap().digest
    };
    let first = won(1, "10", "2026-01-01");
    let second = won(2, "20", "2026-01-02");
    let both = digest(vec![first.clone(), second.clone()]);
    assert_eq!(digest(vec![second.clone(), first.clone()]), both);
    let old = won(3, "20", "2020-01-02");
    assert_eq!(digest(vec![first.clone(), second.clone(), old]), both);
    let mut amended = second;
    amended.version = 2;
    assert_ne!(digest(vec![first, amended]), both);
    assert!(digest(Vec::new()).is_empty());
}

#[test]
fn the_digest_of_a_known_fact_is_pinned_because_it_is_stored() {
    let explanation = Partner::with([won(1, "100000.00", "2026-01-01")])
        .explain(&requirement(REVENUE), "2026-09-30");
    let digest = explanation.value.unwrap().digest.to_string();
    assert_eq!(digest, PINNED_DIGEST);
}

const PINNED_DIGEST: &str = "7951fc6a62e48436d35f15b6b38f034ec6a6b810afb1fa1d90b21070b0e2c056";

#[test]
fn the_key_of_a_known_series_is_pinned_because_rows_are_found_by_it() {
    let usd = tierline_domain::Currency::USD;
    let keys = tierline_domain::rules::series_of(&requirement(REVENUE), usd);
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].key().as_str(), PINNED_KEY);
}

const PINNED_KEY: &str = "9db808d7034ddd0b1deff94aef15ad6c";

#[test]
fn a_bound_that_is_not_inside_reads_as_one() {
    let deals = "{count: {facts: {kind: deal, date: closed, window: all_time}}}";
    let tree = |needs: &str, deals_won: u32| {
        let made = format!("criterion: {{id: c, name: Deals, measure: {deals}, needs: {needs}}}");
        let facts = (0..deals_won).map(|id| won(id, "1", "2026-01-15"));
        Partner::with(facts).explain(&requirement(&made), "2026-06-30")
    };
    for (needs, number, sentence, gap) in [
        ("{lt: 3}", 2, "2, needs less than 3", None),
        (
            "{lt: 3}",
            3,
            "3, needs less than 3",
            Some("exactly 3 is too much"),
        ),
        (
            "{lt: 3}",
            5,
            "5, needs less than 3",
            Some("more than 2 too much"),
        ),
        ("{gt: 3}", 4, "4, needs more than 3", None),
        (
            "{gt: 3}",
            3,
            "3, needs more than 3",
            Some("exactly 3 is not enough"),
        ),
        (
            "{gt: 3}",
            1,
            "1, needs more than 3",
            Some("more than 2 missing"),
        ),
        ("{gte: 3}", 1, "1 of at least 3", Some("2 missing")),
        ("{lte: 3}", 5, "5 of at most 3", Some("2 too much")),
    ] {
        let gap = gap.map(|gap| format!("; {gap}")).unwrap_or_default();
        let expected = format!("Deals, all time: {sentence} up to 2026-06-30{gap}.");
        assert_eq!(tree(needs, number).sentence(), expected);
    }
    assert_eq!(tree("{gt: 3}", 3).gap_text().unwrap(), "anything above 3");
    assert_eq!(
        tree("{lt: 3}", 3).gap_text().unwrap(),
        "everything from 3 on"
    );
}

#[test]
fn a_group_is_named_as_the_first_of_its_facts_has_it_written() {
    let each = requirement(
        "for_each: {groups: {facts: {kind: deal, date: closed, window: {rolling_months: 12}}, \
         by: customer}, holds: {criterion: {id: c, name: C, needs: {gte: 5}, measure: {count: \
         {facts: {kind: deal, date: closed, window: all_time, same: customer}}}}}}",
    );
    let deal = |id, customer, closed| won(id, "1", closed).field("customer", customer);
    let partner = Partner::with([
        deal(1, "ACME ", "2026-03-01"),
        deal(2, " Acme GmbH", "2026-02-01"),
        deal(3, "acme", "2026-04-01"),
        deal(4, "Acme", "2025-01-01"),
        deal(5, "ACME GMBH", "2026-02-02"),
    ]);
    let names = |as_of: &str| -> Vec<String> {
        let tree = partner.explain(&each, as_of);
        tree.children
            .iter()
            .filter_map(|child| child.name.clone())
            .collect()
    };
    assert_eq!(names("2026-06-30"), ["ACME", "Acme GmbH"]);
    assert_eq!(names("2025-06-30"), ["Acme"]);
}

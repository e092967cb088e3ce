//! Every measure, window and threshold, at its boundaries.

use proptest::prelude::*;
use rust_decimal::Decimal;
use tierline_domain::money::Currency;
use tierline_domain::rules::{Outcome, Value, facts_considered};

use crate::given::{
    Partner, With, certified, currency, day, fact, measured, number, requirement, won,
};

const REVENUE: &str = "
criterion:
  id: revenue
  name: Revenue
  measure: {sum: {facts: {kind: deal, where: {field: {name: state, is: {equals: won}}},
    date: closed, window: {rolling_months: 12}}, of: amount}}
  needs: {gte: 100000}";

fn with_measure(measure: &str, needs: &str) -> tierline_domain::rules::Requirement {
    requirement(&format!(
        "criterion: {{id: it, name: It, measure: {measure}, needs: {needs}}}"
    ))
}

fn value_of(partner: &Partner, measure: &str, as_of: &str) -> Option<Decimal> {
    measured(&partner.explain(&with_measure(measure, "{gte: 1}"), as_of))
}

#[test]
fn a_sum_is_met_exactly_at_the_threshold_and_not_one_cent_below() {
    let revenue = requirement(REVENUE);
    for (amount, outcome, gap, percent) in [
        ("100000.00", Outcome::Met, None, 100),
        ("99999.99", Outcome::Unmet, Some("0.01 USD"), 99),
        ("100000.01", Outcome::Met, None, 100),
        ("0", Outcome::Unmet, Some("100,000.00 USD"), 0),
    ] {
        let partner = Partner::with([won(1, amount, "2026-03-01")]);
        let explanation = partner.explain(&revenue, "2026-06-30");
        assert_eq!(explanation.outcome, outcome, "{amount}");
        assert_eq!(explanation.gap_text().as_deref(), gap);
        assert_eq!(explanation.percent, Some(percent));
    }
    let nobody = Partner::with([]).explain(&revenue, "2026-06-30");
    assert_eq!(nobody.outcome, Outcome::Unmet);
    assert_eq!(measured(&nobody), Some(Decimal::ZERO));
}

#[test]
fn every_threshold_says_whether_its_bound_is_inside() {
    let measure = "{count: {facts: {kind: review, date: held, window: all_time}}}";
    let reviews = |count: usize| {
        Partner::with((0..count).map(|id| fact("review", id).on("held", "2026-01-01")))
    };
    for (needs, met) in [
        ("{gte: 2}", [2, 3].as_slice()),
        ("{gt: 2}", &[3]),
        ("{lte: 2}", &[0, 1, 2]),
        ("{lt: 2}", &[0, 1]),
        ("{between: {from: 1, to: 2}}", &[1, 2]),
        ("{equals: 2}", &[2]),
        ("{gte: 0}", &[0, 1, 2, 3]),
    ] {
        for count in 0..=3 {
            let explanation = reviews(count).explain(&with_measure(measure, needs), "2026-02-01");
            let expected = if met.contains(&count) {
                Outcome::Met
            } else {
                Outcome::Unmet
            };
            assert_eq!(explanation.outcome, expected, "{count} {needs}");
            assert_eq!(explanation.percent == Some(100), expected == Outcome::Met);
            assert_eq!(explanation.gap_text().is_none(), expected == Outcome::Met);
        }
    }
}

#[test]
fn a_fact_enters_on_its_day_and_leaves_a_year_later() {
    let revenue = requirement(REVENUE);
    let partner = Partner::with([won(1, "100000", "2025-07-01")]);
    let before = partner.evaluate(&revenue, "2025-06-30");
    assert_eq!(before.explanation.outcome, Outcome::Unmet);
    assert_eq!(before.next_change, Some(day("2025-07-01")));
    let inside = partner.evaluate(&revenue, "2025-07-01");
    assert_eq!(inside.explanation.outcome, Outcome::Met);
    assert_eq!(inside.next_change, Some(day("2026-07-01")));
    let last = partner.evaluate(&revenue, "2026-06-30");
    assert_eq!(last.explanation.outcome, Outcome::Met);
    let left = partner.evaluate(&revenue, "2026-07-01");
    assert_eq!(left.explanation.outcome, Outcome::Unmet);
    assert_eq!(left.next_change, None);
}

#[test]
fn a_deal_of_the_leap_day_counts_for_a_year() {
    let revenue = requirement(REVENUE);
    let partner = Partner::with([won(1, "100000", "2024-02-29")]);
    assert_eq!(
        partner.explain(&revenue, "2025-02-28").outcome,
        Outcome::Met
    );
    assert_eq!(
        partner.explain(&revenue, "2025-03-01").outcome,
        Outcome::Unmet
    );
}

#[test]
fn sums_are_signed_and_exact() {
    let partner = Partner::with([
        won(1, "0.1", "2026-01-01"),
        won(2, "0.2", "2026-01-02"),
        won(3, "-0.3", "2026-01-03"),
    ]);
    let measure = "{sum: {facts: {kind: deal, date: closed, window: all_time}, of: amount}}";
    assert_eq!(
        value_of(&partner, measure, "2026-02-01"),
        Some(Decimal::ZERO)
    );
}

#[test]
fn quantities_and_numeric_fields_are_added_up() {
    let users = |id, quantity: &str, seats: &str| {
        let mut fact = fact("training", id)
            .on("held", "2026-01-01")
            .field("seats", number(seats));
        fact.quantity = Some(number(quantity));
        fact
    };
    let partner = Partner::with([users(1, "80", "1.5"), users(2, "-10", "2.25")]);
    let facts = "facts: {kind: training, date: held, window: all_time}";
    let quantity = format!("{{sum: {{{facts}, of: quantity}}}}");
    assert_eq!(
        value_of(&partner, &quantity, "2026-02-01"),
        Some(number("70"))
    );
    let field = format!("{{sum: {{{facts}, of: {{field: seats}}}}}}");
    assert_eq!(
        value_of(&partner, &field, "2026-02-01"),
        Some(number("3.75"))
    );
}

#[test]
fn distinct_customers_are_told_apart_without_case_and_blanks() {
    let deal = |id, customer: &str, closed| won(id, "10", closed).field("customer", customer);
    let partner = Partner::with([
        deal(1, "Acme", "2026-01-01"),
        deal(2, " ACME ", "2026-01-02"),
        deal(3, "Bolt", "2026-01-02"),
        deal(4, "Core", "2025-01-02"),
    ]);
    let measure = "{count_distinct: {facts: {kind: deal, date: closed,
        window: {rolling_days: 30}}, key: customer}}";
    assert_eq!(value_of(&partner, measure, "2026-01-15"), Some(number("2")));
}

#[test]
fn a_missing_key_makes_a_distinct_count_unknown_only_until_the_known_ones_are_enough() {
    let partner = Partner::with([
        won(1, "10", "2026-01-01").field("customer", "Acme"),
        won(2, "10", "2026-01-01"),
    ]);
    let measure = "{count_distinct: {facts: {kind: deal, date: closed, window: all_time}, \
                   key: customer}}";
    for (needs, outcome) in [
        ("{gte: 1}", Outcome::Met),
        ("{gte: 2}", Outcome::Unknown),
        ("{lte: 0}", Outcome::Unmet),
        ("{lte: 1}", Outcome::Unknown),
        ("{equals: 1}", Outcome::Unknown),
    ] {
        let explanation = partner.explain(&with_measure(measure, needs), "2026-02-01");
        assert_eq!(explanation.outcome, outcome, "{needs}");
        assert_eq!(explanation.value.unwrap().valueless, 1);
    }
}

#[test]
fn windows_of_the_current_period_and_since_enrollment_begin_where_they_say() {
    let mut partner = Partner::with([
        won(1, "1", "2025-12-31"),
        won(2, "10", "2026-01-01"),
        won(3, "100", "2026-02-01"),
        won(4, "1000", "2026-02-28"),
    ]);
    partner.since = day("2026-02-01");
    partner.calendar.fiscal_year_start = 2;
    for (window, sum) in [
        ("{current: month}", "1100"),
        ("{current: quarter}", "1110"),
        ("{current: year}", "1110"),
        ("{current: fiscal_quarter}", "1100"),
        ("{current: fiscal_year}", "1100"),
        ("since_enrollment", "1100"),
        ("all_time", "1111"),
        ("{rolling_days: 1}", "1000"),
        ("{rolling_days: 28}", "1100"),
        ("{rolling_days: 29}", "1100"),
        ("{rolling_months: 1}", "1100"),
        ("{rolling_months: 2}", "1111"),
    ] {
        let measure = format!(
            "{{sum: {{facts: {{kind: deal, date: closed, window: {window}}}, of: amount}}}}"
        );
        let value = value_of(&partner, &measure, "2026-02-28");
        assert_eq!(value, Some(number(sum)), "{window}");
    }
}

#[test]
fn amounts_are_converted_at_the_rate_of_their_day_and_rounded_to_the_cent() {
    let mut partner = Partner::with([
        won(1, "100", "2026-01-05").amount("100", "EUR"),
        won(2, "1", "2026-01-06").amount("1", "JPY"),
        won(3, "5", "2026-01-06"),
    ]);
    let rates = [
        (Currency::USD, number("1.1")),
        (currency("JPY"), number("170")),
    ];
    partner.rates.publish(1, day("2026-01-05"), &rates.into());
    let revenue = requirement(REVENUE);
    let explanation = partner.explain(&revenue, "2026-02-01");
    // 110.00 + 0.0064.. rounded to 0.01 + 5.00
    assert_eq!(measured(&explanation), Some(number("115.01")));
    let converted = explanation.value.unwrap().converted;
    assert_eq!(converted, [(Currency::EUR, 1), (currency("JPY"), 1)].into());
}

#[test]
fn an_amount_without_a_rate_is_unknown_and_never_zero() {
    let kronur = |id| won(id, "0", "2012-06-01").amount("5000000", "ISK");
    let revenue = requirement(REVENUE);
    let alone = Partner::with([kronur(1)]).explain(&revenue, "2012-12-31");
    assert_eq!(alone.outcome, Outcome::Unknown);
    assert_eq!(alone.value.as_ref().unwrap().unconverted, 1);
    let enough = Partner::with([kronur(1), won(2, "100000", "2012-06-01")]);
    assert_eq!(enough.explain(&revenue, "2012-12-31").outcome, Outcome::Met);
}

#[test]
fn a_filter_that_can_not_be_decided_leaves_the_fact_out_and_shows_it() {
    let sourced = requirement(
        "criterion: {id: it, name: It, needs: {gte: 1}, measure: {count: {facts: {kind: deal,
         where: {field: {name: source, is: {equals: partner_sourced}}},
         date: closed, window: all_time}}}}",
    );
    let mut unclear = won(1, "10", "2026-01-01");
    unclear.fields.clear();
    let explanation = Partner::with([unclear]).explain(&sourced, "2026-02-01");
    assert_eq!(explanation.outcome, Outcome::Unmet);
    assert_eq!(explanation.value.unwrap().unclear, 1);
}

#[test]
fn disqualified_and_retracted_facts_count_for_nothing() {
    let mut disqualified = fact("review", 1).on("held", "2026-01-01");
    disqualified.disqualified = Some("held without the customer".to_owned());
    let retracted = fact("review", 2)
        .on("held", "2026-01-01")
        .state("retracted");
    let partner = Partner::with([disqualified, retracted]);
    let measure = "{count: {facts: {kind: review, date: held, window: all_time}}}";
    assert_eq!(
        value_of(&partner, measure, "2026-02-01"),
        Some(Decimal::ZERO)
    );
}

#[test]
fn a_sub_minimum_is_measured_inside_the_same_set() {
    // 9,000 of which 3,000 from two product lines: one below is not enough.
    let sql = requirement(
        "criterion:
           id: sql
           name: SQL consumption
           measure: {sum: {facts: {kind: consumption, where: {field: {name: product,
             is: {includes_any: [vm, mi, db]}}}, date: held, window: {rolling_months: 3}},
             of: amount}}
           needs: {gte: 9000}
           of_which:
             - {name: from MI or DB, where: {field: {name: product,
                 is: {includes_any: [mi, db]}}}, needs: {gte: 3000}}",
    );
    let used = |id, product: &str, amount: &str| {
        fact("consumption", id)
            .on("held", "2026-01-10")
            .field("product", product)
            .amount(amount, "USD")
    };
    for (vm, mi, db, outcome) in [
        ("6000", "1500", "1500", Outcome::Met),
        ("6001", "1500", "1499", Outcome::Unmet),
        ("5999.99", "1500", "1500", Outcome::Unmet),
        ("0", "9000", "0", Outcome::Met),
    ] {
        let partner = Partner::with([used(1, "vm", vm), used(2, "mi", mi), used(3, "db", db)]);
        assert_eq!(
            partner.explain(&sql, "2026-02-01").outcome,
            outcome,
            "{vm} {mi} {db}"
        );
    }
}

#[test]
fn a_certificate_counts_on_its_last_valid_day_and_not_on_the_next() {
    let expiring = certified("ann", "basics").on("expires", "2026-06-30");
    let partner = Partner::with([expiring]);
    let certified = with_measure("{persons_certified: {}}", "{gte: 1}");
    let before = partner.evaluate(&certified, "2025-12-31");
    assert_eq!(before.explanation.outcome, Outcome::Unmet);
    assert_eq!(before.next_change, Some(day("2026-01-01")));
    let last = partner.evaluate(&certified, "2026-06-30");
    assert_eq!(last.explanation.outcome, Outcome::Met);
    assert_eq!(last.next_change, Some(day("2026-07-01")));
    let expired = partner.evaluate(&certified, "2026-07-01");
    assert_eq!(expired.explanation.outcome, Outcome::Unmet);
    assert_eq!(expired.next_change, None);
}

#[test]
fn a_person_needs_different_certifications() {
    let two_each = with_measure("{persons_certified: {at_least: 2}}", "{gte: 4}");
    let ones = (0..16).map(|person| certified(&format!("p{person}"), "basics"));
    let partner = Partner::with(ones.clone());
    assert_eq!(
        measured(&partner.explain(&two_each, "2026-02-01")),
        Some(Decimal::ZERO)
    );
    let mut renewed = certified("p0", "BASICS ");
    renewed.id = "again".to_owned();
    let second = (0..4).map(|person| certified(&format!("P{person}"), "cloud"));
    let partner = Partner::with(ones.chain(second).chain([renewed]));
    assert_eq!(
        measured(&partner.explain(&two_each, "2026-02-01")),
        Some(number("4"))
    );
}

#[test]
fn revoked_certificates_do_not_count() {
    let partner = Partner::with([certified("ann", "basics").state("revoked")]);
    assert_eq!(
        value_of(&partner, "{persons_certified: {}}", "2026-02-01"),
        Some(Decimal::ZERO)
    );
}

#[test]
fn months_tick_on_the_day_of_the_month_or_the_last_of_a_shorter_one() {
    let mut partner = Partner::with([]);
    partner.since = day("2025-08-31");
    let half_a_year = with_measure("months_in_program", "{gte: 6}");
    let before = partner.evaluate(&half_a_year, "2026-02-27");
    assert_eq!(before.explanation.outcome, Outcome::Unmet);
    assert_eq!(before.next_change, Some(day("2026-02-28")));
    assert_eq!(
        before.explanation.measured_text().as_deref(),
        Some("5 months")
    );
    let reached = partner.evaluate(&half_a_year, "2026-02-28");
    assert_eq!(reached.explanation.outcome, Outcome::Met);
    let longer = with_measure("months_in_tier", "{gt: 6}");
    assert_eq!(
        partner.explain(&longer, "2026-02-28").outcome,
        Outcome::Unmet
    );
}

#[test]
fn a_missing_or_textual_attribute_is_unknown() {
    let staff = with_measure("{partner_number: {attribute: staff}}", "{gte: 10}");
    let partner = Partner::with([]);
    assert_eq!(
        partner.explain(&staff, "2026-01-01").outcome,
        Outcome::Unknown
    );
    let textual = partner.clone().attribute("staff", "12");
    assert_eq!(
        textual.explain(&staff, "2026-01-01").outcome,
        Outcome::Unknown
    );
    let numeric = partner.attribute("staff", number("10.0"));
    assert_eq!(numeric.explain(&staff, "2026-01-01").outcome, Outcome::Met);
}

#[test]
fn lists_of_a_fact_are_looked_into() {
    let mut deal = won(1, "10", "2026-01-01");
    let lines = Value::List(vec!["Cloud".to_owned(), "Data".to_owned()]);
    deal.fields.insert("product_lines".to_owned(), lines);
    let measure = "{count: {facts: {kind: deal, where: {field: {name: product_lines, \
                   is: {includes_all: [cloud, data]}}}, date: closed, window: all_time}}}";
    let partner = Partner::with([deal]);
    assert_eq!(
        value_of(&partner, measure, "2026-02-01"),
        Some(Decimal::ONE)
    );
}

#[test]
fn every_fact_is_accounted_for_with_the_reason() {
    let revenue = requirement(REVENUE);
    let tierline_domain::rules::Requirement::Criterion(criterion) = &revenue else {
        panic!("a criterion")
    };
    let mut disqualified = won("disqualified", "1", "2026-01-01");
    disqualified.disqualified = Some("duplicate".to_owned());
    let mut undated = won("undated", "1", "2026-01-01");
    undated.dates.clear();
    let mut partner = Partner::with([
        won("counts", "70", "2026-01-05"),
        won("euro", "1", "2026-01-05").amount("100", "EUR"),
        won("krona", "1", "2026-01-05").amount("100", "ISK"),
        won("old", "1", "2025-01-31"),
        won("future", "1", "2026-02-01"),
        won("lost", "1", "2026-01-05").state("lost"),
        disqualified,
        undated,
        fact("review", "other"),
    ]);
    let rates = [(Currency::USD, number("1.1"))].into();
    partner.rates.publish(1, day("2026-01-02"), &rates);
    let as_of = day("2026-01-31");
    let context = partner.context(as_of, tierline_domain::rules::Mode::AtPeriodEnds);
    let verdicts = facts_considered(criterion, &context, &partner.facts, &partner.rates);
    let reasons: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            (
                verdict.id.as_str(),
                verdict.counted,
                verdict.reason.as_str(),
            )
        })
        .collect();
    let no_rate = "no rate to convert ISK to USD: none for 2026-01-05 or the 10 days before it";
    let counts = "passes the filter, and its date \"closed\" is in the window";
    assert_eq!(
        reasons,
        [
            ("counts", true, counts),
            ("euro", true, counts),
            ("krona", false, no_rate),
            ("old", false, "its date \"closed\" is before the window"),
            ("future", false, "its date \"closed\" is after the window"),
            ("lost", false, "does not pass the filter"),
            ("disqualified", false, "disqualified: duplicate"),
            ("undated", false, "has no date \"closed\""),
        ]
    );
    assert_eq!(verdicts[1].value, Some(number("110")));
    let used = verdicts[1].conversion.unwrap();
    assert_eq!((used.to, used.to_day), (number("1.1"), day("2026-01-02")));
    let sum: Decimal = verdicts.iter().filter_map(|verdict| verdict.value).sum();
    assert_eq!(
        measured(&partner.explain(&revenue, "2026-01-31")),
        Some(sum)
    );
}

#[test]
fn the_business_day_of_a_verdict_is_the_day_of_the_org() {
    // The day on which a fact counts is a civil date; summer time does not move it.
    let mut partner = Partner::with([won(1, "100000", "2026-03-29")]);
    for zone in ["Europe/Vienna", "America/Sao_Paulo", "Pacific/Apia"] {
        partner.calendar.time_zone = zone.to_owned();
        let revenue = requirement(REVENUE);
        assert_eq!(
            partner.explain(&revenue, "2026-03-28").outcome,
            Outcome::Unmet
        );
        assert_eq!(
            partner.explain(&revenue, "2026-03-29").outcome,
            Outcome::Met
        );
    }
}

proptest! {
    #[test]
    fn percent_is_100_exactly_when_met(amount in 0..300_000_i64, cents in 0..100_i64) {
        let amount = Decimal::new(amount * 100 + cents, 2).to_string();
        let partner = Partner::with([won(1, &amount, "2026-01-01")]);
        let explanation = partner.explain(&requirement(REVENUE), "2026-02-01");
        let percent = explanation.percent.unwrap();
        prop_assert!(percent <= 100);
        prop_assert_eq!(percent == 100, explanation.outcome == Outcome::Met);
    }
}

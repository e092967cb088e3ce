use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::activity::certification::Certification;
use crate::activity::deal::{Deal, DealChanges};
use crate::activity::record::Record;
use crate::test_support::run_and_replay;

fn fold<'a, E: 'a>(events: &'a [E]) -> Option<Fact>
where
    ActivityEvent<'a>: From<&'a E>,
{
    events.iter().zip(1..).fold(None, |fact, (event, version)| {
        apply_event(fact, "x1", event.into(), version)
    })
}

/// Equal, and equal in every byte.
fn same(folded: Option<Fact>, derived: Option<Fact>) -> Result<(), TestCaseError> {
    let bytes = |fact: &Option<Fact>| serde_json::to_string(fact).unwrap();
    prop_assert_eq!(bytes(&folded), bytes(&derived));
    prop_assert_eq!(folded, derived);
    Ok(())
}

fn version<E>(events: &[E]) -> u64 {
    events.len() as u64
}

proptest! {
    #[test]
    fn folding_the_events_of_a_deal_gives_the_fact_of_its_state(
        commands in prop::collection::vec(crate::activity::deal::aggregate::deal_commands(), 0..25)
    ) {
        let (deal, events) = run_and_replay::<Deal>(commands);
        same(fold(&events), deal.fact("x1", version(&events)))?;
    }

    #[test]
    fn folding_the_events_of_a_certification_gives_the_fact_of_its_state(
        commands in prop::collection::vec(
            crate::activity::certification::aggregate::certification_commands(), 0..20)
    ) {
        let (certification, events) = run_and_replay::<Certification>(commands);
        same(fold(&events), certification.fact("x1", version(&events)))?;
    }

    #[test]
    fn folding_the_events_of_a_record_gives_the_fact_of_its_state(
        commands in prop::collection::vec(
            crate::activity::record::aggregate::record_commands(), 0..20)
    ) {
        let (record, events) = run_and_replay::<Record>(commands);
        same(fold(&events), record.fact("x1", version(&events)))?;
    }
}

fn sample() -> DealRecord {
    DealRecord {
        external_id: Some("CRM-1".to_owned()),
        state: DealState::Won,
        customer: Some(Customer {
            name: "Globex".to_owned(),
            domain: Some("globex.example".to_owned()),
        }),
        amount: Some(Money::parse("1000.00", "EUR").unwrap()),
        product_lines: vec!["cloud".to_owned(), "support".to_owned()],
        registered_date: Some(date(2026, 1, 10)),
        closed_date: Some(date(2026, 3, 31)),
        attributes: [("segment".to_owned(), Value::text("smb"))].into(),
        ..DealRecord::new("Hundred seats")
    }
}

fn imported(record: DealRecord) -> DealEvent {
    DealEvent::DealImported {
        deal: crate::DealId::parse("x1").unwrap(),
        partner: PartnerId::parse("acme").unwrap(),
        record: Box::new(record),
    }
}

#[test]
fn a_deal_shows_its_dates_its_fields_and_the_orgs_own() {
    let fact = fold(&[imported(sample())]).unwrap();
    assert_eq!(fact.field("state"), Some(Value::text("won")));
    assert_eq!(fact.field("currency"), Some(Value::text("EUR")));
    assert_eq!(fact.field("customer"), Some(Value::text("Globex")));
    assert_eq!(
        fact.field("customer_domain"),
        Some(Value::text("globex.example"))
    );
    assert_eq!(
        fact.field("closed_date"),
        Some(Value::Date(date(2026, 3, 31)))
    );
    assert_eq!(fact.field("segment"), Some(Value::text("smb")));
    assert_eq!(
        fact.field("product_lines"),
        Some(Value::List(vec!["cloud".to_owned(), "support".to_owned()]))
    );
    assert_eq!(fact.field("region"), None);
    assert_eq!(
        (fact.kind.as_str(), fact.id.as_str(), fact.version),
        ("deal", "x1", 1)
    );
}

#[test]
fn a_credit_note_lowers_the_amount_and_a_correction_keeps_it_lowered() {
    let reversed = DealEvent::DealReversed {
        date: date(2026, 4, 1),
        amount: Some("250.5".parse().unwrap()),
        complete: false,
        reason: "returned".to_owned(),
    };
    let amended = DealEvent::DealAmended {
        changes: Box::new(DealChanges {
            amount: Some(Some(Money::parse("2000", "EUR").unwrap())),
            ..DealChanges::default()
        }),
    };
    let fact = fold(&[imported(sample()), reversed, amended]).unwrap();
    assert_eq!(fact.amount, Some(Money::parse("1749.5", "EUR").unwrap()));
    assert_eq!(
        fact.field("reversed_amount"),
        Some(Value::Number("250.5".parse().unwrap()))
    );
    assert_eq!(fact.version, 3);
}

#[test]
fn attributes_that_were_replaced_are_gone() {
    let amended = DealEvent::DealAmended {
        changes: Box::new(DealChanges {
            attributes: Some([("tier".to_owned(), Value::Flag(true))].into()),
            ..DealChanges::default()
        }),
    };
    let fact = fold(&[imported(sample()), amended]).unwrap();
    assert_eq!(fact.field("segment"), None);
    assert_eq!(fact.field("tier"), Some(Value::Flag(true)));
}

#[test]
fn an_event_about_a_thing_never_seen_gives_no_fact() {
    let won = DealEvent::DealWon {
        closed_date: date(2026, 3, 31),
        amount: None,
    };
    assert_eq!(fold(&[won]), None);
}

#[test]
fn an_unknown_event_leaves_the_fact_as_it_is() {
    let unknown = DealEvent::Unknown {
        event_type: "tierline.activity.v1.DealDisputed".to_owned(),
        payload: serde_json::Value::Null,
    };
    let events = [imported(sample()), unknown];
    assert_eq!(fold(&events), fold(&events[..1]));
}

#[test]
fn the_first_event_of_each_kind_names_the_partner() {
    let event = imported(sample());
    let event = ActivityEvent::from(&event);
    assert_eq!(event.partner().map(PartnerId::as_str), Some("acme"));
    let approved = DealEvent::DealApproved {
        approved_date: date(2026, 1, 12),
    };
    assert_eq!(ActivityEvent::from(&approved).partner(), None);
}

#[test]
fn built_in_field_names_are_reserved_so_that_attributes_cannot_shadow_them() {
    let fact = fold(&[imported(DealRecord {
        customer: sample().customer,
        source: Some(crate::activity::DealSource::Influenced),
        region: Some("EMEA".to_owned()),
        reversed_amount: 1.into(),
        approved_date: Some(date(2026, 1, 12)),
        expected_close_date: Some(date(2026, 1, 12)),
        attributes: BTreeMap::new(),
        ..sample()
    })])
    .unwrap();
    for name in fact.fields.keys() {
        assert!(
            deal::check::RESERVED_FIELDS.contains(&name.as_str()),
            "{name}"
        );
    }
    for name in fact.dates.keys().map(|name| format!("{name}_date")) {
        assert!(
            deal::check::RESERVED_FIELDS.contains(&name.as_str()),
            "{name}"
        );
    }
}

#[test]
fn the_amount_of_a_record_counts_in_a_sum_at_the_rate_of_its_day() {
    use crate::activity::record::ActivityRecord;
    use crate::money::Currency;
    use crate::rules::{Mode, NaiveFacts, RateTable, Requirement, evaluate};

    let activity = ActivityRecord {
        kind: FactKind::new("campaign"),
        external_id: None,
        title: "Fair".to_owned(),
        held_date: date(2026, 3, 2),
        amount: Some(Money::parse("100.00", "EUR").unwrap()),
        quantity: None,
        attributes: BTreeMap::new(),
    };
    let mut rates = RateTable::default();
    for (day, rate) in [(date(2026, 3, 2), "1.25"), (date(2026, 3, 3), "2")] {
        rates.publish(1, day, &[(Currency::USD, rate.parse().unwrap())].into());
    }
    let requirement: Requirement = serde_json::from_value(serde_json::json!({"criterion": {
        "id": "spent", "name": "Spent on campaigns", "needs": {"gte": "125"},
        "measure": {"sum": {"of": "amount", "facts": {
            "kind": "campaign", "date": "held", "window": {"rolling_months": 12}}}}}}))
    .unwrap();
    let facts = [activity.fact("x1", 1, false)];
    let source = NaiveFacts {
        facts: &facts,
        attributes: &BTreeMap::new(),
        rates: &rates,
    };
    let calendar = crate::time::Calendar::default();
    let context = crate::rules::Context {
        as_of: date(2026, 6, 30),
        calendar: &calendar,
        enrolled_since: date(2025, 1, 1),
        tier_since: date(2025, 1, 1),
        tiers: &[],
        currency: Currency::USD,
        fixed: &[],
        mode: Mode::AtPeriodEnds,
    };
    let tree = evaluate(&requirement, &context, &source).explanation;
    let value = tree.value.unwrap();
    assert_eq!(value.number, Some(125.into()));
    assert_eq!(value.converted, [(Currency::EUR, 1)].into());
}

#[test]
fn an_attribute_named_like_a_date_is_not_taken_for_it_when_the_next_event_comes() {
    let mut record = sample();
    record.closed_date = None;
    let closed = Value::Date(date(2020, 1, 1));
    record
        .attributes
        .insert("closed".to_owned(), closed.clone());
    let amended = DealEvent::DealAmended {
        changes: Box::new(DealChanges {
            name: Some("Ninety seats".to_owned()),
            ..DealChanges::default()
        }),
    };
    let fact = fold(&[imported(record), amended]).unwrap();
    assert_eq!(fact.dates.get("closed"), None);
    assert_eq!(fact.fields.get("closed"), Some(&closed));
}

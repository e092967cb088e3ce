use jiff::civil::date;

use super::*;
use crate::ids::RecordId;
use crate::rules::Value;
use crate::test_support::{Given, given};

fn review() -> ActivityRecord {
    ActivityRecord {
        kind: FactKind::new("review"),
        external_id: Some("QBR-1".to_owned()),
        title: "First quarter".to_owned(),
        held_date: date(2026, 4, 2),
        amount: Some(Money::parse("250.50", "EUR").unwrap()),
        quantity: Some(4.into()),
        attributes: [("remote".to_owned(), Value::Flag(true))].into(),
    }
}

fn record(change: impl FnOnce(&mut RecordActivity)) -> RecordCommand {
    let mut command = RecordActivity {
        record: RecordId::parse("r1").unwrap(),
        partner: PartnerId::parse("acme").unwrap(),
        activity: review(),
    };
    change(&mut command);
    RecordCommand::Record(Box::new(command))
}

fn recorded() -> Given<Record> {
    given::<Record>([]).when(record(|_| ())).accepted()
}

/// A currency that is not in force on the day of the review.
fn deutschmark() -> crate::money::Currency {
    crate::money::Currency::parse("DEM").unwrap()
}

fn retract() -> RecordCommand {
    RecordCommand::Retract {
        reason: "did not take place".to_owned(),
    }
}

fn amend(changes: ActivityChanges) -> RecordCommand {
    RecordCommand::Amend(Box::new(changes))
}

#[test]
fn an_activity_is_recorded_once_and_corrected_when_it_differs() {
    let later = |command: &mut RecordActivity| command.activity.held_date = date(2026, 4, 9);
    recorded()
        .when(record(|_| ()))
        .nothing()
        .when(record(later))
        .then([RecordEvent::RecordAmended {
            activity: Box::new(ActivityRecord {
                held_date: date(2026, 4, 9),
                ..review()
            }),
        }])
        .when(record(later))
        .nothing();
    assert_eq!(recorded().state.claims()[0].key, "QBR-1");
}

#[test]
fn an_amendment_changes_what_it_names() {
    let changes = ActivityChanges {
        title: Some("Q1".to_owned()),
        amount: Some(None),
        quantity: Some(None),
        ..ActivityChanges::default()
    };
    let amended = recorded().when(amend(changes.clone())).accepted();
    let activity = amended.state.activity().unwrap();
    assert_eq!((activity.title.as_str(), activity.quantity), ("Q1", None));
    assert_eq!(activity.amount, None);
    assert_eq!(activity.attributes, review().attributes);
    amended
        .when(amend(changes))
        .nothing()
        .when(amend(ActivityChanges {
            held_date: Some(date(1492, 1, 1)),
            ..ActivityChanges::default()
        }))
        .invalid(&["held_date"]);
}

#[test]
fn a_retracted_record_stays_retracted() {
    let retracted = recorded()
        .when(retract())
        .accepted()
        .when(retract())
        .nothing();
    assert_eq!(retracted.state.retracted(), Some("did not take place"));
    retracted
        .clone()
        .when(record(|_| ()))
        .refused("RECORD_RETRACTED");
    retracted
        .when(amend(ActivityChanges::default()))
        .refused("RECORD_RETRACTED");
}

#[test]
fn partner_and_kind_never_change() {
    recorded()
        .when(record(|it| it.partner = PartnerId::parse("other").unwrap()))
        .refused("RECORD_OF_ANOTHER_PARTNER");
    recorded()
        .when(record(|it| it.activity.kind = FactKind::new("survey")))
        .refused("RECORD_OF_ANOTHER_KIND");
}

#[test]
fn deals_and_certifications_are_not_recorded_this_way() {
    for kind in ["deal", "certification", "Business Review"] {
        given::<Record>([])
            .when(record(|it| it.activity.kind = FactKind::new(kind)))
            .invalid(&["activity.kind"]);
    }
}

#[test]
fn every_wrong_field_is_named_at_once() {
    given::<Record>([])
        .when(record(|it| {
            it.activity.title = String::new();
            it.activity.amount = Some(Money::new("1".parse().unwrap(), deutschmark()));
            it.activity.quantity = Some(rust_decimal::Decimal::MAX);
            it.activity.attributes = [("title".to_owned(), Value::Flag(true))].into();
        }))
        .invalid(&[
            "activity.title",
            "activity.amount.currency_code",
            "activity.quantity",
            "activity.attributes.title",
        ]);
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    given::<Record>([])
        .when(retract())
        .refused("RECORD_NOT_FOUND");
    given::<Record>([])
        .when(amend(ActivityChanges::default()))
        .refused("RECORD_NOT_FOUND");
}

pub(crate) mod properties {
    use proptest::prelude::*;

    use super::*;
    use crate::test_support::run_and_replay;
    use crate::time::add_days;

    pub(crate) fn command() -> impl Strategy<Value = RecordCommand> {
        prop_oneof![
            3 => (0..30_i32, prop::option::of(0..9_i64)).prop_map(|(days, quantity)| {
                record(|it| {
                    it.activity.amount = quantity.map(|cents| Money::new(
                        rust_decimal::Decimal::new(cents * 10, 2),
                        crate::money::Currency::EUR,
                    ));
                    it.activity.held_date = add_days(it.activity.held_date, days);
                    it.activity.quantity = quantity.map(Into::into);
                })
            }),
            2 => "[a-z]{0,4}".prop_map(|title| amend(ActivityChanges {
                title: Some(title),
                ..ActivityChanges::default()
            })),
            1 => Just(retract()),
        ]
    }

    proptest! {
        #[test]
        fn any_commands_leave_a_record_that_replays(
            commands in prop::collection::vec(command(), 0..20)
        ) {
            run_and_replay::<Record>(commands);
        }
    }
}

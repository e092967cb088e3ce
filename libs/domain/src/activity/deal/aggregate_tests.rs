use jiff::civil::date;

use super::*;
use crate::activity::deal::record::{Customer, DealSource};
use crate::ids::DealId;
use crate::money::Currency;
use crate::partner::PartnerStatus;
use crate::rules::Value;
use crate::test_support::{Given, given};

const REGISTERED: Date = date(2026, 1, 10);
const CLOSED: Date = date(2026, 3, 31);

fn eur(amount: &str) -> Money {
    Money::parse(amount, "EUR").unwrap()
}

fn register() -> RegisterDeal {
    RegisterDeal {
        deal: DealId::parse("d1").unwrap(),
        partner: PartnerId::parse("acme").unwrap(),
        partner_status: PartnerStatus::Active,
        external_id: Some("CRM-1".to_owned()),
        name: "Hundred seats".to_owned(),
        customer: Some(Customer {
            name: "Globex".to_owned(),
            domain: Some("https://www.Globex.example/".to_owned()),
        }),
        amount: Some(eur("1000")),
        product_lines: vec!["cloud".to_owned()],
        region: Some("EMEA".to_owned()),
        source: Some(DealSource::PartnerSourced),
        registered_date: REGISTERED,
        expected_close_date: Some(date(2026, 4, 30)),
        attributes: [("segment".to_owned(), Value::text("smb"))].into(),
    }
}

fn registered() -> Given<Deal> {
    given::<Deal>([])
        .when(DealCommand::Register(Box::new(register())))
        .accepted()
}

fn approve() -> DealCommand {
    DealCommand::Approve {
        approved_date: date(2026, 1, 12),
    }
}

fn win(amount: Option<Money>) -> DealCommand {
    DealCommand::Win {
        closed_date: CLOSED,
        amount,
    }
}

fn lose() -> DealCommand {
    DealCommand::Lose {
        closed_date: CLOSED,
        reason: "price".to_owned(),
    }
}

fn reject() -> DealCommand {
    DealCommand::Reject {
        reason: "known customer".to_owned(),
    }
}

fn withdraw() -> DealCommand {
    DealCommand::Withdraw {
        reason: String::new(),
    }
}

fn reopen() -> DealCommand {
    DealCommand::Reopen {
        reason: "second look".to_owned(),
    }
}

fn amend(change: impl FnOnce(&mut DealChanges)) -> DealCommand {
    let mut changes = DealChanges::default();
    change(&mut changes);
    DealCommand::Amend(Box::new(changes))
}

fn reverse(amount: Option<Money>) -> DealCommand {
    DealCommand::Reverse(ReverseDeal {
        date: date(2026, 4, 15),
        amount,
        reason: "returned".to_owned(),
    })
}

fn won() -> Given<Deal> {
    registered().when(win(None)).accepted()
}

fn imported(change: impl FnOnce(&mut DealRecord)) -> DealCommand {
    let mut record = DealRecord {
        external_id: Some("CRM-1".to_owned()),
        state: DealState::Won,
        amount: Some(eur("500")),
        closed_date: Some(CLOSED),
        ..DealRecord::new("Order 1")
    };
    change(&mut record);
    DealCommand::Record(Box::new(RecordDeal {
        deal: DealId::parse("d1").unwrap(),
        partner: PartnerId::parse("acme").unwrap(),
        record,
    }))
}

fn state(deal: &Given<Deal>) -> DealState {
    deal.state.record().unwrap().state
}

fn net(deal: &Given<Deal>) -> Option<Money> {
    deal.state.record().unwrap().net_amount()
}

#[test]
fn a_registered_deal_holds_its_external_id_and_belongs_to_its_partner() {
    let deal = registered();
    assert_eq!(state(&deal), DealState::Registered);
    assert_eq!(
        deal.state.routing(),
        Some(Routing::Partner(PartnerId::parse("acme").unwrap()))
    );
    assert_eq!(
        deal.state.claims(),
        [Claim {
            scope: "deal_external_id",
            key: "CRM-1".to_owned()
        }]
    );
    let customer = deal.state.record().unwrap().customer.as_ref().unwrap();
    assert_eq!(customer.domain.as_deref(), Some("globex.example"));
    deal.when(DealCommand::Register(Box::new(register())))
        .refused("DEAL_EXISTS");
}

#[test]
fn suspended_partner_cannot_register_a_deal() {
    let mut command = register();
    command.partner_status = PartnerStatus::Suspended;
    given::<Deal>([])
        .when(DealCommand::Register(Box::new(command)))
        .refused("PARTNER_SUSPENDED");
}

#[test]
fn every_wrong_field_of_a_registration_is_named_at_once() {
    let mut wrong = register();
    wrong.name = String::new();
    wrong.customer = Some(Customer {
        name: " x".to_owned(),
        domain: Some("nowhere".to_owned()),
    });
    wrong.amount = Some(eur("-1"));
    wrong.product_lines = vec!["a".to_owned(), "a".to_owned()];
    wrong.registered_date = date(1492, 1, 1);
    wrong.attributes = [("state".to_owned(), Value::Flag(true))].into();
    given::<Deal>([])
        .when(DealCommand::Register(Box::new(wrong)))
        .invalid(&[
            "name",
            "customer.name",
            "customer.domain",
            "product_lines[1]",
            "attributes.state",
            "registered_date",
            "amount.amount",
        ]);
}

#[test]
fn a_registered_deal_is_approved_once_and_not_before_its_registration() {
    let early = DealCommand::Approve {
        approved_date: date(2026, 1, 9),
    };
    registered().when(early).invalid(&["approved_date"]);
    registered()
        .when(approve())
        .then([DealEvent::DealApproved {
            approved_date: date(2026, 1, 12),
        }])
        .when(approve())
        .nothing()
        .when(DealCommand::Approve {
            approved_date: date(2026, 1, 13),
        })
        .refused("DEAL_APPROVED");
}

#[test]
fn a_deal_is_won_with_or_without_approval() {
    assert_eq!(state(&won()), DealState::Won);
    assert_eq!(net(&won()), Some(eur("1000")));
    let deal = registered()
        .when(approve())
        .accepted()
        .when(win(Some(eur("900"))))
        .then([DealEvent::DealWon {
            closed_date: CLOSED,
            amount: Some(eur("900")),
        }]);
    assert_eq!(net(&deal), Some(eur("900")));
    deal.when(win(Some(eur("900"))))
        .nothing()
        .when(win(None))
        .nothing()
        .when(win(Some(eur("800"))))
        .refused("DEAL_WON");
}

#[test]
fn rejected_withdrawn_and_lost_deals_are_reopened_before_they_are_won() {
    for (command, reason) in [
        (reject(), "DEAL_REJECTED"),
        (withdraw(), "DEAL_WITHDRAWN"),
        (lose(), "DEAL_LOST"),
    ] {
        let closed = registered().when(command.clone()).accepted();
        let closed = closed.when(command).nothing();
        closed.clone().when(win(None)).refused(reason);
        closed.clone().when(approve()).refused(reason);
        let deal = closed.when(reopen()).accepted();
        assert_eq!(state(&deal), DealState::Registered);
        assert_eq!(state(&deal.when(win(None)).accepted()), DealState::Won);
    }
}

#[test]
fn a_reopened_deal_is_approved_where_it_had_been() {
    let deal = registered()
        .when(approve())
        .accepted()
        .when(lose())
        .accepted()
        .when(reopen())
        .then([DealEvent::DealReopened {
            reason: "second look".to_owned(),
        }])
        .when(reopen())
        .nothing();
    assert_eq!(state(&deal), DealState::Approved);
    assert_eq!(deal.state.record().unwrap().closed_date, None);
}

#[test]
fn only_a_registered_deal_is_rejected_and_only_with_a_reason() {
    registered()
        .when(approve())
        .accepted()
        .when(reject())
        .refused("DEAL_APPROVED");
    won().when(reject()).refused("DEAL_WON");
    let silent = DealCommand::Reject {
        reason: " ".to_owned(),
    };
    registered().when(silent).invalid(&["reason"]);
}

#[test]
fn an_amendment_writes_only_what_differs_even_after_winning() {
    let command = || {
        amend(|changes| {
            changes.name = Some("Hundred seats".to_owned());
            changes.amount = Some(Some(eur("1200")));
            changes.closed_date = Some(date(2026, 4, 1));
            changes.region = Some(None);
        })
    };
    let deal = won().when(command()).then([DealEvent::DealAmended {
        changes: Box::new(DealChanges {
            amount: Some(Some(eur("1200"))),
            closed_date: Some(date(2026, 4, 1)),
            region: Some(None),
            ..DealChanges::default()
        }),
    }]);
    assert_eq!(state(&deal), DealState::Won);
    deal.when(command()).nothing();
}

#[test]
fn an_open_deal_has_no_closing_date_to_correct() {
    registered()
        .when(amend(|changes| changes.closed_date = Some(CLOSED)))
        .invalid(&["closed_date"]);
}

#[test]
fn a_currency_must_be_in_force_on_the_closing_date() {
    let tolar = Money::new(100.into(), Currency::parse("SIT").unwrap());
    registered()
        .when(win(Some(tolar)))
        .invalid(&["amount.currency_code"]);
    registered()
        .when(DealCommand::Win {
            closed_date: date(2006, 12, 29),
            amount: Some(tolar),
        })
        .accepted();
    won()
        .when(amend(|changes| changes.amount = Some(Some(tolar))))
        .invalid(&["amount.currency_code"]);
}

#[test]
fn partial_reversals_lower_the_amount_until_nothing_is_left() {
    let deal = won()
        .when(reverse(Some(eur("250.50"))))
        .then([DealEvent::DealReversed {
            date: date(2026, 4, 15),
            amount: Some("250.50".parse().unwrap()),
            complete: false,
            reason: "returned".to_owned(),
        }]);
    assert_eq!(net(&deal), Some(eur("749.50")));
    assert_eq!(state(&deal), DealState::Won);
    deal.clone()
        .when(reverse(Some(eur("749.51"))))
        .invalid(&["amount.amount"]);
    let rest = deal.clone().when(reverse(Some(eur("749.50")))).accepted();
    let whole = deal.when(reverse(None)).accepted();
    assert_eq!(rest.state, whole.state);
    assert_eq!(state(&whole), DealState::Reversed);
    assert_eq!(net(&whole), Some(eur("0")));
    whole.clone().when(reverse(None)).refused("DEAL_REVERSED");
    let reopened = whole.when(reopen()).accepted();
    assert_eq!(net(&reopened), Some(eur("1000")));
}

#[test]
fn a_reversal_is_in_the_currency_of_the_deal_and_after_its_closing() {
    let usd = Money::parse("10", "USD").unwrap();
    won()
        .when(reverse(Some(usd)))
        .invalid(&["amount.currency_code"]);
    won()
        .when(reverse(Some(eur("0"))))
        .invalid(&["amount.amount"]);
    let early = DealCommand::Reverse(ReverseDeal {
        date: date(2026, 3, 30),
        amount: None,
        reason: String::new(),
    });
    won().when(early).invalid(&["reason", "date"]);
    registered().when(reverse(None)).refused("DEAL_REGISTERED");
}

#[test]
fn a_deal_without_amount_is_reversed_only_as_a_whole() {
    let deal = given::<Deal>([])
        .when(imported(|record| record.amount = None))
        .accepted();
    deal.clone()
        .when(reverse(Some(eur("1"))))
        .invalid(&["amount"]);
    let deal = deal.when(reverse(None)).accepted();
    assert_eq!(state(&deal), DealState::Reversed);
    assert_eq!(net(&deal), None);
}

#[test]
fn the_amount_of_a_reversed_deal_is_corrected_only_within_what_was_taken_back() {
    let part = won().when(reverse(Some(eur("400")))).accepted();
    let amount = |text: &str| {
        let money = eur(text);
        amend(move |changes| changes.amount = Some(Some(money)))
    };
    part.clone()
        .when(amount("400"))
        .invalid(&["reversed_amount"]);
    let usd = Money::parse("2000", "USD").unwrap();
    part.clone()
        .when(amend(|changes| changes.amount = Some(Some(usd))))
        .invalid(&["amount.currency_code"]);
    assert_eq!(
        net(&part.clone().when(amount("500")).accepted()),
        Some(eur("100"))
    );
    let whole = part.when(reverse(None)).accepted();
    whole.when(amount("2000")).invalid(&["amount"]);
}

#[test]
fn an_imported_deal_is_written_once_and_again_only_when_it_differs() {
    let deal = given::<Deal>([]).when(imported(|_| ())).accepted();
    let deal = deal.when(imported(|_| ())).nothing();
    let same_number = imported(|record| record.amount = Some(eur("500.00")));
    let deal = deal.when(same_number).nothing();
    let deal = deal
        .when(imported(|record| record.state = DealState::Lost))
        .accepted();
    assert_eq!(state(&deal), DealState::Lost);
    let registered = registered().when(imported(|_| ())).accepted();
    assert_eq!(registered.state.record().unwrap().name, "Order 1");
}

#[test]
fn an_imported_deal_must_be_sound_as_a_whole() {
    type Change = fn(&mut DealRecord);
    let cases: [(Change, &str); 6] = [
        (|record| record.closed_date = None, "record.closed_date"),
        (
            |record| record.state = DealState::Registered,
            "record.closed_date",
        ),
        (
            |record| record.reversed_amount = 500.into(),
            "record.reversed_amount",
        ),
        (
            |record| record.reversed_amount = (-1).into(),
            "record.reversed_amount",
        ),
        (
            |record| {
                record.state = DealState::Lost;
                record.reversed_amount = 1.into();
            },
            "record.reversed_amount",
        ),
        (
            |record| {
                record.state = DealState::Reversed;
                record.reversed_amount = 1.into();
            },
            "record.reversed_amount",
        ),
    ];
    for (change, field) in cases {
        given::<Deal>([]).when(imported(change)).invalid(&[field]);
    }
}

#[test]
fn an_imported_reversed_deal_has_nothing_left() {
    let deal = given::<Deal>([])
        .when(imported(|record| record.state = DealState::Reversed))
        .accepted();
    assert_eq!(net(&deal), Some(eur("0")));
    deal.when(imported(|record| record.state = DealState::Reversed))
        .nothing();
}

#[test]
fn a_deal_never_changes_its_partner() {
    let mut command = RecordDeal {
        deal: DealId::parse("d1").unwrap(),
        partner: PartnerId::parse("other").unwrap(),
        record: DealRecord::new("Order 1"),
    };
    command.record.registered_date = Some(REGISTERED);
    registered()
        .when(DealCommand::Record(Box::new(command)))
        .refused("DEAL_OF_ANOTHER_PARTNER");
}

#[test]
fn what_does_not_exist_cannot_be_changed() {
    for command in [
        approve(),
        reject(),
        withdraw(),
        win(None),
        lose(),
        reopen(),
        reverse(None),
    ] {
        given::<Deal>([]).when(command).refused("DEAL_NOT_FOUND");
    }
}

#[test]
fn an_unknown_event_stops_decisions() {
    let unknown = DealEvent::Unknown {
        event_type: "tierline.activity.v1.DealDisputed".to_owned(),
        payload: serde_json::Value::Null,
    };
    given::<Deal>([unknown])
        .when(imported(|_| ()))
        .refused("UNKNOWN_EVENT");
}

#[path = "aggregate_properties.rs"]
pub(crate) mod properties;

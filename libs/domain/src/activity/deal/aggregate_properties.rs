//! Any commands at all leave a deal that replays and is sound.

use proptest::prelude::*;

use super::*;
use crate::test_support::run_and_replay;
use crate::time::add_days;

fn day() -> impl Strategy<Value = Date> {
    (0..60_i32).prop_map(|days| add_days(REGISTERED, days))
}

fn money() -> impl Strategy<Value = Option<Money>> {
    prop::option::weighted(
        0.8,
        (-2..40_i64, 0..3_u32, 0..2_usize).prop_map(|(units, scale, currency)| {
            let currency = [Currency::EUR, Currency::USD][currency];
            Money::new(Decimal::new(units * 5, scale), currency)
        }),
    )
}

fn attributes() -> impl Strategy<Value = std::collections::BTreeMap<String, Value>> {
    prop::collection::btree_map(
        prop::sample::select(vec!["segment", "score", "amount"]).prop_map(str::to_owned),
        prop_oneof![
            "[a-z]{1,3}".prop_map(Value::Text),
            (-9..9_i64).prop_map(|n| Value::Number(n.into())),
            any::<bool>().prop_map(Value::Flag),
            day().prop_map(Value::Date),
        ],
        0..2,
    )
}

fn record() -> impl Strategy<Value = DealRecord> {
    (
        0..DealState::ALL.len(),
        money(),
        prop::option::of(day()),
        prop::option::of(day()),
        attributes(),
        (
            prop::option::of("[a-z]{0,3}"),
            prop::collection::vec("[a-c]", 0..3),
        ),
    )
        .prop_map(
            |(state, amount, approved, closed, attributes, (customer, lines))| DealRecord {
                state: DealState::ALL[state],
                amount,
                approved_date: approved,
                closed_date: closed,
                attributes,
                customer: customer.map(|name| Customer { name, domain: None }),
                product_lines: lines,
                ..DealRecord::new("Deal")
            },
        )
}

fn changes() -> impl Strategy<Value = DealChanges> {
    (
        prop::option::of(money()),
        prop::option::of(day()),
        prop::option::of(attributes()),
        prop::option::of(prop::option::of(Just(DealSource::Influenced))),
    )
        .prop_map(|(amount, closed_date, attributes, source)| DealChanges {
            amount,
            closed_date,
            attributes,
            source,
            ..DealChanges::default()
        })
}

pub(crate) fn command() -> impl Strategy<Value = DealCommand> {
    let text = || prop::sample::select(vec!["", "because"]).prop_map(str::to_owned);
    prop_oneof![
        4 => money().prop_map(|amount| DealCommand::Register(Box::new(RegisterDeal {
            amount,
            ..register()
        }))),
        2 => record().prop_map(|record| imported(|to| *to = record)),
        2 => day().prop_map(|approved_date| DealCommand::Approve { approved_date }),
        1 => text().prop_map(|reason| DealCommand::Reject { reason }),
        1 => text().prop_map(|reason| DealCommand::Withdraw { reason }),
        4 => (day(), money())
            .prop_map(|(closed_date, amount)| DealCommand::Win { closed_date, amount }),
        1 => (day(), text())
            .prop_map(|(closed_date, reason)| DealCommand::Lose { closed_date, reason }),
        2 => text().prop_map(|reason| DealCommand::Reopen { reason }),
        3 => changes().prop_map(|changes| DealCommand::Amend(Box::new(changes))),
        4 => (day(), money()).prop_map(|(date, amount)| {
            let reason = "returned".to_owned();
            DealCommand::Reverse(ReverseDeal { date, amount, reason })
        }),
    ]
}

proptest! {
    #[test]
    fn any_commands_leave_a_deal_that_replays_and_is_sound(
        commands in prop::collection::vec(command(), 0..25)
    ) {
        let (deal, _) = run_and_replay::<Deal>(commands);
        if let Some(record) = deal.record() {
            prop_assert_eq!(record.state.is_closed(), record.closed_date.is_some());
            if let Some(net) = record.net_amount() {
                prop_assert!(net.amount >= Decimal::ZERO);
                prop_assert!(record.state != DealState::Reversed || net.amount.is_zero());
            }
        }
    }
}

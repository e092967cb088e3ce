//! The append as such: what breaks one item of a batch never breaks another.

use std::sync::Arc;

use tierline_domain::{Claim, Routing};
use tierline_eventstore::{
    AppendFailure, AppendInError, AppendItem, EventStore, NewEvent, NewReceipt, StoreOptions,
    append_in,
};

use crate::account::{Account, AccountCommand, open};
use crate::{World, context, org, partner, request, stream};

fn item(id: &str, after: u64) -> AppendItem {
    let event = NewEvent {
        event_type: "test.v1.Deposited".into(),
        event_version: "2.0".into(),
        payload: r#"{"Deposited":{"amount":1}}"#.into(),
        metadata: Arc::from("{}"),
    };
    let routing = Routing::Partner(partner("p"));
    AppendItem::new("Account", stream(id), org(), &routing, after, vec![event])
}

fn receipt(id: &str) -> NewReceipt {
    NewReceipt {
        request_id: id.into(),
        request_hash: [7; 32],
        response: b"done".to_vec(),
    }
}

fn claim(key: &str) -> Claim {
    Claim {
        scope: "account_domain",
        key: key.into(),
    }
}

#[tokio::test]
async fn one_bad_item_of_each_kind_fails_alone_and_for_its_own_reason() {
    let world = World::new().await;
    let first = [
        item("raced", 0),
        item("asked", 0).with_receipt(receipt("r-1")),
        item("owner", 0).with_claims(vec![claim("a.example")], vec![]),
    ];
    for outcome in world.store.append_many(&first).await {
        outcome.unwrap();
    }
    let second = [
        item("good-1", 0),
        item("raced", 0),
        item("good-2", 0).with_receipt(receipt("r-2")),
        item("asked", 1).with_receipt(receipt("r-1")),
        item("wants", 0).with_claims(vec![claim("a.example")], vec![]),
        item("good-3", 0).with_claims(vec![claim("b.example")], vec![]),
        item("clashes", 0).with_claims(vec![claim("b.example")], vec![]),
        item("good-1", 1),
    ];
    let outcomes = world.store.append_many(&second).await;
    assert!(
        outcomes[0].is_ok() && outcomes[2].is_ok() && outcomes[5].is_ok(),
        "{outcomes:?}"
    );
    assert!(
        matches!(outcomes[1], Err(AppendFailure::LostRace)),
        "{outcomes:?}"
    );
    let Err(AppendFailure::DuplicateRequest(stored)) = &outcomes[3] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        (stored.request_hash.as_slice(), stored.response.as_slice()),
        (&[7; 32][..], &b"done"[..])
    );
    for (index, name) in [(4, "a.example"), (6, "b.example")] {
        let Err(AppendFailure::ClaimTaken(taken)) = &outcomes[index] else {
            panic!("{outcomes:?}");
        };
        assert_eq!(taken.key, name);
    }
    // A second item of a stream in one call might be written without the first.
    assert!(
        matches!(outcomes[7], Err(AppendFailure::LostRace)),
        "{outcomes:?}"
    );
    assert_eq!(world.count("SELECT count(*) FROM events").await, 6);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 6);
}

#[tokio::test]
async fn in_a_batch_of_thousands_a_bad_item_of_each_kind_fails_alone() {
    let world = World::new().await;
    let first = [
        item("raced", 0),
        item("asked", 0).with_receipt(receipt("r-1")),
        item("owner", 0).with_claims(vec![claim("a.example")], vec![]),
    ];
    for outcome in world.store.append_many(&first).await {
        outcome.unwrap();
    }
    let mut many: Vec<AppendItem> = (0..3_000).map(|n| item(&format!("s-{n}"), 0)).collect();
    many[700] = item("raced", 0);
    many[1_400] = item("wants", 0).with_claims(vec![claim("a.example")], vec![]);
    many[2_100] = item("again", 0).with_receipt(receipt("r-1"));
    many[2_800] = item("fresh", 0)
        .with_receipt(receipt("r-2"))
        .with_claims(vec![claim("b.example")], vec![]);
    let outcomes = world.store.append_many(&many).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        match n {
            700 => assert!(
                matches!(outcome, Err(AppendFailure::LostRace)),
                "{outcome:?}"
            ),
            1_400 => assert!(
                matches!(outcome, Err(AppendFailure::ClaimTaken(_))),
                "{outcome:?}"
            ),
            2_100 => {
                assert!(
                    matches!(outcome, Err(AppendFailure::DuplicateRequest(_))),
                    "{outcome:?}"
                );
            }
            _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM events").await, 3_000);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 3_000);
    assert_eq!(world.count("SELECT count(*) FROM claims").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM receipts").await, 2);
    // What was copied is what would have been inserted.
    world.sequencer.drain().await.unwrap();
    let events = world.reader.read_positions(0, 10_000).await.unwrap();
    assert_eq!(events.len(), 3_000);
    assert!(events.iter().all(|event| event.is_intact()));
    let age = |event: &tierline_eventstore::LogEvent| {
        jiff::Timestamp::now()
            .duration_since(event.recorded_at)
            .abs()
    };
    assert!(
        events
            .iter()
            .all(|event| age(event) < jiff::SignedDuration::from_mins(5))
    );
}

#[tokio::test]
async fn a_payload_that_the_database_refuses_fails_alone() {
    let world = World::new().await;
    let broken = NewEvent {
        event_type: "t".into(),
        event_version: "1.0".into(),
        payload: "{not json".into(),
        metadata: Arc::from("{}"),
    };
    let routing = Routing::Partner(partner("p"));
    let broken = AppendItem::new("Account", stream("bad"), org(), &routing, 0, vec![broken]);
    let outcomes = world
        .store
        .append_many(&[item("a", 0), broken, item("b", 0)])
        .await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok(), "{outcomes:?}");
    assert!(
        matches!(outcomes[1], Err(AppendFailure::Refused(_))),
        "{outcomes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_group_commit_one_callers_failure_is_nobody_elses() {
    let world = Arc::new(World::new().await);
    let respond = |_: &_| Vec::new();
    world
        .runner
        .execute::<Account, _>(
            &context(),
            &stream("owner"),
            open("p", "taken.example"),
            respond,
        )
        .await
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..120 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let name = if n % 4 == 0 {
                "taken.example".into()
            } else {
                format!("{n}.example")
            };
            let id = stream(&format!("a-{n}"));
            let command = open("p", &name);
            let context = context();
            let respond = |_: &_| Vec::new();
            let done = world
                .runner
                .execute::<Account, _>(&context, &id, command, respond);
            (n, done.await.is_ok())
        });
    }
    for (n, succeeded) in tasks.join_all().await {
        assert_eq!(succeeded, n % 4 != 0, "{n}");
    }
    assert_eq!(world.count("SELECT count(*) FROM events").await, 91);
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 91);
}

#[tokio::test]
async fn an_append_inside_a_transaction_is_part_of_it() {
    let world = World::new().await;
    let mut transaction = world.pool.begin().await.unwrap();
    append_in(&mut transaction, &[item("a", 0), item("b", 0)])
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM events").await, 0);
    let mut transaction = world.pool.begin().await.unwrap();
    append_in(&mut transaction, &[item("a", 0), item("a", 1)])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM outbox").await, 2);
    let mut transaction = world.pool.begin().await.unwrap();
    let failed = append_in(&mut transaction, &[item("a", 1)]).await;
    assert!(matches!(failed, Err(AppendInError::LostRace)), "{failed:?}");
}

#[tokio::test]
async fn a_pool_of_two_is_enough_for_everything_at_once() {
    let world = Arc::new(World::with(2, StoreOptions::default()).await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..32 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let id = stream(&format!("a-{n}"));
            let respond = |_: &_| Vec::new();
            let name = format!("{n}.example");
            let opened = request(&format!("open-{n}"), "");
            let runner = &world.runner;
            runner
                .execute::<Account, _>(&opened, &id, open("p", &name), respond)
                .await
                .unwrap();
            let deposit = AccountCommand::Deposit(1);
            runner
                .execute::<Account, _>(&context(), &id, deposit, respond)
                .await
                .unwrap();
            world.sequencer.run_once(100).await.unwrap();
            world.reader.read_positions(0, 10).await.unwrap();
        });
    }
    tokio::time::timeout(crate::PATIENCE, tasks.join_all())
        .await
        .unwrap();
    world.sequencer.drain().await.unwrap();
    assert_eq!(world.reader.heads().await.unwrap().position, 64);
}

#[tokio::test]
async fn a_database_that_is_gone_is_unavailable_before_the_append() {
    let world = World::new().await;
    world.pool.close().await;
    let store = EventStore::open(world.pool.clone());
    let outcome = store.append_many(&[item("a", 0)]).await.remove(0);
    assert!(
        matches!(outcome, Err(AppendFailure::Unavailable(_))),
        "{outcome:?}"
    );
}

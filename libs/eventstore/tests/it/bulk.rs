//! Many commands at once.

use tierline_domain::Kind;
use tierline_eventstore::{
    BulkItem, CommandError, Committed, Outcome, RequestKey, SemanticVersionEventUpcaster,
};

use crate::account::{Account, AccountCommand, open};
use crate::{World, context, stream};

type Answer = Result<Committed<Account>, CommandError>;

fn item(id: &str, command: AccountCommand) -> BulkItem<Account> {
    BulkItem::new(stream(id), command)
}

fn asked(mut item: BulkItem<Account>, id: &str, hash: u8) -> BulkItem<Account> {
    item.request = Some(RequestKey {
        id: id.into(),
        hash: [hash; 32],
    });
    item
}

async fn run(world: &World, items: Vec<BulkItem<Account>>) -> Vec<Answer> {
    let respond = |index: usize, outcome: &Outcome<Account>| {
        format!("{index}: {} at {}", outcome.state.balance, outcome.version).into_bytes()
    };
    world
        .runner
        .execute_many::<Account, _>(&context(), items, respond)
        .await
}

fn response(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.as_ref().unwrap().response).unwrap()
}

fn reason(answer: &Answer) -> (Kind, &str) {
    match answer {
        Err(CommandError::Rejected(rejection)) => (rejection.kind, &rejection.reason),
        other => panic!("{other:?} instead of a rejection"),
    }
}

#[tokio::test]
async fn commands_on_one_stream_follow_on_each_other_and_others_are_not_disturbed() {
    let world = World::new().await;
    let items = vec![
        item("a", open("p", "a.example")),
        item("b", open("q", "b.example")),
        item("a", AccountCommand::Deposit(5)),
        item("none", AccountCommand::Deposit(5)),
        item("a", AccountCommand::Deposit(-6)),
        item("a", AccountCommand::Settle(5)),
        item("a", AccountCommand::Deposit(2)),
    ];
    let answers = run(&world, items).await;
    assert_eq!(response(&answers[0]), "0: 0 at 1");
    assert_eq!(response(&answers[1]), "1: 0 at 1");
    assert_eq!(response(&answers[2]), "2: 5 at 2");
    assert_eq!(reason(&answers[3]), (Kind::NotFound, "ACCOUNT_NOT_FOUND"));
    assert_eq!(reason(&answers[4]), (Kind::Precondition, "OVERDRAWN"));
    assert_eq!(response(&answers[5]), "5: 5 at 2");
    assert_eq!(response(&answers[6]), "6: 7 at 3");
    assert_eq!(world.count("SELECT count(*) FROM events").await, 4);
    let loaded = world.store.load::<Account>(&stream("a")).await.unwrap();
    assert_eq!((loaded.state.balance, loaded.version), (7, 3));
}

#[tokio::test]
async fn a_repeated_bulk_gives_the_stored_answers() {
    let world = World::new().await;
    let items = || {
        vec![
            asked(item("a", open("p", "a.example")), "r-1", 1),
            asked(item("a", AccountCommand::Deposit(5)), "r-2", 2),
            asked(item("b", open("p", "b.example")), "r-3", 3),
        ]
    };
    let first = run(&world, items()).await;
    let mut again = items();
    again.push(asked(item("b", AccountCommand::Deposit(1)), "r-2", 9));
    again.push(asked(item("c", open("p", "c.example")), "r-4", 4));
    let second = run(&world, again).await;
    for (one, two) in first.iter().zip(&second) {
        assert_eq!(response(one), response(two));
        assert!(two.as_ref().unwrap().is_replay());
    }
    assert_eq!(reason(&second[3]), (Kind::Invalid, "REQUEST_ID_REUSED"));
    assert_eq!(response(&second[4]), "4: 0 at 1");
    assert_eq!(world.count("SELECT count(*) FROM events").await, 4);
}

#[tokio::test]
async fn names_that_clash_inside_a_bulk_or_with_the_store_refuse_one_command_each() {
    let world = World::new().await;
    run(&world, vec![item("a", open("p", "a.example"))])
        .await
        .remove(0)
        .unwrap();
    let items = vec![
        item("b", open("p", "a.example")),
        item("c", open("p", "c.example")),
        item("d", open("p", "c.example")),
        item("e", open("p", "e.example")),
        // Let go and taken within one bulk: whichever comes first, nothing is doubled.
        item("a", AccountCommand::Rename("x.example".into())),
        item("a", AccountCommand::Rename("y.example".into())),
    ];
    let answers = run(&world, items).await;
    assert_eq!(
        reason(&answers[2]),
        (Kind::AlreadyExists, "ACCOUNT_DOMAIN_TAKEN")
    );
    for index in [1, 3, 4, 5] {
        assert!(answers[index].is_ok(), "{index}: {:?}", answers[index]);
    }
    let names: Vec<String> = sqlx::query_scalar("SELECT key FROM claims ORDER BY key")
        .fetch_all(&world.pool)
        .await
        .unwrap();
    let took_over = answers[0].is_ok();
    let expected: &[&str] = if took_over {
        &["a.example", "c.example", "e.example", "y.example"]
    } else {
        &["c.example", "e.example", "y.example"]
    };
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_wrong_etag_refuses_one_command_of_a_bulk() {
    let world = World::new().await;
    let mut stale = item("a", AccountCommand::Deposit(1));
    stale.expected_version = Some(7);
    let mut fresh = item("a", AccountCommand::Deposit(2));
    fresh.expected_version = Some(1);
    let answers = run(
        &world,
        vec![item("a", open("p", "a.example")), stale, fresh],
    )
    .await;
    assert_eq!(reason(&answers[1]), (Kind::Conflict, "CONCURRENT_CHANGE"));
    assert_eq!(response(&answers[2]), "2: 2 at 2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bulks_and_single_commands_on_the_same_streams_lose_no_update() {
    let world = World::new().await;
    let names = (0..50).map(|n| item(&format!("a-{n}"), open("p", &format!("{n}.example"))));
    for answer in run(&world, names.collect()).await {
        answer.unwrap();
    }
    let bulk = || {
        (0..50)
            .map(|n| item(&format!("a-{n}"), AccountCommand::Deposit(1)))
            .collect()
    };
    let single = async {
        for n in 0..50 {
            let id = stream(&format!("a-{n}"));
            let deposit = AccountCommand::Deposit(1);
            let respond = |_: &_| Vec::new();
            world
                .runner
                .execute::<Account, _>(&context(), &id, deposit, respond)
                .await
                .unwrap();
        }
    };
    let (one, two, ()) = tokio::join!(run(&world, bulk()), run(&world, bulk()), single);
    for answer in one.into_iter().chain(two) {
        answer.unwrap();
    }
    for n in 0..50 {
        let loaded = world
            .store
            .load::<Account>(&stream(&format!("a-{n}")))
            .await
            .unwrap();
        assert_eq!((loaded.state.balance, loaded.version), (3, 4), "{n}");
    }
}

#[tokio::test]
async fn a_bulk_larger_than_a_statement_keeps_the_order_of_its_answers() {
    let world = World::new().await;
    let items = (0..5_000).map(|n| item(&format!("a-{n}"), open("p", &format!("{n}.example"))));
    let answers = run(&world, items.collect()).await;
    assert_eq!(answers.len(), 5_000);
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(response(answer), format!("{index}: 0 at 1"));
    }
    assert_eq!(world.sequencer.drain().await.unwrap(), 5_000);
}

#[tokio::test]
async fn old_versions_are_lifted_by_a_chain_of_upcasters() {
    let world = World::new().await;
    run(&world, vec![item("a", open("p", "a.example"))])
        .await
        .remove(0)
        .unwrap();
    for (sequence, version, payload) in [
        (2, "1.0", r#"{"Deposited":{"sum":"5"}}"#),
        (3, "1.1", r#"{"Deposited":{"sum":6}}"#),
        (4, "2.0", r#"{"Deposited":{"amount":7}}"#),
    ] {
        sqlx::query(
            "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type,
                 event_version, payload, metadata)
             VALUES ('Account', 'acme/a', $1, 'test.v1.Deposited', $2, $3::text::json, '{}')",
        )
        .bind(sequence)
        .bind(version)
        .bind(payload)
        .execute(&world.pool)
        .await
        .unwrap();
    }
    let number = |mut payload: serde_json::Value| {
        let sum = payload["Deposited"]["sum"]
            .as_str()
            .unwrap()
            .parse::<i64>()
            .unwrap();
        payload["Deposited"]["sum"] = sum.into();
        payload
    };
    let amount = |payload: serde_json::Value| serde_json::json!({"Deposited": {"amount": payload["Deposited"]["sum"]}});
    let lift = |version, function| -> Box<dyn tierline_eventstore::EventUpcaster> {
        Box::new(SemanticVersionEventUpcaster::new(
            "test.v1.Deposited",
            version,
            function,
        ))
    };
    let upcasters = vec![
        lift("1.1", Box::new(number) as _),
        lift("2.0", Box::new(amount) as _),
    ];
    let store =
        tierline_eventstore::EventStore::new(world.pool.clone(), Default::default(), upcasters);
    let loaded = store.load::<Account>(&stream("a")).await.unwrap();
    assert_eq!((loaded.state.balance, loaded.version), (18, 4));
}

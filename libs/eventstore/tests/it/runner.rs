//! Commands: carried out once, refused with a reason, repeated without harm.

use std::sync::Arc;

use tierline_domain::{Kind, OrgId, StreamId};
use tierline_eventstore::{CommandContext, CommandError, Committed, Outcome};

use crate::account::{Account, AccountCommand, AccountEvent, Notice, open};
use crate::{World, context, org, request, stream};

fn answer(outcome: &Outcome<Account>) -> Vec<u8> {
    format!("{} at {}", outcome.state.balance, outcome.version).into_bytes()
}

async fn run(
    world: &World,
    context: &CommandContext,
    id: &str,
    command: AccountCommand,
) -> Result<Committed<Account>, CommandError> {
    world
        .runner
        .execute::<Account, _>(context, &stream(id), command, answer)
        .await
}

fn rejection<T>(result: Result<T, CommandError>) -> tierline_domain::Rejection {
    match result {
        Err(CommandError::Rejected(rejection)) => rejection,
        Err(other) => panic!("{other:?} instead of a rejection"),
        Ok(_) => panic!("success instead of a rejection"),
    }
}

#[tokio::test]
async fn a_command_is_answered_from_the_folded_state() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    let done = run(&world, &context(), "a", AccountCommand::Deposit(5))
        .await
        .unwrap();
    assert_eq!(done.response, b"5 at 2");
    let outcome = done.outcome.unwrap();
    assert_eq!(outcome.version, 2);
    assert_eq!(outcome.events, [AccountEvent::Deposited { amount: 5 }]);
    assert_eq!(outcome.state.balance, 5);
    let point = outcome.last_event.unwrap();
    assert_eq!(point.org, org());
    assert_eq!(
        point.partition,
        Some(tierline_eventstore::partition_of("acme/p"))
    );
    assert_eq!(
        point.event_id,
        tierline_eventstore::event_id("Account", "acme/a", 2)
    );
    let stored = world.count("SELECT count(*) FROM events WHERE metadata->>'actor' = 'user:ada'");
    assert_eq!(stored.await, 2);
}

#[tokio::test]
async fn nothing_to_change_is_a_success_without_events() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    let done = run(&world, &context(), "a", AccountCommand::Settle(0))
        .await
        .unwrap();
    let outcome = done.outcome.unwrap();
    assert_eq!((outcome.version, outcome.events.len()), (1, 0));
    assert_eq!(
        outcome.last_event.unwrap().event_id,
        tierline_eventstore::event_id("Account", "acme/a", 1)
    );
}

#[tokio::test]
async fn callers_in_one_process_and_in_two_processes_never_lose_an_update() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    // A second store on the same database stands for a second process.
    let options = tierline_eventstore::StoreOptions {
        attempts: 100,
        ..Default::default()
    };
    let runners = [(); 2].map(|()| {
        let pool = world.pool.clone();
        let store = tierline_eventstore::EventStore::new(pool, options.clone(), Vec::new());
        Arc::new(tierline_eventstore::Runner::new(store))
    });
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let runner = Arc::clone(&runners[n % 2]);
        tasks.spawn(async move {
            let command = AccountCommand::Deposit(1);
            runner
                .execute::<Account, _>(&context(), &stream("a"), command, answer)
                .await
                .unwrap()
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let loaded = world.store.load::<Account>(&stream("a")).await.unwrap();
    assert_eq!((loaded.state.balance, loaded.version), (40, 41));
}

#[tokio::test]
async fn a_wrong_etag_is_a_conflict_and_a_right_one_is_not() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    let mut with_etag = context();
    with_etag.expected_version = Some(1);
    run(&world, &with_etag, "a", AccountCommand::Deposit(1))
        .await
        .unwrap();
    let refused = rejection(run(&world, &with_etag, "a", AccountCommand::Deposit(1)).await);
    assert_eq!(
        (refused.kind, refused.reason.as_str()),
        (Kind::Conflict, "CONCURRENT_CHANGE")
    );
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer_and_changes_nothing() {
    let world = World::new().await;
    let create = request("r-1", "open");
    run(&world, &create, "a", open("p", "a.example"))
        .await
        .unwrap();
    let mut first = request("r-2", "deposit 5");
    first.expected_version = Some(1);
    run(&world, &first, "a", AccountCommand::Deposit(5))
        .await
        .unwrap();

    // Refused by the state it led to, by the etag, or found by the append: always the answer.
    let again = run(&world, &create, "a", open("p", "a.example"))
        .await
        .unwrap();
    assert!(again.is_replay());
    assert_eq!(again.response, b"0 at 1");
    let again = run(&world, &first, "a", AccountCommand::Deposit(5))
        .await
        .unwrap();
    assert_eq!(again.response, b"5 at 2");
    first.expected_version = None;
    let again = run(&world, &first, "a", AccountCommand::Deposit(5))
        .await
        .unwrap();
    assert_eq!(again.response, b"5 at 2");
    assert_eq!(world.count("SELECT count(*) FROM events").await, 2);
}

#[tokio::test]
async fn a_command_without_events_still_leaves_its_receipt() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    let settle = request("r-1", "settle 0");
    run(&world, &settle, "a", AccountCommand::Settle(0))
        .await
        .unwrap();
    run(&world, &context(), "a", AccountCommand::Deposit(7))
        .await
        .unwrap();
    let again = run(&world, &settle, "a", AccountCommand::Settle(0))
        .await
        .unwrap();
    assert_eq!(again.response, b"0 at 1");
    let loaded = world.store.load::<Account>(&stream("a")).await.unwrap();
    assert_eq!(loaded.state.balance, 7);
}

#[tokio::test]
async fn a_request_id_with_other_content_is_invalid() {
    let world = World::new().await;
    run(&world, &request("r-1", "open"), "a", open("p", "a.example"))
        .await
        .unwrap();
    let reused = request("r-1", "something else");
    let refused = rejection(run(&world, &reused, "a", AccountCommand::Deposit(1)).await);
    assert_eq!(
        (refused.kind, refused.reason.as_str()),
        (Kind::Invalid, "REQUEST_ID_REUSED")
    );
    assert_eq!(refused.violations[0].field, "request_id");
}

#[tokio::test]
async fn the_same_request_id_in_another_org_is_another_request() {
    let world = World::new().await;
    run(&world, &request("r-1", "open"), "a", open("p", "a.example"))
        .await
        .unwrap();
    let other = OrgId::parse("globex").unwrap();
    let context = CommandContext::new(other.clone(), "x").with_request("r-1", b"open");
    let stream = StreamId::new(&other, "a");
    let command = open("p", "a.example");
    let done = world
        .runner
        .execute::<Account, _>(&context, &stream, command, answer)
        .await;
    assert!(!done.unwrap().is_replay());
}

#[tokio::test]
async fn a_stream_of_another_org_does_not_exist() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    let context = CommandContext::new(OrgId::parse("globex").unwrap(), "x");
    let refused = rejection(run(&world, &context, "a", AccountCommand::Deposit(1)).await);
    assert_eq!(refused.kind, Kind::NotFound);
}

#[tokio::test]
async fn a_name_is_held_by_one_stream_until_it_lets_go() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    let refused = rejection(run(&world, &context(), "b", open("p", "a.example")).await);
    assert_eq!(refused.kind, Kind::AlreadyExists);
    assert_eq!(refused.reason, "ACCOUNT_DOMAIN_TAKEN");
    let rename = AccountCommand::Rename("new.example".into());
    run(&world, &context(), "a", rename).await.unwrap();
    run(&world, &context(), "b", open("p", "a.example"))
        .await
        .unwrap();
    assert_eq!(world.count("SELECT count(*) FROM claims").await, 2);
}

#[tokio::test]
async fn of_many_who_want_a_name_at_once_one_gets_it() {
    let world = Arc::new(World::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..24 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            run(
                &world,
                &context(),
                &format!("a-{n}"),
                open("p", "a.example"),
            )
            .await
            .is_ok()
        });
    }
    let winners = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|won| *won)
        .count();
    assert_eq!(winners, 1);
    assert_eq!(world.count("SELECT count(*) FROM events").await, 1);
}

#[tokio::test]
async fn an_aggregate_with_an_event_of_a_newer_release_refuses_commands() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
             payload, metadata)
         VALUES ('Account', 'acme/a', 2, 'test.v9.Frozen', '1.0', '{\"Frozen\":{}}', '{}')",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let refused = rejection(run(&world, &context(), "a", AccountCommand::Deposit(1)).await);
    assert_eq!(
        (refused.kind, refused.reason.as_str()),
        (Kind::Precondition, "UNKNOWN_EVENT")
    );
}

#[tokio::test]
async fn an_unreadable_event_is_data_loss_and_says_where() {
    let world = World::new().await;
    run(&world, &context(), "a", open("p", "a.example"))
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
             payload, metadata)
         VALUES ('Account', 'acme/a', 2, 'test.v1.Deposited', '2.0',
             '{\"Deposited\":{\"amount\":\"much\"}}', '{}')",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let refused = rejection(run(&world, &context(), "a", AccountCommand::Deposit(1)).await);
    assert_eq!(
        (refused.kind, refused.reason.as_str()),
        (Kind::DataLoss, "UNREADABLE_EVENT")
    );
    assert!(
        refused.message.contains("event 2 of Account acme/a"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn a_notice_goes_to_every_partition() {
    let world = World::new().await;
    let respond = |_: &Outcome<Notice>| Vec::new();
    let done = world
        .runner
        .execute::<Notice, _>(&context(), &stream("notices"), "hello".into(), respond)
        .await
        .unwrap();
    let point = done.outcome.unwrap().last_event.unwrap();
    assert_eq!(point.partition, None);
    world.sequencer.drain().await.unwrap();
    let places = world.reader.find(point.event_id).await.unwrap();
    assert_eq!(places.len(), 16);
}

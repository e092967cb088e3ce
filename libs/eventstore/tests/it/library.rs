//! What we share with cqrs-es and postgres-es, and what we leave alone, with the reasons as tests:
//! should one of these fail after an upgrade, the reason is gone.

use std::collections::HashMap;

use cqrs_es::persist::{PersistedEventRepository, PersistedEventStore, SerializedEvent};
use cqrs_es::{AggregateContext, CqrsFramework, EventStore as _};
use postgres_es::PostgresEventRepository;

use crate::account::{Account, AccountCommand, AccountEvent, open};
use crate::{World, context, stream};

fn repository(world: &World) -> PostgresEventRepository {
    PostgresEventRepository::new(world.pool.clone())
}

async fn run(world: &World, command: AccountCommand) {
    let respond = |_: &_| Vec::new();
    world
        .runner
        .execute::<Account, _>(&context(), &stream("a"), command, respond)
        .await
        .unwrap();
}

async fn with_snapshots() -> World {
    let world = World::new().await;
    sqlx::query(
        "CREATE TABLE snapshots (
             aggregate_type text NOT NULL, aggregate_id text NOT NULL,
             last_sequence bigint NOT NULL, current_snapshot bigint NOT NULL,
             payload json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, last_sequence))",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    world
}

#[tokio::test]
async fn stock_postgres_es_loads_our_streams() {
    let world = World::new().await;
    run(&world, open("p", "a.example")).await;
    run(&world, AccountCommand::Deposit(5)).await;
    let events = repository(&world)
        .get_events::<Account>("acme/a")
        .await
        .unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].event_type, "test.v1.Deposited");
    assert_eq!(events[1].metadata["actor"], "user:ada");
    let store = PersistedEventStore::<_, Account>::new_event_store(repository(&world));
    let mut loaded = store.load_aggregate("acme/a").await.unwrap();
    assert_eq!(loaded.aggregate().balance, 5);
    assert_eq!(loaded.current_sequence, 2);
}

#[tokio::test]
async fn stock_postgres_es_can_append_to_our_streams_but_not_to_the_log() {
    let world = World::new().await;
    run(&world, open("p", "a.example")).await;
    let store = PersistedEventStore::<_, Account>::new_event_store(repository(&world));
    let framework = CqrsFramework::new(store, vec![], ());
    framework
        .execute("acme/a", AccountCommand::Deposit(5))
        .await
        .unwrap();
    let loaded = world.store.load::<Account>(&stream("a")).await.unwrap();
    assert_eq!((loaded.state.balance, loaded.version), (5, 2));
    assert_eq!(world.sequencer.drain().await.unwrap(), 1);
}

#[tokio::test]
async fn cqrs_es_applies_events_twice_in_snapshot_mode() {
    let world = with_snapshots().await;
    let store = || PersistedEventStore::<_, Account>::new_snapshot_store(repository(&world), 1);
    let framework = CqrsFramework::new(store(), vec![], ());
    framework
        .execute("acme/a", open("p", "a.example"))
        .await
        .unwrap();
    framework
        .execute("acme/a", AccountCommand::Deposit(5))
        .await
        .unwrap();
    let mut loaded = store().load_aggregate("acme/a").await.unwrap();
    assert_eq!(
        loaded.aggregate().balance,
        10,
        "a deposit of 5 into an empty account"
    );
}

#[tokio::test]
async fn cqrs_es_applies_events_twice_in_aggregate_mode() {
    let world = with_snapshots().await;
    let store = || PersistedEventStore::<_, Account>::new_aggregate_store(repository(&world));
    let framework = CqrsFramework::new(store(), vec![], ());
    framework
        .execute("acme/a", open("p", "a.example"))
        .await
        .unwrap();
    framework
        .execute("acme/a", AccountCommand::Deposit(5))
        .await
        .unwrap();
    let mut loaded = store().load_aggregate("acme/a").await.unwrap();
    assert_eq!(
        loaded.aggregate().balance,
        10,
        "a deposit of 5 into an empty account"
    );
}

#[tokio::test]
async fn our_runner_applies_every_event_once() {
    let world = World::new().await;
    run(&world, open("p", "a.example")).await;
    run(&world, AccountCommand::Deposit(5)).await;
    let loaded = world.store.load::<Account>(&stream("a")).await.unwrap();
    assert_eq!((loaded.state.balance, loaded.state.entries), (5, 1));
}

#[tokio::test]
async fn the_replay_of_postgres_es_ends_without_an_error_when_the_database_fails() {
    let world = World::new().await;
    run(&world, open("p", "a.example")).await;
    let broken = repository(&world).with_tables("no_such_table", "snapshots");
    assert!(broken.get_events::<Account>("acme/a").await.is_err());
    // The same failure, as a stream: its reader panics in a task of its own, and the caller sees
    // the end of the stream.
    let mut replay = broken.stream_events::<Account>("acme/a").await.unwrap();
    assert!(replay.next::<Account>(&[]).await.is_none());
}

#[tokio::test]
async fn the_snapshot_update_of_postgres_es_reports_a_failure_after_it_has_committed() {
    let world = with_snapshots().await;
    let event = SerializedEvent::new(
        "acme/a".into(),
        1,
        "Account".into(),
        "test.v1.Deposited".into(),
        "2.0".into(),
        serde_json::to_value(AccountEvent::Deposited { amount: 5 }).unwrap(),
        serde_json::to_value(HashMap::<String, String>::new()).unwrap(),
    );
    // A second snapshot without a first: what a concurrent snapshot looks like to the loser.
    let snapshot = Some(("acme/a".to_owned(), serde_json::json!({}), 2));
    let reported = repository(&world)
        .persist::<Account>(&[event], snapshot)
        .await;
    assert!(reported.is_err());
    assert_eq!(world.count("SELECT count(*) FROM events").await, 1);
}

#[tokio::test]
async fn a_reader_that_follows_an_identity_column_skips_late_commits() {
    let world = World::new().await;
    sqlx::query("CREATE TABLE naive (id bigserial PRIMARY KEY, what text)")
        .execute(&world.pool)
        .await
        .unwrap();
    let insert =
        |what: &'static str| sqlx::query("INSERT INTO naive (what) VALUES ($1)").bind(what);
    let mut late = world.pool.begin().await.unwrap();
    insert("late").execute(&mut *late).await.unwrap();
    insert("early").execute(&world.pool).await.unwrap();
    let checkpoint = world.count("SELECT max(id) FROM naive").await;
    late.commit().await.unwrap();
    let sql = format!("SELECT count(*) FROM naive WHERE id > {checkpoint}");
    assert_eq!(world.count(&sql).await, 0, "the late row is never read");
    assert_eq!(world.count("SELECT count(*) FROM naive").await, 2);
}

//! A commit that is not answered may have happened.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{PgPool, Postgres, Transaction};
use tierline_eventstore::{
    CommandContext, CommandError, Committed, EventStore, MIGRATIONS, Runner, StoreOptions,
};
use tierline_testkit::Cluster;
use tokio::time::Instant;

use crate::account::{Account, AccountCommand, open};
use crate::{World, context, request, stream};

const SHORT: Duration = Duration::from_millis(300);

async fn deposit(
    runner: &Runner,
    context: &CommandContext,
) -> Result<Committed<Account>, CommandError> {
    let respond = |outcome: &tierline_eventstore::Outcome<Account>| {
        outcome.state.balance.to_string().into_bytes()
    };
    let command = AccountCommand::Deposit(5);
    runner
        .execute::<Account, _>(context, &stream("a"), command, respond)
        .await
}

async fn opened(options: StoreOptions) -> World {
    let world = World::with(8, options).await;
    let respond = |_: &_| Vec::new();
    let id = stream("a");
    let command = open("p", "a.example");
    world
        .runner
        .execute::<Account, _>(&context(), &id, command, respond)
        .await
        .unwrap();
    world
}

/// An uncommitted event 2 of the account: whoever appends event 2 has to wait for its end.
async fn in_the_way(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version,
             payload, metadata)
         VALUES ('Account', 'acme/a', 2, 'test.v1.Deposited', '2.0',
             '{\"Deposited\":{\"amount\":100}}', '{}')",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction
}

fn soon(mut context: CommandContext) -> CommandContext {
    context.deadline = Some(Instant::now() + SHORT);
    context
}

#[tokio::test]
async fn after_the_deadline_the_outcome_is_unknown_and_the_request_can_be_asked_again() {
    let world = opened(StoreOptions::default()).await;
    let blocker = in_the_way(&world.pool).await;
    let asked = soon(request("r-1", "deposit"));
    let unknown = deposit(&world.runner, &asked).await.unwrap_err();
    let CommandError::UnknownOutcome { request_id } = unknown else {
        panic!("{unknown:?}");
    };
    assert_eq!(request_id.as_deref(), Some("r-1"));
    // The append went through after all.
    blocker.rollback().await.unwrap();
    let answer = deposit(&world.runner, &request("r-1", "deposit"))
        .await
        .unwrap();
    assert_eq!(answer.response, b"5");
    assert_eq!(world.count("SELECT count(*) FROM events").await, 2);
}

#[tokio::test]
async fn a_request_whose_append_failed_after_the_deadline_is_carried_out_when_repeated() {
    let world = opened(StoreOptions::default()).await;
    let blocker = in_the_way(&world.pool).await;
    let unknown = deposit(&world.runner, &soon(request("r-1", "deposit"))).await;
    assert!(
        matches!(unknown, Err(CommandError::UnknownOutcome { .. })),
        "{unknown:?}"
    );
    blocker.commit().await.unwrap();
    let answer = deposit(&world.runner, &request("r-1", "deposit"))
        .await
        .unwrap();
    assert_eq!(answer.response, b"105");
    assert_eq!(world.count("SELECT count(*) FROM events").await, 3);
}

#[tokio::test]
async fn a_receipt_that_appears_in_time_makes_the_outcome_known() {
    let world = opened(StoreOptions::default()).await;
    let blocker = in_the_way(&world.pool).await;
    let asked = soon(request("r-1", "deposit"));
    let release = async {
        tokio::time::sleep(SHORT * 2).await;
        blocker.rollback().await.unwrap();
    };
    let (answer, ()) = tokio::join!(deposit(&world.runner, &asked), release);
    assert_eq!(answer.unwrap().response, b"5");
}

#[tokio::test]
async fn without_a_request_id_nothing_can_be_asked() {
    let world = opened(StoreOptions::default()).await;
    let _blocker = in_the_way(&world.pool).await;
    let unknown = deposit(&world.runner, &soon(context())).await;
    let open = matches!(
        unknown,
        Err(CommandError::UnknownOutcome { request_id: None })
    );
    assert!(open, "{unknown:?}");
}

#[tokio::test]
async fn the_store_stops_waiting_by_itself_and_closes_the_connection() {
    let options = StoreOptions {
        writers: 1,
        commit_timeout: SHORT,
        ..StoreOptions::default()
    };
    let world = opened(options).await;
    let blocker = in_the_way(&world.pool).await;
    let unknown = deposit(&world.runner, &request("r-1", "deposit")).await;
    assert!(
        matches!(unknown, Err(CommandError::UnknownOutcome { .. })),
        "{unknown:?}"
    );
    // The only writer is free again, on another connection.
    let respond = |_: &_| Vec::new();
    let command = open("p", "b.example");
    let id = stream("b");
    world
        .runner
        .execute::<Account, _>(&context(), &id, command, respond)
        .await
        .unwrap();
    blocker.rollback().await.unwrap();
    let answer = deposit(&world.runner, &request("r-1", "deposit"))
        .await
        .unwrap();
    assert_eq!(answer.response, b"5");
}

#[tokio::test]
async fn an_append_that_was_never_sent_is_not_an_unknown_outcome() {
    let options = StoreOptions {
        writers: 1,
        ..StoreOptions::default()
    };
    let world = Arc::new(opened(options).await);
    let blocker = in_the_way(&world.pool).await;
    let waiting = tokio::spawn({
        let world = Arc::clone(&world);
        async move { deposit(&world.runner, &request("r-1", "deposit")).await }
    });
    tokio::time::sleep(SHORT).await;
    let id = stream("b");
    let second = soon(request("r-2", "open"));
    let respond = |_: &_| Vec::new();
    let command = open("p", "b.example");
    let done = world
        .runner
        .execute::<Account, _>(&second, &id, command, respond)
        .await;
    assert!(
        matches!(done, Err(CommandError::Unavailable(_))),
        "{done:?}"
    );
    blocker.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(world.store.load::<Account>(&id).await.unwrap().version, 0);
}

#[tokio::test]
async fn a_commit_that_waits_for_an_absent_standby_is_unknown_and_then_found() {
    let cluster = Cluster::builder().durable().start().await;
    let pool = tierline_eventstore::connect(&cluster.url(), 8)
        .await
        .unwrap();
    MIGRATIONS.run(&pool).await.unwrap();
    let store = EventStore::open(pool.clone());
    let runner = Runner::new(store);
    let respond = |_: &_| Vec::new();
    let command = open("p", "a.example");
    runner
        .execute::<Account, _>(&context(), &stream("a"), command, respond)
        .await
        .unwrap();
    // No server-side timeout ends this wait: the commit is on disk and not confirmed.
    set_standbys(&pool, "ghost").await;
    let unknown = deposit(&runner, &soon(request("r-1", "deposit"))).await;
    assert!(
        matches!(unknown, Err(CommandError::UnknownOutcome { .. })),
        "{unknown:?}"
    );
    set_standbys(&pool, "").await;
    let answer = deposit(&runner, &request("r-1", "deposit")).await.unwrap();
    assert_eq!(answer.response, b"5");
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(events, 2);
    pool.close().await;
}

async fn set_standbys(pool: &PgPool, names: &str) {
    let sql = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
    sqlx::query(&sql).execute(pool).await.unwrap();
    sqlx::query("SELECT pg_reload_conf()")
        .execute(pool)
        .await
        .unwrap();
    tierline_testkit::eventually(crate::PATIENCE, "the setting", async || {
        let shown: String = sqlx::query_scalar("SHOW synchronous_standby_names")
            .fetch_one(pool)
            .await
            .unwrap();
        shown == names
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_fails_leaves_the_outcome_unknown() {
    let world = opened(StoreOptions::default()).await;
    sqlx::raw_sql(
        "CREATE FUNCTION broken_disk() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'could not fdatasync' USING ERRCODE = 'io_error'; END $$;
         CREATE TRIGGER broken BEFORE INSERT ON outbox
         FOR EACH ROW EXECUTE FUNCTION broken_disk();",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let unknown = deposit(&world.runner, &soon(request("r-9", "deposit"))).await;
    let unknown = unknown.unwrap_err();
    assert!(
        matches!(unknown, CommandError::UnknownOutcome { .. }),
        "{unknown:?}"
    );
}

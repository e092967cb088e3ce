//! Migrations and housekeeping.

use std::time::Duration;

use tierline_eventstore::{
    MIGRATIONS, Migration, MigrationError, Migrations, Sequencer, Vitals, maintenance,
};
use tierline_testkit::TestDatabase;

use crate::account::{Account, AccountCommand, open};
use crate::{World, request, stream};

const FIRST: Migration = Migration {
    name: "0001_first.sql",
    sql: "CREATE TABLE one (n int); INSERT INTO one VALUES (1);",
};

fn set(files: &'static [Migration]) -> Migrations {
    Migrations {
        owner: "test",
        files,
    }
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let database = TestDatabase::create().await;
    let pool = database.pool(8).await;
    let all: Vec<&str> = MIGRATIONS.files.iter().map(|file| file.name).collect();
    assert_eq!(MIGRATIONS.pending(&pool).await.unwrap(), all);
    let runs = (0..4).map(|_| MIGRATIONS.run(&pool));
    let applied = futures::future::try_join_all(runs).await.unwrap();
    assert_eq!(applied.concat(), all);
    assert!(MIGRATIONS.pending(&pool).await.unwrap().is_empty());
}

#[tokio::test]
async fn owners_do_not_share_their_numbers() {
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    MIGRATIONS.run(&pool).await.unwrap();
    assert_eq!(set(&[FIRST]).run(&pool).await.unwrap(), ["0001_first.sql"]);
}

#[tokio::test]
async fn a_file_that_was_edited_after_it_was_applied_is_refused() {
    const EDITED: Migration = Migration {
        name: "0001_first.sql",
        sql: "CREATE TABLE one (n bigint);",
    };
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    set(&[FIRST]).run(&pool).await.unwrap();
    let refused = set(&[EDITED]).run(&pool).await;
    assert!(
        matches!(refused, Err(MigrationError::Changed { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_file_that_fails_leaves_nothing_of_its_run_behind() {
    const SECOND: Migration = Migration {
        name: "0002_second.sql",
        sql: "CREATE TABLE two (n int); SELECT 1/0;",
    };
    const MISNAMED: Migration = Migration {
        name: "first.sql",
        sql: "SELECT 1",
    };
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    let failed = set(&[FIRST, SECOND]).run(&pool).await;
    assert!(matches!(
        failed,
        Err(MigrationError::Failed {
            name: "0002_second.sql",
            ..
        })
    ));
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relname IN ('one', 'two')")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(tables, 0);
    let refused = set(&[MISNAMED]).run(&pool).await;
    assert!(
        matches!(refused, Err(MigrationError::Misnamed { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_release_that_was_rolled_back_runs_on_the_newer_schema() {
    const SECOND: Migration = Migration {
        name: "0002_second.sql",
        sql: "CREATE TABLE two (n int);",
    };
    let database = TestDatabase::create().await;
    let pool = database.pool(2).await;
    set(&[FIRST, SECOND]).run(&pool).await.unwrap();
    assert!(set(&[FIRST]).run(&pool).await.unwrap().is_empty());
}

#[tokio::test]
async fn old_receipts_expire_in_batches_and_young_ones_stay() {
    let world = World::new().await;
    let respond = |_: &_| Vec::new();
    let id = stream("a");
    let young = request("young", "open");
    let command = open("p", "a.example");
    world
        .runner
        .execute::<Account, _>(&young, &id, command.clone(), respond)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO receipts (org_id, request_id, request_hash, response, created_at)
         SELECT 'acme', 'old-' || n, '', '', now() - interval '31 days'
         FROM generate_series(1, 25) n",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    let month = Duration::from_secs(30 * 86_400);
    let expire = || maintenance::expire_receipts(&world.pool, month, 10);
    assert_eq!(expire().await.unwrap(), 10);
    assert_eq!(expire().await.unwrap(), 10);
    assert_eq!(expire().await.unwrap(), 5);
    assert_eq!(expire().await.unwrap(), 0);
    let again = world
        .runner
        .execute::<Account, _>(&young, &id, command, respond)
        .await
        .unwrap();
    assert!(again.is_replay());
}

#[tokio::test]
async fn the_backlog_is_seen_and_statistics_of_the_partitioned_parent_are_refreshed() {
    let world = World::new().await;
    let respond = |_: &_| Vec::new();
    let id = stream("a");
    let runner = &world.runner;
    let opened = request("r", "");
    runner
        .execute::<Account, _>(&opened, &id, open("p", "a.example"), respond)
        .await
        .unwrap();
    let deposit = AccountCommand::Deposit(1);
    runner
        .execute::<Account, _>(&request("s", ""), &id, deposit, respond)
        .await
        .unwrap();
    let mut other = world.pool.begin().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut *other).await.unwrap();
    let vitals = Vitals::read(&world.pool).await.unwrap();
    assert_eq!(vitals.waiting, 2);
    assert!(vitals.oldest_waiting > Duration::ZERO, "{vitals:?}");
    assert!(vitals.oldest_transaction > Duration::ZERO, "{vitals:?}");
    other.rollback().await.unwrap();
    Sequencer::new(world.pool.clone(), Default::default())
        .drain()
        .await
        .unwrap();
    let vitals = Vitals::read(&world.pool).await.unwrap();
    assert_eq!((vitals.waiting, vitals.oldest_waiting), (0, Duration::ZERO));
    let known = "SELECT count(*) FROM pg_stats WHERE tablename = 'events' AND inherited";
    assert_eq!(world.count(known).await, 0);
    maintenance::analyze(&world.pool).await.unwrap();
    assert!(world.count(known).await > 0);
}

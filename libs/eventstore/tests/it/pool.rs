//! Connections of a pool through a restart of the server.

use std::time::Duration;

use tierline_eventstore::{end_standing_still, process_id};
use tierline_testkit::Cluster;

/// Longer than a connection is trusted without a question.
const REST: Duration = Duration::from_millis(1_200);

#[tokio::test]
async fn connections_that_died_while_nobody_used_them_fail_no_caller() {
    let mut cluster = Cluster::start().await;
    let pool = tierline_eventstore::connect(&cluster.url(), 4)
        .await
        .unwrap();
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(pool.acquire().await.unwrap());
    }
    drop(all);
    tierline_testkit::eventually(
        Duration::from_secs(5),
        "four idle connections",
        async || pool.num_idle() == 4,
    )
    .await;
    let url = cluster.url();
    cluster.stop().await;
    // The time is the condition here: a connection that was used just now is not asked.
    tokio::time::sleep(REST).await;
    cluster.start_again().await;
    assert_eq!(
        cluster.url(),
        url,
        "the port was taken by somebody else meanwhile"
    );
    for call in 1..=4 {
        let one: Result<i32, sqlx::Error> = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await;
        assert!(one.is_ok(), "call {call}: {one:?}");
    }
}

#[tokio::test]
async fn who_stands_still_in_a_transaction_keeps_no_lock_from_others() {
    const LOCK: &str = "SELECT pg_advisory_xact_lock(7)";
    const STILL: Duration = Duration::from_secs(1);
    let cluster = Cluster::start().await;
    let pool = tierline_eventstore::connect(&cluster.url(), 3)
        .await
        .unwrap();
    let mut still = pool.begin().await.unwrap();
    sqlx::query(LOCK).execute(&mut *still).await.unwrap();
    let mut other = pool.acquire().await.unwrap();
    let (this, another) = (process_id(), uuid::Uuid::new_v4());
    for (process, rest) in [(this, Duration::ZERO), (another, STILL + STILL / 2)] {
        tokio::time::sleep(rest).await;
        let ended = end_standing_still(&mut other, &[process], STILL).await;
        assert_eq!(ended.unwrap(), 0, "it moved a moment ago, or is not meant");
    }
    let ended = end_standing_still(&mut other, &[another, this], STILL).await;
    assert_eq!(ended.unwrap(), 1);
    let mut other = pool.begin().await.unwrap();
    let locked = sqlx::query(LOCK).execute(&mut *other);
    tokio::time::timeout(Duration::from_secs(20), locked)
        .await
        .unwrap()
        .unwrap();
    let ended = sqlx::query("SELECT 1").execute(&mut *still).await;
    assert!(ended.is_err());
}

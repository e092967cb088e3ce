//! The test servers themselves, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use sqlx::{Connection, PgConnection};
use tierline_testkit::{Cluster, TestDatabase};

async fn exists(database: &TestDatabase, name: &str) -> bool {
    let mut connection = database.connect().await;
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn two_databases_do_not_see_each_other_and_are_dropped_with_open_connections() {
    let first = TestDatabase::create_with("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await;
    let second = TestDatabase::create().await;
    let pool = first.pool(2).await;
    let n: i32 = sqlx::query_scalar("SELECT n FROM t")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(n, 7);
    let mut other = PgConnection::connect(&second.url()).await.unwrap();
    assert!(
        sqlx::query("SELECT n FROM t")
            .execute(&mut other)
            .await
            .is_err()
    );
    let name = first.name().to_owned();
    assert!(exists(&second, &name).await);
    drop(first);
    assert!(!exists(&second, &name).await);
}

#[tokio::test]
async fn what_a_killed_run_left_behind_is_dropped_by_a_later_one() {
    let database = TestDatabase::create().await;
    let old = format!("tierline_test_1000000000_{}", std::process::id());
    let mut connection = database.connect().await;
    let sql = format!("CREATE DATABASE {old} TEMPLATE template0");
    sqlx::raw_sql(&sql).execute(&mut connection).await.unwrap();
    let _later = TestDatabase::create().await;
    assert!(!exists(&database, &old).await);
}

#[tokio::test]
async fn a_cluster_keeps_its_data_through_stop_crash_and_new_settings() {
    let mut cluster = Cluster::builder()
        .setting("max_connections", "12")
        .start()
        .await;
    let show = async |cluster: &Cluster| -> String {
        let mut connection = PgConnection::connect(&cluster.url()).await.unwrap();
        sqlx::query_scalar("SHOW max_connections")
            .fetch_one(&mut connection)
            .await
            .unwrap()
    };
    let database = TestDatabase::create_on(&cluster.url()).await;
    assert_eq!(show(&cluster).await, "12");
    cluster.crash().await;
    cluster.start_again().await;
    assert!(exists(&database, database.name()).await);
    cluster.stop().await;
    cluster.set("max_connections", "14");
    cluster.start_again().await;
    assert_eq!(show(&cluster).await, "14");
    drop(database);
    let folder = cluster.folder().to_owned();
    assert!(folder.exists());
    drop(cluster);
    assert!(!folder.exists(), "nothing is left of it");
}

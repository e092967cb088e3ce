//! Callers who get no connection are told whose limit that is.

use std::time::Duration;

use sqlx::Connection as _;
use tierline_domain::StreamId;
use tierline_domain::partner::Partner;
use tierline_eventstore::{CommandError, EventStore, StoreOptions, crowd};
use tierline_testkit::{Cluster, eventually};

const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> StoreOptions {
    StoreOptions {
        load_timeout: Duration::from_millis(1_500),
        ..StoreOptions::default()
    }
}

async fn refused(store: &EventStore) -> CommandError {
    let stream = StreamId::from("acme/p".to_owned());
    match store.load::<Partner>(&stream).await {
        Ok(_) => panic!("it was loaded without a connection"),
        Err(error) => error,
    }
}

fn is_exhausted(error: &CommandError) -> bool {
    matches!(error, CommandError::Unavailable(Some(cause)) if cause.is_exhausted())
}

#[tokio::test]
async fn a_pool_that_is_used_up_is_our_limit_and_a_full_server_is_not() {
    let cluster = Cluster::builder()
        .setting("max_connections", "12")
        .start()
        .await;
    let url = cluster.url();
    let pool = tierline_eventstore::connect(&url, 1).await.unwrap();
    tierline_eventstore::MIGRATIONS.run(&pool).await.unwrap();
    let store = EventStore::new(pool.clone(), options(), Vec::new());
    let watching = tokio::spawn(crowd::watch(pool.clone()));

    let held = pool.acquire().await.unwrap();
    eventually(PATIENCE, "a look at the server", async || crowd::is_ours()).await;
    let error = refused(&store).await;
    assert!(is_exhausted(&error), "{error:?}");

    // Strangers take every connection that the server has.
    let mut strangers = Vec::new();
    while let Ok(stranger) = sqlx::PgConnection::connect(&url).await {
        strangers.push(stranger);
    }
    eventually(PATIENCE, "the look is old", async || !crowd::is_ours()).await;
    let error = refused(&store).await;
    assert!(!is_exhausted(&error), "{error:?}");
    assert!(matches!(error, CommandError::Unavailable(_)), "{error:?}");

    drop((strangers, held));
    eventually(PATIENCE, "a load", async || {
        let stream = StreamId::from("acme/p".to_owned());
        store.load::<Partner>(&stream).await.is_ok()
    })
    .await;
    pool.close().await;
    watching.await.unwrap();
}

//! Reading one's own writes, without being told by the consumer.

use std::time::Duration;

use tierline_bus::{Behind, ConsumerId, Waiter};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::log::{ID, Log, Recorder, Way};

/// Waits for the event as a query does that was given its token.
async fn applied(
    waiter: &Waiter,
    event: Uuid,
    through: Option<ConsumerId>,
    deadline: Instant,
) -> Result<(), Behind> {
    let places = waiter.numbered(event, deadline).await?;
    waiter.applied(&places, through, ID, deadline).await
}

#[tokio::test]
async fn many_wait_for_many_events_and_each_is_told_when_its_own_is_applied() {
    let log = Log::new(Way::Log).await;
    let waiter = std::sync::Arc::new(Waiter::new(log.pool.clone(), None));
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut waiting = JoinSet::new();
    for n in 0..40 {
        let (partner, marker) = (format!("p{}", n % 7), format!("n{n}"));
        let event = log.commit(&partner, &marker).await;
        for through in [None, Some(ID)] {
            let waiter = std::sync::Arc::clone(&waiter);
            let pool = log.pool.clone();
            let marker = marker.clone();
            waiting.spawn(async move {
                applied(&waiter, event, through, deadline).await.unwrap();
                let found = sqlx::query_scalar("SELECT count(*) FROM applied WHERE marker = $1");
                let count: i64 = found.bind(&marker).fetch_one(&pool).await.unwrap();
                assert_eq!(count, 1, "{marker} was not there yet");
            });
        }
    }
    let early = tokio::time::timeout(Duration::from_millis(200), waiting.join_next()).await;
    assert!(early.is_err(), "nothing is numbered yet");
    log.sequencer.drain().await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), waiting.join_next()).await;
    assert!(early.is_err(), "nothing is applied yet");
    let (stop, task) = log.start(Recorder::default(), false);
    while let Some(told) = waiting.join_next().await {
        told.unwrap();
    }
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn through_another_consumer_also_what_it_wrote_and_nobody_numbered_yet() {
    let log = Log::new(Way::Log).await;
    let waiter = Waiter::new(log.pool.clone(), None);
    let (stop, task) = log.start(Recorder::default(), false);
    let first = log.commit("p0", "first").await;
    log.sequencer.drain().await.unwrap();
    log.caught_up().await;
    // As if the upstream consumer had written it: committed, without a number.
    log.commit("p0", "second").await;
    let soon = Instant::now() + Duration::from_millis(300);
    let early = applied(&waiter, first, Some(ID), soon).await;
    assert!(matches!(early, Err(Behind::Late)), "{early:?}");
    log.sequencer.drain().await.unwrap();
    let later = Instant::now() + Duration::from_secs(30);
    applied(&waiter, first, Some(ID), later).await.unwrap();
    assert_eq!(log.applied("p0").await, ["first", "second"]);
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_event_that_nobody_wrote_is_waited_for_until_the_deadline() {
    let log = Log::new(Way::Log).await;
    let waiter = Waiter::new(log.pool.clone(), None);
    let soon = Instant::now() + Duration::from_millis(100);
    let outcome = waiter.numbered(Uuid::new_v4(), soon).await;
    assert!(matches!(outcome, Err(Behind::UnknownEvent)), "{outcome:?}");
}

#[tokio::test]
async fn all_who_wait_are_told_that_the_database_fails() {
    let log = Log::new(Way::Log).await;
    let pool = log.pool.clone();
    let waiter = Waiter::new(pool.clone(), None);
    let deadline = Instant::now() + Duration::from_secs(30);
    let places = vec![(0, 1)];
    let both = async {
        tokio::join!(
            waiter.numbered(Uuid::new_v4(), deadline),
            waiter.applied(&places, Some(ID), ID, deadline),
        )
    };
    let (told, ()) = tokio::join!(both, pool.close());
    for outcome in [told.0.map(|_| ()), told.1] {
        assert!(matches!(outcome, Err(Behind::Database(_))), "{outcome:?}");
    }
}

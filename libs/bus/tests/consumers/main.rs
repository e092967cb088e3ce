//! What a consumer promises, on a real log: at-least-once reading, exactly-once effect. Every test
//! runs on every way from the log to the consumer: the log itself, and JetStream of each server.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

mod jetstream;
mod log;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tierline_bus::{
    Consumer, ConsumerError, Feed, Membership, Options, Positions, SharedLog, parked,
};
use tierline_eventstore::{LogReader, PARTITIONS};
use tierline_testkit::{Nats, eventually};
use tokio_util::sync::CancellationToken;

use crate::log::{ID, Log, Recorder, Way};

macro_rules! on_every_way {
    ($($name:ident,)*) => {
        mod on_the_log {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::Log::new(super::Way::Log).await).await;
            })*
        }
        mod on_jetstream {
            $(#[tokio::test]
            async fn $name() {
                for program in super::Nats::programs() {
                    super::$name(&super::Log::new(super::Way::JetStream(program)).await).await;
                }
            })*
        }
    };
}

on_every_way! {
    every_event_takes_effect_once_and_in_order_across_restarts_and_failures,
    who_lost_the_lease_is_fenced_and_applies_nothing_more,
    instances_share_the_partitions_and_take_over_what_a_dead_one_held,
    a_poison_event_parks_its_partner_and_a_retry_keeps_the_order,
    a_parked_partner_stays_parked_across_a_restart,
    who_finds_nothing_of_interest_takes_few_batches,
}

async fn every_event_takes_effect_once_and_in_order_across_restarts_and_failures(log: &Log) {
    let handler = Recorder::default();
    for round in 0..3 {
        let (stop, task) = log.start(handler.clone(), false);
        for n in 0..20 {
            log.append(&format!("p{}", n % 5), &format!("r{round}n{n}"))
                .await;
        }
        handler.broken.store(true, Ordering::SeqCst);
        log.append("p0", &format!("r{round}last")).await;
        log.caught_up().await;
        stop.cancel();
        task.await.unwrap().unwrap();
    }
    assert_eq!(log.doubled().await, 0);
    let first = log.applied("p0").await;
    let expected: Vec<String> = (0..3)
        .flat_map(|round| {
            let numbered = [0, 5, 10, 15].map(|n| format!("r{round}n{n}"));
            numbered.into_iter().chain([format!("r{round}last")])
        })
        .collect();
    assert_eq!(first, expected);
}

async fn who_finds_nothing_of_interest_takes_few_batches(log: &Log) {
    let handler = Recorder::default();
    handler.unconcerned.store(true, Ordering::SeqCst);
    let (stop, task) = log.start(handler.clone(), false);
    log.append("p0", "first").await;
    log.caught_up().await;
    let begin = std::time::Instant::now();
    let before = batches_told();
    for n in 0..40 {
        log.append(&format!("p{}", n % 5), &format!("n{n}")).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    log.caught_up().await;
    let batches = batches_told() - before;
    // A batch is of seven events at most; in between there is a tenth of a second.
    let most = begin.elapsed().as_millis() / 100 + 2;
    assert!(batches > 0, "the checkpoint did not move");
    assert!(
        u128::from(batches) <= most,
        "{batches} batches, {most} at most"
    );
    assert_eq!(
        handler.batches.load(Ordering::SeqCst),
        0,
        "given to the handler"
    );
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// Batches of the consumer in this process, as they are told.
fn batches_told() -> u64 {
    let told = tierline_telemetry::install_metrics().render();
    let series = "tierline_consumer_batches_total{consumer=\"counter\"}";
    let line = told.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// Leases that were taken over and leases that were lost in this process, as they are told.
fn leases_moved() -> [u64; 2] {
    let told = tierline_telemetry::install_metrics().render();
    ["taken_over", "lost"].map(|change| {
        let series =
            format!("tierline_lease_changes_total{{consumer=\"counter\",change=\"{change}\"}}");
        let line = told.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0, |count| count.trim().parse().unwrap())
    })
}

async fn who_lost_the_lease_is_fenced_and_applies_nothing_more(log: &Log) {
    let before = leases_moved();
    let slow = Recorder::default();
    slow.slow.store(true, Ordering::SeqCst);
    let (_stop, first) = log.start(slow.clone(), false);
    for n in 0..30 {
        log.append("acme", &format!("n{n}")).await;
    }
    eventually(
        Duration::from_secs(10),
        "the first to be at work",
        async || slow.batches.load(Ordering::SeqCst) > 0,
    )
    .await;
    let (stop, second) = log.start(Recorder::default(), true);
    let fenced = first.await.unwrap().unwrap_err();
    assert!(matches!(fenced, ConsumerError::Fenced(_)), "{fenced}");
    assert_eq!(leases_moved(), before.map(|count| count + 16));
    log.caught_up().await;
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(log.doubled().await, 0);
    let expected: Vec<String> = (0..30).map(|n| format!("n{n}")).collect();
    assert_eq!(log.applied("acme").await, expected);
}

async fn instances_share_the_partitions_and_take_over_what_a_dead_one_held(log: &Log) {
    let holders = async || -> Vec<i64> {
        sqlx::query_scalar(
            "SELECT count(*) FROM bus.leases
             WHERE expires_at > clock_timestamp() AND consumer = 'counter'
             GROUP BY owner ORDER BY 1",
        )
        .fetch_all(&log.pool)
        .await
        .unwrap()
    };
    let (stop, first) = log.start(Recorder::default(), false);
    eventually(Duration::from_secs(10), "one to hold all", async || {
        holders().await == [16]
    })
    .await;
    let (_stop, second) = log.start(Recorder::default(), false);
    eventually(Duration::from_secs(10), "an even share", async || {
        holders().await == [8, 8]
    })
    .await;
    for n in 0..40 {
        log.append(&format!("p{}", n % 20), &format!("n{n}")).await;
    }
    log.caught_up().await;

    // As if its process had been killed: it says no goodbye.
    second.abort();
    for n in 40..80 {
        log.append(&format!("p{}", n % 20), &format!("n{n}")).await;
    }
    log.caught_up().await;
    eventually(Duration::from_secs(10), "one to hold all", async || {
        holders().await == [16]
    })
    .await;
    assert_eq!(log.doubled().await, 0);
    for partner in 0..20 {
        let expected: Vec<String> = (0..4).map(|n| format!("n{}", n * 20 + partner)).collect();
        assert_eq!(log.applied(&format!("p{partner}")).await, expected);
    }

    // Who leaves in order is missed by nobody.
    let (_stop, third) = log.start(Recorder::default(), false);
    eventually(Duration::from_secs(10), "an even share", async || {
        holders().await == [8, 8]
    })
    .await;
    stop.cancel();
    first.await.unwrap().unwrap();
    eventually(Duration::from_secs(4), "the rest to be taken", async || {
        holders().await == [16]
    })
    .await;
    third.abort();
}

async fn a_poison_event_parks_its_partner_and_a_retry_keeps_the_order(log: &Log) {
    let handler = Recorder::default();
    handler.poison.lock().unwrap().insert("bad".to_owned());
    let (stop, task) = log.start(handler.clone(), false);
    for marker in ["a", "bad", "b", "c"] {
        log.append("ill", marker).await;
        log.append("well", marker.replace("bad", "good").as_str())
            .await;
    }
    log.caught_up().await;
    assert_eq!(log.applied("ill").await, ["a"]);
    assert_eq!(log.applied("well").await, ["a", "good", "b", "c"]);
    let waiting = parked::list(&log.pool, "acme", 10).await.unwrap();
    let errors: Vec<&str> = waiting.iter().map(|event| event.error.as_str()).collect();
    assert_eq!(errors, ["it is poison", "", ""]);

    // Asked too early: it stays parked, and says why.
    parked::retry(&log.pool, "acme", ID.name, "acme/ill")
        .await
        .unwrap();
    eventually(
        Duration::from_secs(10),
        "the retry to have failed",
        async || {
            let asked: i64 = sqlx::query_scalar("SELECT count(*) FROM bus.parked WHERE retry")
                .fetch_one(&log.pool)
                .await
                .unwrap();
            asked == 0
        },
    )
    .await;
    assert_eq!(log.applied("ill").await, ["a"]);

    handler.poison.lock().unwrap().clear();
    parked::retry(&log.pool, "acme", ID.name, "acme/ill")
        .await
        .unwrap();
    eventually(
        Duration::from_secs(10),
        "the parked events to be applied",
        async || log.applied("ill").await == ["a", "bad", "b", "c"],
    )
    .await;
    log.append("ill", "d").await;
    log.caught_up().await;
    assert_eq!(log.applied("ill").await, ["a", "bad", "b", "c", "d"]);
    assert_eq!(parked::list(&log.pool, "acme", 10).await.unwrap(), []);
    stop.cancel();
    task.await.unwrap().unwrap();
    assert_eq!(log.doubled().await, 0);
}

async fn a_parked_partner_stays_parked_across_a_restart(log: &Log) {
    let handler = Recorder::default();
    handler.poison.lock().unwrap().insert("bad".to_owned());
    let (stop, task) = log.start(handler.clone(), false);
    log.append("ill", "bad").await;
    log.caught_up().await;
    stop.cancel();
    task.await.unwrap().unwrap();
    let (stop, task) = log.start(handler.clone(), false);
    log.append("ill", "later").await;
    log.append("well", "later").await;
    log.caught_up().await;
    assert_eq!(log.applied("ill").await, [""; 0]);
    assert_eq!(log.applied("well").await, ["later"]);
    assert_eq!(parked::list(&log.pool, "acme", 10).await.unwrap().len(), 2);
    stop.cancel();
    task.await.unwrap().unwrap();
}

/// The goodbye of a consumer that was fenced can fail, as everything can while the database goes
/// away. Then its leases stay in the name of its process, which lives and beats.
#[tokio::test]
async fn what_a_consumer_left_without_a_word_is_taken_again_by_its_own_process() {
    let log = Log::new(Way::Log).await;
    let process = Membership::new(log.pool.clone());
    let start = || {
        let stop = CancellationToken::new();
        let options = Options {
            membership: Some(Arc::clone(&process)),
            ..Options::default()
        };
        let (feed, handler) = (log.shared().feed(), Recorder::default());
        let consumer = Consumer::new(ID, log.pool.clone(), feed, handler, options);
        (stop.clone(), tokio::spawn(consumer.run(stop)))
    };
    let (_stop, first) = start();
    log.append("acme", "n0").await;
    log.caught_up().await;
    first.abort();
    log.append("acme", "n1").await;
    let (stop, second) = start();
    log.caught_up().await;
    stop.cancel();
    second.await.unwrap().unwrap();
    assert_eq!(log.applied("acme").await, ["n0", "n1"]);
}

#[tokio::test]
async fn consumers_that_are_equally_far_share_one_read_but_never_the_news_that_there_is_none() {
    let log = Log::new(Way::Log).await;
    let shared = SharedLog::new(LogReader::new(log.pool.clone()), None);
    let (mut one, mut other) = (shared.feed(), shared.feed());
    let begin: Positions = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    assert!(one.read(&begin, 100).await.unwrap().is_empty());
    log.append("p-1", "a").await;
    let first = one.read(&begin, 100).await.unwrap();
    assert_eq!(first.len(), 1, "what was empty is looked at again");
    let same = other.read(&begin, 100).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same));

    // Who is further reads on, and sees what came meanwhile.
    log.append("p-1", "b").await;
    let mut after = begin.clone();
    after[usize::from(first[0].partition)].1 = first[0].partition_number;
    let second = other.read(&after, 100).await.unwrap();
    assert!(second[0].payload.contains("\"b\""), "{second:?}");
    // Nobody is given fewer or more than asked for.
    assert_eq!(one.read(&begin, 1).await.unwrap().len(), 1);
}

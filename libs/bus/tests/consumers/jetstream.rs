//! What JetStream may do to a consumer, and what it must not do to the relay.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_trait::async_trait;
use sqlx::PgConnection;
use tierline_bus::jetstream::{JetStreamLog, stream_name};
use tierline_bus::{
    Consumer, ConsumerError, ConsumerId, Feed, Handler, HandlerError, Options, RELAY, Sighting,
    cloudevent,
};
use tierline_eventstore::{Epoch, LogEvent, LogReader, PARTITIONS};
use tierline_testkit::{Nats, eventually};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::log::{ID, Log, PROCESS, Recorder, Way, connect};

async fn on_each_server(test: impl AsyncFn(Log)) {
    for program in Nats::programs() {
        test(Log::new(Way::JetStream(program)).await).await;
    }
}

/// Events of all partitions in the streams: messages, and the highest number.
async fn stored(log: &Log) -> Vec<(u64, u64)> {
    let context = async_nats::jetstream::new(log.bus.as_ref().unwrap().jetstream.client().clone());
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        let stream = context.get_stream(stream_name(partition)).await.unwrap();
        let state = &stream.cached_info().state;
        found.push((state.messages, state.last_sequence));
    }
    found
}

async fn heads(log: &Log) -> [i64; 16] {
    let reader = LogReader::new(log.pool.clone());
    reader.heads().await.unwrap().partitions
}

async fn all_events(log: &Log) -> Vec<LogEvent> {
    let reader = LogReader::new(log.pool.clone());
    reader.read_positions(0, 1_000).await.unwrap()
}

async fn epoch(log: &Log) -> Uuid {
    let mut connection = log.pool.acquire().await.unwrap();
    Epoch::present(&mut connection).await.unwrap()
}

#[tokio::test]
async fn every_event_is_in_its_stream_once_and_is_acknowledged_after_the_commit() {
    on_each_server(async |log| {
        let (stop, task) = log.start(Recorder::default(), false);
        for n in 0..60 {
            log.append(&format!("p{}", n % 20), &format!("n{n}")).await;
        }
        log.reached(RELAY).await;
        log.caught_up().await;
        let expected: Vec<(u64, u64)> = heads(&log)
            .await
            .iter()
            .map(|head| (head.cast_unsigned(), head.cast_unsigned()))
            .collect();
        assert_eq!(stored(&log).await, expected);
        eventually(Duration::from_secs(20), "acknowledgements", async || {
            unacknowledged(&log).await == 0
        })
        .await;
        stop.cancel();
        task.await.unwrap().unwrap();
        assert_eq!(log.doubled().await, 0);
    })
    .await;
}

/// Messages that are delivered and not acknowledged, or not delivered yet; very many while the
/// stream is not followed.
async fn unacknowledged(log: &Log) -> u64 {
    let client = log.bus.as_ref().unwrap().jetstream.client().clone();
    let context = async_nats::jetstream::new(client);
    let mut count = 0;
    for (partition, head) in (0..PARTITIONS).zip(heads(log).await) {
        if head > 0 {
            let Ok(stream) = context.get_stream(stream_name(partition)).await else {
                return u64::MAX;
            };
            let Ok(consumer): Result<PullConsumer, _> = stream.get_consumer(PROCESS).await else {
                return u64::MAX;
            };
            let info = consumer.cached_info();
            count += info.num_ack_pending as u64 + info.num_pending;
        }
    }
    count
}

/// Applies nothing before it is allowed to.
struct Gate(watch::Receiver<bool>);

#[async_trait]
impl Handler for Gate {
    async fn start(&mut self, _: &mut PgConnection, _: &[u8]) -> Result<(), HandlerError> {
        Ok(())
    }

    async fn apply(&mut self, _: &mut PgConnection, _: &[LogEvent]) -> Result<(), HandlerError> {
        self.0.wait_for(|open| *open).await.unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn consumers_of_a_process_share_what_comes_and_none_holds_up_another() {
    const SLOW: ConsumerId = ConsumerId {
        name: "slow",
        version: 1,
    };
    on_each_server(async |log| {
        let (open, gate) = watch::channel(false);
        let source = log.source();
        let slow = Consumer::new(
            SLOW,
            log.pool.clone(),
            source.feed(SLOW),
            Gate(gate),
            Options::default(),
        );
        let stop = CancellationToken::new();
        let slow = tokio::spawn(slow.run(stop.clone()));
        let quick = log.consumer(&source, Recorder::default(), false);
        let quick = tokio::spawn(quick.run(stop.clone()));
        log.append("acme", "first").await;
        log.reached(ID).await;
        // Both were given the message, and one has not committed it.
        eventually(Duration::from_secs(10), "the delivery", async || {
            unacknowledged(&log).await == 1
        })
        .await;
        // More than wait for one consumer.
        let markers: Vec<String> = (0..700).map(|n| format!("n{n}")).collect();
        log.append_all("acme", &markers).await;
        log.reached(ID).await;
        open.send_replace(true);
        log.reached(SLOW).await;
        eventually(Duration::from_secs(60), "acknowledgements", async || {
            unacknowledged(&log).await == 0
        })
        .await;
        stop.cancel();
        slow.await.unwrap().unwrap();
        quick.await.unwrap().unwrap();
        assert_eq!(log.applied("acme").await.len(), 701);
        assert_eq!(log.doubled().await, 0);
    })
    .await;
}

#[tokio::test]
async fn no_name_of_a_person_reaches_the_bus() {
    on_each_server(async |log| {
        log.append("acme", "private-ada-lovelace").await;
        log.append("acme", "plain").await;
        log.reached(RELAY).await;
        let client = log.bus.as_ref().unwrap().jetstream.client().clone();
        let context = async_nats::jetstream::new(client);
        let partition = all_events(&log).await[0].partition;
        let stream = context.get_stream(stream_name(partition)).await.unwrap();
        let mut seen = String::new();
        for sequence in 1..=2 {
            let message = stream.get_raw_message(sequence).await.unwrap();
            seen += &format!("{:?} {:?}\n", message.headers, message.payload);
        }
        assert!(seen.contains("plain"), "{seen}");
        // The id of an aggregate is not a name; here it contains the marker.
        let without_ids = seen.replace("acme-private-ada-lovelace", "");
        assert!(!without_ids.contains("lovelace"), "{without_ids}");
        assert!(!without_ids.contains("acme.example"), "{without_ids}");
    })
    .await;
}

#[tokio::test]
async fn while_the_server_is_away_the_log_is_read_and_afterwards_nothing_is_missing() {
    on_each_server(async |mut log| {
        let (stop, task) = log.start(Recorder::default(), false);
        log.append("acme", "before").await;
        log.caught_up().await;
        log.reached(RELAY).await;
        log.bus.as_mut().unwrap().nats.crash().await;
        for n in 0..20 {
            log.append(&format!("p{n}"), "meanwhile").await;
        }
        log.caught_up().await;
        log.bus.as_mut().unwrap().nats.start_again().await;
        log.append("acme", "after").await;
        log.reached(RELAY).await;
        log.caught_up().await;
        let total: u64 = stored(&log)
            .await
            .iter()
            .map(|(messages, _)| messages)
            .sum();
        assert_eq!(total, 22);
        stop.cancel();
        task.await.unwrap().unwrap();
        assert_eq!(log.applied("acme").await, ["before", "after"]);
        assert_eq!(log.doubled().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_wiped_store_is_made_anew_and_consumers_heal_from_the_log() {
    on_each_server(async |mut log| {
        let (stop, task) = log.start(Recorder::default(), false);
        for n in 0..20 {
            log.append("acme", &format!("n{n}")).await;
        }
        log.reached(RELAY).await;
        let bus = log.bus.as_mut().unwrap();
        bus.nats.stop().await;
        bus.nats.wipe();
        bus.nats.start_again().await;
        for n in 20..40 {
            log.append("acme", &format!("n{n}")).await;
        }
        log.caught_up().await;
        log.reached(RELAY).await;
        stop.cancel();
        task.await.unwrap().unwrap();
        let expected: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        assert_eq!(log.applied("acme").await, expected);
        assert_eq!(log.doubled().await, 0);
        // Numbers go on where they were, on whatever sequence the new stream begins with.
        let last = all_events(&log).await.pop().unwrap();
        let client = log.bus.as_ref().unwrap().jetstream.client().clone();
        let context = async_nats::jetstream::new(client);
        let stream = context
            .get_stream(stream_name(last.partition))
            .await
            .unwrap();
        let sequence = stream.cached_info().state.last_sequence;
        let message = stream.get_raw_message(sequence).await.unwrap();
        let witness = cloudevent::witness(last.partition, &message.headers).unwrap();
        assert_eq!(witness.seen, Sighting::from(&last));
    })
    .await;
}

#[tokio::test]
async fn messages_that_are_lost_repeated_or_changed_do_no_harm() {
    on_each_server(async |mut log| {
        for n in 0..10 {
            log.append("acme", &format!("n{n}")).await;
        }
        log.reached(RELAY).await;
        let (stop_relay, relay) = log.bus.as_mut().unwrap().relay.take().unwrap();
        stop_relay.cancel();
        relay.await.unwrap().unwrap();
        let events = all_events(&log).await;
        let client = log.bus.as_ref().unwrap().jetstream.client().clone();
        let context = async_nats::jetstream::new(client.clone());
        let stream = context
            .get_stream(stream_name(events[0].partition))
            .await
            .unwrap();
        assert!(stream.delete_message(3).await.unwrap());
        let epoch = epoch(&log).await;
        let again = |event: &LogEvent, body: Option<&str>| {
            let (mut headers, whole) = cloudevent::encode(event, epoch);
            headers.insert("Nats-Msg-Id", Uuid::new_v4().to_string());
            let body = body.map_or(whole, |body| body.to_owned().into());
            (cloudevent::subject(event), headers, body)
        };
        // An old one again, and one that says something else under its number.
        for (subject, headers, body) in [
            again(&events[2], None),
            again(&events[8], Some("{\"marker\":\"forged\"}")),
        ] {
            let sent = context
                .publish_with_headers(subject, headers, body)
                .await
                .unwrap();
            sent.await.unwrap();
        }
        let (stop, task) = log.start(Recorder::default(), false);
        log.caught_up().await;
        log.append("acme", "n10").await;
        log.caught_up().await;
        stop.cancel();
        task.await.unwrap().unwrap();
        let expected: Vec<String> = (0..=10).map(|n| format!("n{n}")).collect();
        assert_eq!(log.applied("acme").await, expected);
        assert_eq!(log.doubled().await, 0);
    })
    .await;
}

#[tokio::test]
async fn two_relays_at_once_double_nothing_whoever_has_the_lease() {
    on_each_server(async |log| {
        let bus = log.bus.as_ref().unwrap();
        let other = connect(bus.nats.url()).await;
        for round in 0..4 {
            let (stop, second) = log.relay(&other);
            for n in 0..30 {
                log.append(&format!("p{n}"), &format!("r{round}")).await;
            }
            stop.cancel();
            second.await.unwrap().unwrap();
        }
        log.reached(RELAY).await;
        let total: u64 = stored(&log)
            .await
            .iter()
            .map(|(messages, _)| messages)
            .sum();
        assert_eq!(total, 120);
    })
    .await;
}

#[tokio::test]
async fn events_that_the_log_does_not_have_stop_the_relay_and_every_consumer() {
    on_each_server(async |mut log| {
        log.append("acme", "n0").await;
        log.reached(RELAY).await;
        let (stop_relay, relay) = log.bus.as_mut().unwrap().relay.take().unwrap();
        stop_relay.cancel();
        relay.await.unwrap().unwrap();
        // What a server would have handed out before it lost the end of the log.
        let first = all_events(&log).await.pop().unwrap();
        let lost = LogEvent {
            partition_number: 2,
            position: 2,
            sequence: 2,
            event_id: Uuid::new_v4(),
            ..first.clone()
        };
        let (headers, body) = cloudevent::encode(&lost, epoch(&log).await);
        let jetstream = log.bus.as_ref().unwrap().jetstream.clone();
        let context = async_nats::jetstream::new(jetstream.client().clone());
        let sent = context.publish_with_headers(cloudevent::subject(&lost), headers, body);
        sent.await.unwrap().await.unwrap();

        let (_stop, task) = log.start(Recorder::default(), false);
        let error = task.await.unwrap().unwrap_err();
        let ConsumerError::OtherHistory(_, mismatch) = &error else {
            panic!("{error}");
        };
        assert_eq!((mismatch.seen.number, mismatch.logged.clone()), (2, None));
        assert_eq!(log.doubled().await, 0);
        let (_stop, relay) = log.relay(&jetstream);
        let error = relay.await.unwrap().unwrap_err();
        assert!(
            error.to_string().contains("tierline log new-epoch"),
            "{error}"
        );
        assert!(matches!(error, ConsumerError::OtherHistory(..)), "{error}");

        // A new epoch is declared: streams are made anew, everybody goes on.
        let mut connection = log.pool.acquire().await.unwrap();
        Epoch::begin(&mut connection, "operator", "a test", &[])
            .await
            .unwrap();
        drop(connection);
        let (stop_relay, relay) = log.relay(&jetstream);
        let (stop, task) = log.start(Recorder::default(), false);
        log.append("acme", "n1").await;
        log.caught_up().await;
        log.reached(RELAY).await;
        stop.cancel();
        stop_relay.cancel();
        task.await.unwrap().unwrap();
        relay.await.unwrap().unwrap();
        assert_eq!(log.applied("acme").await, ["n0", "n1"]);
    })
    .await;
}

#[tokio::test]
async fn a_lost_end_is_noticed_between_events_that_the_log_has() {
    on_each_server(async |mut log| {
        log.append("acme", "n0").await;
        log.append("acme", "n1").await;
        log.reached(RELAY).await;
        let (stop_relay, relay) = log.bus.as_mut().unwrap().relay.take().unwrap();
        stop_relay.cancel();
        relay.await.unwrap().unwrap();
        // Handed out before the end of the log was lost; the second one without its content, so
        // that it is looked up in the log.
        let common = all_events(&log).await;
        let epoch = epoch(&log).await;
        let client = log.bus.as_ref().unwrap().jetstream.client().clone();
        let context = async_nats::jetstream::new(client);
        for (number, event_type) in [(3, common[0].event_type.as_str()), (4, "test.v1.Happened")] {
            let lost = LogEvent {
                partition_number: number,
                position: number,
                event_id: Uuid::new_v4(),
                event_type: event_type.to_owned(),
                ..common[0].clone()
            };
            let (headers, body) = cloudevent::encode(&lost, epoch);
            let sent = context.publish_with_headers(cloudevent::subject(&lost), headers, body);
            sent.await.unwrap().await.unwrap();
        }
        // The log has grown again, to the same length.
        log.append("acme", "n2").await;
        log.append("acme", "n3").await;
        let jetstream = log.bus.as_ref().unwrap().jetstream.clone();
        let mut feed = JetStreamLog::new(jetstream, log.shared(), PROCESS).feed(ID);
        let (partition, after) = (common[0].partition, vec![(common[0].partition, 0)]);
        // Nothing fits into this one; from now on the stream is followed.
        assert!(feed.read(&after, 0).await.unwrap().is_empty());
        let stream = context.get_stream(stream_name(partition)).await.unwrap();
        eventually(Duration::from_secs(20), "four messages", async || {
            let consumer = stream.get_consumer(PROCESS).await;
            consumer.is_ok_and(|one: PullConsumer| one.cached_info().num_ack_pending == 4)
        })
        .await;
        feed.wait(&after, Duration::from_secs(1)).await;
        // Its last event is held against the log before it takes effect. An event of the log
        // after a lost one would vouch for it.
        let batch = feed.read(&after, 100).await.unwrap();
        let numbers: Vec<i64> = batch.iter().map(|event| event.partition_number).collect();
        assert_eq!(numbers, [1, 2, 3]);
        drop(feed);

        let (_stop, task) = log.start(Recorder::default(), false);
        eventually(Duration::from_secs(60), "an end", async || {
            task.is_finished() || log.applied("acme").await.len() >= 4
        })
        .await;
        let applied = log.applied("acme").await;
        let truth = ["n0", "n1", "n2", "n3"].map(str::to_owned);
        assert!(truth.starts_with(&applied), "{applied:?}");
    })
    .await;
}

#[tokio::test]
async fn a_relay_at_work_notices_a_new_epoch() {
    on_each_server(async |log| {
        let (stop, task) = log.start(Recorder::default(), false);
        log.append("acme", "n0").await;
        log.reached(RELAY).await;
        let mut connection = log.pool.acquire().await.unwrap();
        let new = Epoch::begin(&mut connection, "operator", "a test", &[]);
        let new = new.await.unwrap();
        drop(connection);
        log.append("acme", "n1").await;
        log.reached(RELAY).await;
        log.caught_up().await;
        stop.cancel();
        task.await.unwrap().unwrap();
        assert_eq!(log.applied("acme").await, ["n0", "n1"]);
        // The stream begins anew, with what came after.
        let partition = all_events(&log).await[0].partition;
        let client = log.bus.as_ref().unwrap().jetstream.client().clone();
        let context = async_nats::jetstream::new(client);
        let stream = context.get_stream(stream_name(partition)).await.unwrap();
        let state = &stream.cached_info().state;
        assert_eq!(state.messages, 1);
        let message = stream.get_raw_message(state.last_sequence).await.unwrap();
        let witness = cloudevent::witness(partition, &message.headers).unwrap();
        assert_eq!((witness.seen.number, witness.epoch), (2, new));
    })
    .await;
}

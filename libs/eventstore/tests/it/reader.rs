//! Reading the log by partition, position, stream and routing key.

use tierline_domain::{OrgId, StreamId};
use tierline_eventstore::{CommandContext, ReadError, partition_of};

use crate::account::{Account, AccountCommand, Notice, open};
use crate::{World, context, org, stream};

/// Three accounts of two partners with two events each, and a notice to everybody in between.
async fn world() -> World {
    let world = World::new().await;
    for (id, partner) in [("a", "p"), ("b", "q"), ("c", "p")] {
        run(&world, id, open(partner, &format!("{id}.example"))).await;
    }
    let respond = |_: &_| Vec::new();
    let id = stream("notices");
    let runner = &world.runner;
    runner
        .execute::<Notice, _>(&context(), &id, "hello".into(), respond)
        .await
        .unwrap();
    for id in ["a", "b", "c"] {
        run(&world, id, AccountCommand::Deposit(1)).await;
    }
    world.sequencer.drain().await.unwrap();
    world
}

async fn run(world: &World, id: &str, command: AccountCommand) {
    let respond = |_: &_| Vec::new();
    world
        .runner
        .execute::<Account, _>(&context(), &stream(id), command, respond)
        .await
        .unwrap();
}

#[tokio::test]
async fn partitions_are_read_in_the_order_of_positions_and_within_limits() {
    let world = world().await;
    let all: Vec<(u8, i64)> = (0..16).map(|partition| (partition, 0)).collect();
    let events = world.reader.read(&all, 100, 100).await.unwrap();
    assert_eq!(events.len(), 6 + 16);
    assert!(events.is_sorted_by_key(|event| event.position));
    assert!(events.iter().all(|event| event.is_intact()));
    let first = world.reader.read(&all, 1, 100).await.unwrap();
    assert_eq!(first.len(), 16);
    let few = world.reader.read(&all, 100, 5).await.unwrap();
    assert_eq!(few, events[..5]);
    let three = world.reader.read(&all, 3, 100).await.unwrap();
    let fullest = (0..16).map(|at| three.iter().filter(|event| event.partition == at).count());
    assert_eq!(fullest.max(), Some(3));
    let p = partition_of("acme/p");
    let mine = world.reader.read(&[(p, 2)], 100, 100).await.unwrap();
    assert_eq!(mine[0].partition_number, 3);
    assert!(world.reader.read(&[], 100, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_event_comes_with_everything_that_was_stored() {
    let world = world().await;
    let events = world.reader.read_positions(0, 1).await.unwrap();
    let event = &events[0];
    assert_eq!(event.org_id, "acme");
    assert_eq!(event.routing_key, "acme/p");
    assert_eq!(
        (event.aggregate_type.as_str(), event.aggregate_id.as_str()),
        ("Account", "acme/a")
    );
    assert_eq!(
        (event.event_type.as_str(), event.event_version.as_str()),
        ("test.v1.Opened", "1.0")
    );
    assert_eq!(
        event.payload,
        r#"{"Opened":{"partner":"p","domain":"a.example"}}"#
    );
    assert_eq!(event.metadata, r#"{"actor":"user:ada"}"#);
    let age = jiff::Timestamp::now().duration_since(event.recorded_at);
    assert!(
        age.abs() < jiff::SignedDuration::from_mins(5),
        "{}",
        event.recorded_at
    );
    let places = world.reader.find(event.event_id).await.unwrap();
    assert_eq!(
        (places[0].position, places[0].partition),
        (1, partition_of("acme/p"))
    );
    assert!(
        world
            .reader
            .find(uuid::Uuid::nil())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_history_of_a_partner_holds_its_events_and_those_for_everybody() {
    let world = world().await;
    let history = world
        .reader
        .read_history(&org(), "acme/p", 0, i64::MAX, 100)
        .await
        .unwrap();
    let streams: Vec<&str> = history
        .iter()
        .map(|event| event.aggregate_id.as_str())
        .collect();
    assert_eq!(
        streams,
        ["acme/a", "acme/c", "acme/notices", "acme/a", "acme/c"]
    );
    let up_to = history[2].position;
    let part = world
        .reader
        .read_history(&org(), "acme/p", 0, up_to, 100)
        .await
        .unwrap();
    assert_eq!(part, history[..3]);
    let rest = world
        .reader
        .read_history(&org(), "acme/p", up_to, i64::MAX, 1)
        .await
        .unwrap();
    assert_eq!(rest, history[3..4]);
    let other = OrgId::parse("globex").unwrap();
    let none = world
        .reader
        .read_history(&other, "globex/p", 0, i64::MAX, 100)
        .await
        .unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_stream_is_read_once_per_event_and_only_as_far_as_it_is_numbered() {
    let world = world().await;
    run(&world, "a", AccountCommand::Deposit(1)).await;
    let events = world
        .reader
        .read_stream("Account", &stream("a"), 0, 100)
        .await
        .unwrap();
    assert_eq!(
        events
            .iter()
            .map(|event| event.sequence)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    let notices = world
        .reader
        .read_stream("Notice", &stream("notices"), 0, 100)
        .await
        .unwrap();
    assert_eq!(notices.len(), 1);
    let after = world
        .reader
        .read_stream("Account", &stream("a"), 1, 100)
        .await
        .unwrap();
    assert_eq!(after.len(), 1);
}

#[tokio::test]
async fn waiting_events_of_a_partition_are_seen_until_they_are_numbered() {
    let world = world().await;
    let p = partition_of("acme/p");
    assert_eq!(world.reader.pending(p).await.unwrap(), None);
    run(&world, "a", AccountCommand::Deposit(1)).await;
    let mark = world.reader.pending(p).await.unwrap().unwrap();
    assert!(world.reader.is_pending(p, mark).await.unwrap());
    assert!(!world.reader.is_pending(p, mark - 1).await.unwrap());
    assert_eq!(world.reader.pending((p + 1) % 16).await.unwrap(), None);
    world.sequencer.drain().await.unwrap();
    assert!(!world.reader.is_pending(p, mark).await.unwrap());
}

#[tokio::test]
async fn a_hole_in_the_log_is_an_error_and_never_stepped_over() {
    let world = world().await;
    let p = partition_of("acme/p");
    damage(
        &world,
        "log",
        &format!("partition = {p} AND partition_number = 2"),
    )
    .await;
    let read = world.reader.read(&[(p, 0)], 100, 100).await;
    assert!(
        matches!(read, Err(ReadError::Hole { expected: 2, .. })),
        "{read:?}"
    );
    let read = world.reader.read_positions(0, 100).await;
    assert!(matches!(read, Err(ReadError::Hole { .. })), "{read:?}");
}

#[tokio::test]
async fn a_numbered_event_that_is_not_stored_is_an_error() {
    let world = world().await;
    damage(&world, "events", "aggregate_id = 'acme/b' AND sequence = 1").await;
    let read = world.reader.read_positions(0, 100).await;
    assert!(
        matches!(read, Err(ReadError::Missing { position: 2 })),
        "{read:?}"
    );
    // The stream itself shows it as well.
    let context = CommandContext::new(org(), "x");
    let respond = |_: &_| Vec::new();
    let command = AccountCommand::Deposit(1);
    let store = tierline_eventstore::EventStore::open(world.pool.clone());
    let runner = tierline_eventstore::Runner::new(store);
    let id = StreamId::new(&org(), "b");
    let done = runner
        .execute::<Account, _>(&context, &id, command, respond)
        .await;
    assert!(format!("{done:?}").contains("STREAM_HOLE"), "{done:?}");
}

/// What only a superuser with bad intentions can do.
async fn damage(world: &World, table: &str, condition: &str) {
    let tables = match table {
        "events" => (0..8).map(|n| format!("events_{n}")).collect(),
        _ => vec![],
    };
    for name in tables.into_iter().chain([table.to_owned()]) {
        let sql = format!("ALTER TABLE {name} DISABLE TRIGGER append_only");
        sqlx::query(&sql).execute(&world.pool).await.unwrap();
    }
    let sql = format!("DELETE FROM {table} WHERE {condition}");
    let done = sqlx::query(&sql).execute(&world.pool).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

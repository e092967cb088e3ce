use std::time::Duration;

use jiff::civil::date;
use tierline_bus::{Consumer, LogFeed, Options};
use tierline_domain::activity::Deal;
use tierline_domain::enrollment::{Enrollment, EnrollmentState};
use tierline_domain::program::org::{ClockTime, Org, OrgCommand};
use tierline_domain::standing::events::{Closed, Opened};
use tierline_domain::standing::{Basis, Ending, Standing, StandingEvent, TierSource};
use tierline_domain::{EnrollmentId, PartnerId, ProgramId, Routing, StreamId, TierId, TrackId};
use tierline_enrollment::{ENROLLMENT_EXPIRER, Expirer};
use tierline_eventstore::{LogReader, Sequencer};
use tierline_proto::enrollment::v1 as pb;
use tierline_rpc_testkit::{TestServer, acme};
use tierline_testkit::eventually;
use tokio_util::sync::CancellationToken;

use super::{NOVA, enroll, enrollments};

fn stream() -> StreamId {
    StreamId::new(&acme(), NOVA)
}

fn closed(cause: Ending) -> StandingEvent {
    StandingEvent::StandingClosed(Closed {
        as_of: date(2014, 7, 1),
        basis: Basis::default(),
        tier: TierId::parse("member").unwrap(),
        cause,
    })
}

fn opened() -> StandingEvent {
    StandingEvent::StandingOpened(Opened {
        as_of: date(2014, 2, 1),
        basis: Basis::default(),
        enrollment: EnrollmentId::parse(NOVA).unwrap(),
        partner: PartnerId::parse("nova").unwrap(),
        program: ProgramId::parse("resale").unwrap(),
        track: TrackId::parse("main").unwrap(),
        tier: TierId::parse("member").unwrap(),
        tier_name: "Member".to_owned(),
        rank: 1,
        since: date(2014, 2, 1),
        source: TierSource::Entry,
    })
}

/// A sandbox in which nova is enrolled until the end of June 2014, on the first of July.
async fn sandbox(end: &str) -> TestServer {
    let server = super::bare().await;
    tierline_bus::MIGRATIONS
        .run(server.commands.store().pool())
        .await
        .unwrap();
    server.sandbox("2014-02-01").await;
    super::fill(&server).await;
    let request = pb::EnrollPartnerRequest {
        end_date: end.to_owned(),
        ..enroll("nova")
    };
    enrollments(&server).enroll_partner(request).await.unwrap();
    let to = ClockTime::Date(date(2014, 7, 1));
    let org = StreamId::of_org(&acme());
    server
        .run::<Org>(&org, OrgCommand::AdvanceClock { to })
        .await
        .unwrap();
    server
}

/// Runs the consumer until the whole log is behind it.
async fn consume(server: &TestServer) {
    let pool = tierline_eventstore::connect(&server.database().url(), 2)
        .await
        .unwrap();
    let store = server.commands.store();
    Sequencer::new(store.pool().clone(), store.waker())
        .drain()
        .await
        .unwrap();
    let feed = LogFeed::new(LogReader::new(pool.clone()), None);
    let options = Options {
        patience: Duration::from_millis(20),
        force: true,
        ..Options::default()
    };
    let expirer = Expirer::new(server.commands.clone());
    let consumer = Consumer::new(ENROLLMENT_EXPIRER, pool.clone(), feed, expirer, options);
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run(stop.clone()));
    eventually(
        Duration::from_secs(20),
        "the expirer at the end of the log",
        async || {
            let behind: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM log l LEFT JOIN bus.checkpoints c
                 ON c.consumer = 'enrollment-expirer' AND c.partition = l.partition
             WHERE l.partition_number > coalesce(c.number, 0)",
            )
            .fetch_one(store.pool())
            .await
            .unwrap();
            behind == 0
        },
    )
    .await;
    stop.cancel();
    running.await.unwrap().unwrap();
    pool.close().await;
}

async fn state(server: &TestServer) -> (EnrollmentState, u64) {
    let loaded = server
        .commands
        .store()
        .load::<Enrollment>(&stream())
        .await
        .unwrap();
    (loaded.state.state(), loaded.version)
}

#[tokio::test]
async fn an_enrollment_ends_when_its_standing_was_closed_by_date() {
    let server = sandbox("2014-06-30").await;
    let routing = Routing::Partner(PartnerId::parse("nova").unwrap());
    let events = [opened(), closed(Ending::Expired)];
    server
        .append::<Standing>(&stream(), &routing, &events)
        .await;
    consume(&server).await;
    assert_eq!(state(&server).await, (EnrollmentState::Expired, 2));
    let time = server.last_metadata("org_time").await;
    assert_eq!(time.as_deref(), Some("2014-07-01T00:00:00Z"));
    let actor = server.last_metadata("actor").await;
    assert_eq!(actor.as_deref(), Some("service:enrollment-expirer"));
}

#[tokio::test]
async fn the_same_event_again_ends_nothing_twice() {
    let server = sandbox("2014-06-30").await;
    let routing = Routing::Partner(PartnerId::parse("nova").unwrap());
    let events = [opened(), closed(Ending::Expired)];
    server
        .append::<Standing>(&stream(), &routing, &events)
        .await;
    consume(&server).await;
    sqlx::query("DELETE FROM bus.checkpoints")
        .execute(server.commands.store().pool())
        .await
        .unwrap();
    consume(&server).await;
    assert_eq!(state(&server).await, (EnrollmentState::Expired, 2));
}

#[tokio::test]
async fn a_standing_closed_by_a_person_or_an_enrollment_that_goes_on_is_left() {
    let server = sandbox("2015-06-30").await;
    let routing = Routing::Partner(PartnerId::parse("nova").unwrap());
    let events = [opened(), closed(Ending::Terminated)];
    server
        .append::<Standing>(&stream(), &routing, &events)
        .await;
    consume(&server).await;
    server
        .append::<Standing>(&stream(), &routing, &[closed(Ending::Expired)])
        .await;
    consume(&server).await;
    assert_eq!(state(&server).await, (EnrollmentState::Active, 1));
    let nobody = server
        .commands
        .store()
        .load::<Deal>(&stream())
        .await
        .unwrap();
    assert_eq!(nobody.version, 0);
}

//! A database with events appended through the event store, and projections that run over it.
#![allow(dead_code, reason = "not every test binary uses everything")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

pub mod applications;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::json;
use sqlx::PgPool;
use tierline_bus::{Checkpoints, Options, Progress, SharedLog, Source};
use tierline_domain::enrollment::{Enrolled, EnrollmentEvent};
use tierline_domain::ids::{EnrollmentId, OrgId, PartnerId, ProgramId, StreamId, TierId, TrackId};
use tierline_domain::partner::{
    PartnerCreated, PartnerEvent, PartnerProfile, PartnerStatus, PartnerType, Person,
};
use tierline_domain::program::{ProgramDefinition, ProgramEvent};
use tierline_domain::rules::Outcome;
use tierline_domain::standing::events::{Closed, Notice, Opened};
use tierline_domain::standing::{
    Basis, Cause, CriterionProgress, Direction, Ending, Evidence, Progress as Measured,
    StandingEvent, TierChange, TierProgress, TierSource,
};
use tierline_domain::{Routing, StoredEvent};
use tierline_eventstore::{AppendItem, EventStore, LogReader, NewEvent, Sequencer};
use tierline_testkit::{TestDatabase, eventually};
use tokio_util::sync::CancellationToken;

/// A database and its log.
pub struct World {
    pub database: TestDatabase,
    pub pool: PgPool,
    pub store: EventStore,
    pub sequencer: Sequencer,
    pub versions: HashMap<(&'static str, String), u64>,
}

impl World {
    pub async fn start() -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(4).await;
        for migrations in [
            tierline_eventstore::MIGRATIONS,
            tierline_bus::MIGRATIONS,
            tierline_projector::MIGRATIONS,
        ] {
            migrations.run(&pool).await.unwrap();
        }
        let store = EventStore::open(pool.clone());
        let sequencer = Sequencer::new(pool.clone(), store.waker());
        Self {
            database,
            pool,
            store,
            sequencer,
            versions: HashMap::new(),
        }
    }

    /// Appends events to a stream and numbers them.
    pub async fn append<E: StoredEvent>(
        &mut self,
        kind: &'static str,
        org: &str,
        id: &str,
        routing: Routing,
        events: &[E],
    ) {
        let metadata: Arc<str> = r#"{"actor":"user:ada"}"#.into();
        let events = events
            .iter()
            .map(|event| NewEvent::from_domain(event, &metadata).unwrap())
            .collect();
        self.append_stored(kind, org, id, routing, events).await;
    }

    pub async fn append_stored(
        &mut self,
        kind: &'static str,
        org: &str,
        id: &str,
        routing: Routing,
        events: Vec<NewEvent>,
    ) {
        let org = OrgId::parse(org).unwrap();
        let stream = StreamId::new(&org, id);
        let version = self
            .versions
            .entry((kind, stream.as_str().to_owned()))
            .or_default();
        let count = events.len() as u64;
        let item = AppendItem::new(kind, stream, org, &routing, *version, events);
        *version += count;
        for result in self.store.append_many(&[item]).await {
            result.unwrap();
        }
        self.sequencer.drain().await.unwrap();
    }

    pub async fn partner_events(&mut self, org: &str, partner: &str, events: &[PartnerEvent]) {
        self.append("Partner", org, partner, to(partner), events)
            .await;
    }

    pub async fn enrollment_events(
        &mut self,
        org: &str,
        partner: &str,
        enrollment: &str,
        events: &[EnrollmentEvent],
    ) {
        self.append("Enrollment", org, enrollment, to(partner), events)
            .await;
    }

    pub async fn standing_events(
        &mut self,
        org: &str,
        partner: &str,
        enrollment: &str,
        events: &[StandingEvent],
    ) {
        self.append("Standing", org, enrollment, to(partner), events)
            .await;
    }

    /// A published program `cloud` with the tiers gold, silver and base.
    pub async fn program(&mut self, org: &str) {
        let events = [
            ProgramEvent::ProgramCreated {
                program: ProgramId::parse("cloud").unwrap(),
                name: "Cloud".to_owned(),
            },
            ProgramEvent::ProgramVersionPublished {
                version: 1,
                effective_date: day("2025-01-01"),
                note: "first".to_owned(),
                transition: tierline_domain::program::Transition::Now,
                definition: Box::new(definition()),
                author: String::new(),
                publish_time: None,
            },
        ];
        self.append("Program", org, "cloud", Routing::EveryPartition, &events)
            .await;
    }

    /// A partner with an enrollment `e-{partner}` that began in base and rose to silver.
    pub async fn silver_partner(&mut self, org: &str, partner: &str) {
        let enrollment = format!("e-{partner}");
        self.partner_events(org, partner, &[created(partner)]).await;
        let enrolled = EnrollmentEvent::Enrolled(enrolled(partner, &enrollment));
        self.enrollment_events(org, partner, &enrollment, &[enrolled])
            .await;
        let events = [
            opened(partner, &enrollment),
            progress("2025-03-01", 60),
            to_silver("2025-04-01"),
        ];
        self.standing_events(org, partner, &enrollment, &events)
            .await;
    }

    /// Runs all projections until nothing is left to do.
    pub async fn project(&self) {
        let cancel = CancellationToken::new();
        let running = self.spawn(&cancel);
        self.caught_up().await;
        cancel.cancel();
        for projection in running {
            projection.await.unwrap();
        }
    }

    /// Starts all projections.
    pub fn spawn(&self, cancel: &CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
        let progress = Arc::new(Progress::default());
        let options = Options {
            patience: Duration::from_millis(20),
            ..Options::default()
        };
        let log = SharedLog::new(LogReader::new(self.pool.clone()), None);
        tierline_projector::consumers(&self.pool, &Source::Log(log.clone()), &progress, &options)
            .into_iter()
            .map(|projection| {
                let cancel = cancel.clone();
                tokio::spawn(async move { projection.run(cancel).await.unwrap() })
            })
            .collect()
    }

    /// Waits until all projections have applied the whole log.
    pub async fn caught_up(&self) {
        eventually(
            Duration::from_secs(30),
            "all projections at the head",
            async || {
                let lags = Checkpoints::lags(&self.pool).await.unwrap();
                let live = lags.iter().filter(|lag| !lag.consumer.ends_with("-build"));
                let left: Vec<i64> = live.map(|lag| lag.events).collect();
                left.len() == tierline_projector::NAMES.len()
                    && left.iter().all(|events| *events == 0)
            },
        )
        .await;
    }

    /// Every row of a read table as JSON, in order.
    pub async fn rows(&self, table: &str) -> Vec<serde_json::Value> {
        sqlx::query_scalar(&format!(
            "SELECT to_jsonb(t) FROM {table} t ORDER BY to_jsonb(t)::text"
        ))
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

pub fn to(partner: &str) -> Routing {
    Routing::Partner(PartnerId::parse(partner).unwrap())
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn definition() -> ProgramDefinition {
    let deals = |needed: &str| {
        json!({"criterion": {
            "id": "deals", "name": "Deals won",
            "measure": {"count": {"facts": {
                "kind": "deal", "date": "closed", "window": {"rolling_months": 12}}}},
            "needs": {"gte": needed}}})
    };
    serde_json::from_value(json!({
        "slug": "cloud", "name": "Cloud Partners", "currency": "EUR",
        "tracks": [{"id": "resell", "name": "Resell", "tiers": [
            {"id": "gold", "name": "Gold", "color": "amber", "qualification": deals("10"),
             "benefits": [{"name": "Discount", "value": "30 %"}]},
            {"id": "silver", "name": "Silver", "color": "slate", "qualification": deals("5")},
            {"id": "base", "name": "Base"}]}]}))
    .unwrap()
}

pub fn created(partner: &str) -> PartnerEvent {
    let mut profile = PartnerProfile::new(
        format!("Partner {partner}"),
        format!("{partner}.example"),
        PartnerType::Reseller,
    );
    profile.region = Some("EMEA".to_owned());
    PartnerEvent::PartnerCreated(Box::new(PartnerCreated {
        partner: PartnerId::parse(partner).unwrap(),
        status: PartnerStatus::Active,
        profile,
        tags: vec!["strategic".to_owned()],
        primary_contact: Person {
            first_name: "Ada".to_owned(),
            last_name: "Secretname".to_owned(),
            email: "ada@partner.example".to_owned(),
            phone: None,
            title: None,
        },
    }))
}

pub fn enrolled(partner: &str, enrollment: &str) -> Enrolled {
    Enrolled {
        enrollment: EnrollmentId::parse(enrollment).unwrap(),
        partner: PartnerId::parse(partner).unwrap(),
        program: ProgramId::parse("cloud").unwrap(),
        track: TrackId::parse("resell").unwrap(),
        start_date: day("2025-02-01"),
        end_date: None,
        placed_tier: None,
        primary_contact: None,
        date: day("2025-02-01"),
        backdated: false,
    }
}

pub fn basis() -> Basis {
    Basis {
        partition: 3,
        number: 7,
        program_version: 1,
        triggers: vec![7],
    }
}

pub fn tier(id: &str) -> TierId {
    TierId::parse(id).unwrap()
}

pub fn opened(partner: &str, enrollment: &str) -> StandingEvent {
    StandingEvent::StandingOpened(Opened {
        as_of: day("2025-02-01"),
        basis: basis(),
        enrollment: EnrollmentId::parse(enrollment).unwrap(),
        partner: PartnerId::parse(partner).unwrap(),
        program: ProgramId::parse("cloud").unwrap(),
        track: TrackId::parse("resell").unwrap(),
        tier: tier("base"),
        tier_name: "Base".to_owned(),
        rank: 2,
        since: day("2025-02-01"),
        source: TierSource::Entry,
    })
}

pub fn progress(on: &str, percent: u8) -> StandingEvent {
    StandingEvent::ProgressRecomputed(Measured {
        as_of: day(on),
        basis: basis(),
        tiers: vec![TierProgress {
            tier: tier("silver"),
            outcome: Outcome::Unmet,
            criteria: vec![CriterionProgress {
                id: "deals".to_owned(),
                name: "Deals won".to_owned(),
                period_end: None,
                outcome: Outcome::Unmet,
                measured: Some("3".to_owned()),
                required: "at least 5".to_owned(),
                gap: Some("2".to_owned()),
                percent,
            }],
        }],
        retention: None,
    })
}

pub fn to_silver(on: &str) -> StandingEvent {
    StandingEvent::TierChanged(TierChange {
        as_of: day(on),
        basis: basis(),
        from: tier("base"),
        to: tier("silver"),
        from_name: "Base".to_owned(),
        to_name: "Silver".to_owned(),
        rank: 1,
        direction: Direction::Promotion,
        cause: Cause::Qualified,
        source: TierSource::Automatic,
        evidence: Evidence {
            sentence: "Silver is reached: 5 of 5 deals won.".to_owned(),
            explanation: None,
        },
    })
}

pub fn notice(on: &str) -> StandingEvent {
    StandingEvent::DemotionNoticeIssued(Notice {
        as_of: day(on),
        basis: basis(),
        tier: tier("silver"),
        notice_ends: day("2026-05-01"),
        remediation_ends: day("2026-07-30"),
        evidence: Evidence {
            sentence: "Only 2 of 5 deals won.".to_owned(),
            explanation: None,
        },
    })
}

pub fn closed(on: &str) -> StandingEvent {
    StandingEvent::StandingClosed(Closed {
        as_of: day(on),
        basis: basis(),
        tier: tier("silver"),
        cause: Ending::Terminated,
    })
}

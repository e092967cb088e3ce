//! An org on a throwaway database, with commands, a sequencer and the evaluator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use rust_decimal::Decimal;
use sqlx::PgPool;
use tierline_bus::{Checkpoints, Consumer, Handler as _, LogFeed, Options, TIER_EVALUATOR};
use tierline_domain::activity::{Deal, DealCommand, DealRecord, DealState, RecordDeal};
use tierline_domain::enrollment::{Enroll, Enrollment, EnrollmentCommand, TrackFacts};
use tierline_domain::partner::{
    CreatePartner, Partner, PartnerCommand, PartnerProfile, PartnerStatus, PartnerType, Person,
};
use tierline_domain::program::org::{ClockTime, CreateOrg, Org, OrgCommand};
use tierline_domain::program::rates::{PublishRates, RateDay, Rates, RatesCommand};
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, Publisher, program_from_yaml,
};
use tierline_domain::standing::replay::{Replayed, replay};
use tierline_domain::standing::trial::{Draft, Movement, backtest};
use tierline_domain::standing::{OrgHistory, PartnerHistory, Place};
use tierline_domain::standing::{Standing, StandingEvent};
use tierline_domain::time::add_days;
use tierline_domain::{
    Currency, DealId, EnrollmentId, Entity, Money, OrgId, PartnerId, ProgramId, StreamId, TierId,
    TrackId,
};
use tierline_eventstore::{
    CommandContext, EventStore, LogEvent, LogReader, Runner, Sequencer, partition_of,
};
use tierline_testkit::{TestDatabase, eventually};
use tierline_tier_evaluator::{Evaluator, Surveyed, Surveyor, Unsurveyed};
use tokio_util::sync::CancellationToken;

pub const PROGRAM: &str = include_str!("../../../../programs/three-tier-revenue.yaml");

pub struct Harness {
    _database: TestDatabase,
    pool: PgPool,
    runner: Runner,
    sequencer: Sequencer,
    org: OrgId,
}

pub fn enroll(id: &str, partner: &str, start: Date) -> Enroll {
    let tiers = ["gold", "silver", "bronze"].map(|tier| TierId::parse(tier).unwrap());
    Enroll {
        enrollment: EnrollmentId::parse(id).unwrap(),
        partner: PartnerId::parse(partner).unwrap(),
        program: ProgramId::parse("three-tier-revenue").unwrap(),
        track: TrackId::parse("resell").unwrap(),
        start_date: start,
        end_date: None,
        placed_tier: None,
        primary_contact: None,
        today: start,
        partner_status: PartnerStatus::Active,
        track_facts: TrackFacts {
            archived: false,
            published: true,
            tiers: Some(tiers.to_vec()),
            ..TrackFacts::default()
        },
    }
}

pub fn deal(id: &str, partner: &str, closed: Date, amount: &str, currency: &str) -> RecordDeal {
    let mut record = DealRecord::new(id);
    record.state = DealState::Won;
    record.amount = Some(Money::parse(amount, currency).unwrap());
    record.closed_date = Some(closed);
    record.registered_date = Some(closed);
    record.source = Some(tierline_domain::activity::DealSource::PartnerSourced);
    RecordDeal {
        deal: DealId::parse(id).unwrap(),
        partner: PartnerId::parse(partner).unwrap(),
        record,
    }
}

impl Harness {
    pub async fn sandbox(clock: Date) -> Self {
        let database = TestDatabase::create().await;
        let pool = database.pool(6).await;
        for migrations in [
            tierline_eventstore::MIGRATIONS,
            tierline_bus::MIGRATIONS,
            tierline_tier_evaluator::MIGRATIONS,
        ] {
            migrations.run(&pool).await.unwrap();
        }
        let store = EventStore::open(pool.clone());
        let sequencer = Sequencer::new(pool.clone(), store.waker());
        let org = OrgId::parse("sandbox").unwrap();
        let harness = Self {
            _database: database,
            pool,
            runner: Runner::new(store),
            sequencer,
            org,
        };
        let create = CreateOrg {
            org: harness.org.clone(),
            name: "Sandbox".to_owned(),
            time_zone: "UTC".to_owned(),
            fiscal_year_start: 1,
            base_currency: Currency::USD,
            sandbox_clock: Some(ClockTime::Date(clock)),
        };
        harness
            .run::<Org>(StreamId::of_org(&harness.org), OrgCommand::Create(create))
            .await;
        harness.apply(PROGRAM, clock).await;
        harness
    }

    /// Publishes a program as if it had always been in force.
    pub async fn apply(&self, program: &str, today: Date) {
        self.publish(program, date(2000, 1, 1), today).await;
    }

    /// Publishes a version of a program.
    pub async fn publish(&self, yaml: &str, effective_date: Date, today: Date) {
        let definition = program_from_yaml(yaml).unwrap();
        let stream = StreamId::new(&self.org, &definition.slug);
        let apply = ApplyProgram {
            definition: Box::new(definition),
            effective_date,
            note: String::new(),
            transition: tierline_domain::program::Transition::Now,
            today,
            publisher: Publisher::default(),
            library: tierline_domain::benefit::BenefitLibrary::default(),
        };
        self.run::<Program>(stream, ProgramCommand::Apply(apply))
            .await;
    }

    async fn run<A: Entity>(&self, stream: StreamId, command: A::Command)
    where
        A::Command: Clone,
    {
        let context = CommandContext::new(self.org.clone(), "test");
        self.runner
            .execute::<A, _>(&context, &stream, command, |_| Vec::new())
            .await
            .unwrap();
    }

    pub async fn partner(&self, id: &str) {
        self.partner_of(id, None).await;
    }

    /// A partner with the company that owns it.
    pub async fn partner_of(&self, id: &str, parent: Option<&str>) {
        let mut profile = PartnerProfile::new(id, format!("{id}.example"), PartnerType::Reseller);
        profile.parent = parent.map(|parent| PartnerId::parse(parent).unwrap());
        let create = CreatePartner {
            partner: PartnerId::parse(id).unwrap(),
            profile,
            status: PartnerStatus::Active,
            tags: Vec::new(),
            primary_contact: Person {
                first_name: "Ada".to_owned(),
                last_name: "Byron".to_owned(),
                email: format!("ada@{id}.example"),
                phone: None,
                title: None,
            },
        };
        let stream = StreamId::new(&self.org, id);
        self.run::<Partner>(stream, PartnerCommand::Create(Box::new(create)))
            .await;
    }

    pub async fn execute(&self, enroll: Enroll) {
        let stream = StreamId::new(&self.org, &enroll.enrollment);
        self.run::<Enrollment>(stream, EnrollmentCommand::Enroll(Box::new(enroll)))
            .await;
    }

    /// A partner with an enrollment from `start` on.
    pub async fn member(&self, enrollment: &str, partner: &str, start: Date) {
        self.partner(partner).await;
        self.execute(enroll(enrollment, partner, start)).await;
    }

    pub async fn record(&self, deal: RecordDeal) {
        let stream = StreamId::new(&self.org, &deal.deal);
        self.run::<Deal>(stream, DealCommand::Record(Box::new(deal)))
            .await;
    }

    pub async fn rates(&self, day: Date, rates: &[(&str, &str)]) {
        self.rates_per(Currency::EUR, day, rates).await;
    }

    /// Publishes rates for one unit of a base.
    pub async fn rates_per(&self, base: Currency, day: Date, rates: &[(&str, &str)]) {
        let rates: BTreeMap<Currency, Decimal> = rates
            .iter()
            .map(|(code, rate)| (Currency::parse(code).unwrap(), rate.parse().unwrap()))
            .collect();
        let publish = PublishRates {
            source: "test".to_owned(),
            base,
            days: vec![RateDay { date: day, rates }],
        };
        let stream = StreamId::new(&self.org, "rates");
        self.run::<Rates>(stream, RatesCommand::Publish(publish))
            .await;
    }

    pub async fn clock_to(&self, day: Date) {
        let command = OrgCommand::AdvanceClock {
            to: ClockTime::Date(day),
        };
        self.run::<Org>(StreamId::of_org(&self.org), command).await;
    }

    /// Numbers everything and lets an evaluator read it all, then stops that evaluator; what it
    /// wrote is numbered too.
    pub async fn settle(&self) {
        self.sequencer.drain().await.unwrap();
        let stop = CancellationToken::new();
        let real = Arc::new(Timestamp::now);
        let evaluator = Evaluator::new(self.runner.store().clone(), real);
        let feed = LogFeed::new(
            LogReader::new(self.pool.clone()),
            Some(self.sequencer.subscribe()),
        );
        let options = Options {
            force: true,
            ..Options::default()
        };
        let consumer = Consumer::new(TIER_EVALUATOR, self.pool.clone(), feed, evaluator, options);
        let task = tokio::spawn(consumer.run(stop.clone()));
        eventually(
            Duration::from_secs(30),
            "the evaluator to catch up",
            async || {
                self.sequencer.drain().await.unwrap();
                let lags = Checkpoints::lags(&self.pool).await.unwrap();
                lags.iter().any(|lag| lag.events == 0 && lag.parked == 0)
            },
        )
        .await;
        stop.cancel();
        task.await.unwrap().unwrap();
        self.sequencer.drain().await.unwrap();
    }

    /// Surveys the org once, and says how much was observed.
    pub async fn survey(&self) -> usize {
        let store = self.runner.store().clone();
        let mut surveyor = Surveyor::new(store, self.pool.clone(), Unsurveyed::default());
        match surveyor.survey(self.org.as_str()).await.unwrap() {
            Surveyed::Observed(observed) => observed,
            Surveyed::Elsewhere => panic!("nobody else surveys"),
        }
    }

    /// Settles and surveys until nothing new is observed.
    pub async fn come_to_rest(&self) {
        for _ in 0..50 {
            self.settle().await;
            if self.survey().await == 0 {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// The present tier of an enrollment.
    pub async fn tier(&self, enrollment: &str) -> String {
        let stream = StreamId::new(&self.org, enrollment);
        let loaded = self.runner.store().load::<Standing>(&stream).await.unwrap();
        let tier = loaded.state.tier.as_ref();
        tier.map_or_else(String::new, ToString::to_string)
    }

    /// Runs consumer and surveyor together, as a process does, until the condition holds.
    pub async fn live(&self, what: &str, mut holds: impl AsyncFnMut(&Self) -> bool) {
        let stop = CancellationToken::new();
        let unsurveyed = Unsurveyed::default();
        let store = self.runner.store().clone();
        let evaluator =
            Evaluator::new(store.clone(), Arc::new(Timestamp::now)).noting(unsurveyed.clone());
        let reader = LogReader::new(self.pool.clone());
        let feed = LogFeed::new(reader, Some(self.sequencer.subscribe()));
        let options = Options {
            force: true,
            ..Options::default()
        };
        let consumer = Consumer::new(TIER_EVALUATOR, self.pool.clone(), feed, evaluator, options);
        let consuming = tokio::spawn(consumer.run(stop.clone()));
        let surveyor = Surveyor::new(store, self.pool.clone(), unsurveyed);
        let surveying = tokio::spawn(surveyor.run(stop.clone()));
        eventually(Duration::from_secs(30), what, async || {
            self.sequencer.drain().await.unwrap();
            holds(self).await
        })
        .await;
        stop.cancel();
        consuming.await.unwrap().unwrap();
        surveying.await.unwrap();
        self.sequencer.drain().await.unwrap();
    }

    /// An evaluator that is given what [`Self::give`] is told to, and nothing else.
    pub async fn evaluator(&self) -> Evaluator {
        let mut evaluator = Evaluator::new(self.runner.store().clone(), Arc::new(Timestamp::now));
        let mut connection = self.pool.acquire().await.unwrap();
        let all: Vec<u8> = (0..tierline_eventstore::PARTITIONS).collect();
        evaluator.start(&mut connection, &all).await.unwrap();
        evaluator
    }

    /// The partition of a partner.
    pub fn partition(&self, partner: &str) -> u8 {
        partition_of(&format!("{}/{partner}", self.org))
    }

    /// The events of a partition after a number.
    pub async fn events(&self, partition: u8, after: i64) -> Vec<LogEvent> {
        self.sequencer.drain().await.unwrap();
        let reader = LogReader::new(self.pool.clone());
        let read = reader.read(&[(partition, after)], 1_000, 1_000).await;
        read.unwrap()
    }

    /// Gives an evaluator one batch.
    pub async fn give(&self, evaluator: &mut Evaluator, batch: &[LogEvent]) {
        let mut transaction = self.pool.begin().await.unwrap();
        evaluator.apply(&mut transaction, batch).await.unwrap();
        transaction.commit().await.unwrap();
        evaluator.committed();
        self.sequencer.drain().await.unwrap();
    }

    pub async fn standing(&self, enrollment: &str) -> Vec<StandingEvent> {
        let stream = StreamId::new(&self.org, enrollment);
        let reader = LogReader::new(self.pool.clone());
        let events = reader
            .read_stream("Standing", &stream, 0, 10_000)
            .await
            .unwrap();
        let folded = self.runner.store().load::<Standing>(&stream).await.unwrap();
        assert_eq!(folded.version, events.len() as u64);
        events
            .iter()
            .map(|event| serde_json::from_str(&event.payload).unwrap())
            .collect()
    }

    pub async fn count_events(&self, name: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM events WHERE event_type LIKE '%.' || $1")
            .bind(name)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub async fn tamper(&self, from: &str, to: &str) {
        let mut connection = self.pool.acquire().await.unwrap();
        for statement in [
            "SET session_replication_role = replica".to_owned(),
            "ALTER TABLE events DISABLE TRIGGER ALL".to_owned(),
            (0..8)
                .map(|n| format!("ALTER TABLE events_{n} DISABLE TRIGGER ALL;"))
                .collect::<String>(),
            format!(
                "UPDATE events SET payload = replace(payload::text, '{from}', '{to}')::json
                 WHERE event_type LIKE '%.TierChanged'"
            ),
        ] {
            sqlx::raw_sql(&statement)
                .execute(&mut *connection)
                .await
                .unwrap();
        }
    }

    /// Calls `visit` with the history of every partner, that of its org, and the last number of
    /// its partition.
    async fn each_history(&self, mut visit: impl FnMut(&OrgHistory, &PartnerHistory, u64)) {
        let reader = LogReader::new(self.pool.clone());
        let heads = reader.heads().await.unwrap();
        for partition in 0..tierline_eventstore::PARTITIONS {
            let mut org = OrgHistory::default();
            let mut partners: BTreeMap<String, PartnerHistory> = BTreeMap::new();
            let mut after = 0;
            loop {
                let events = reader
                    .read(&[(partition, after)], 1000, 1000)
                    .await
                    .unwrap();
                let Some(last) = events.last() else { break };
                after = last.partition_number;
                for event in &events {
                    take(self.runner.store(), event, &mut org, &mut partners);
                }
            }
            let up_to = heads.partitions[usize::from(partition)] as u64;
            for partner in partners.values() {
                visit(&org, partner, up_to);
            }
        }
    }

    /// Decides everything again and compares.
    pub async fn replay(&self) -> Replayed {
        let mut all = Replayed::default();
        self.each_history(|org, partner, up_to| {
            all.add(replay(org, partner, None, up_to).unwrap());
        })
        .await;
        all
    }

    /// The past played again under the rules that were in force leads to what was recorded, at the
    /// end of every third day.
    async fn trial_of_what_was_in_force_finds_the_past(&self, program: &str) {
        let draft = Draft {
            program: ProgramId::parse(program).unwrap(),
            definition: None,
        };
        let first = jiff::civil::date(2018, 1, 1);
        let days: Vec<Date> = (0..400).map(|n| add_days(first, 3 * n)).collect();
        let mut seen = 0;
        self.each_history(|org, partner, up_to| {
            let today = org.org().today(Timestamp::now());
            let past = days.iter().copied().filter(|day| *day < today);
            let days: Vec<Date> = past.chain([today]).collect();
            for compared in backtest(org, partner, &draft, None, &days, up_to).unwrap() {
                assert_eq!(compared.before, compared.after, "{compared:#?}");
                assert_eq!(compared.movement, Movement::Unchanged);
                seen += 1;
            }
        })
        .await;
        assert!(seen > 0, "nothing was compared");
    }

    pub async fn replay_is_clean(&self) -> Replayed {
        self.replay_is_clean_in("three-tier-revenue").await
    }

    /// Replay agrees with all that was recorded, and a trial of a program with its past.
    pub async fn replay_is_clean_in(&self, program: &str) -> Replayed {
        let replayed = self.replay().await;
        assert_eq!(replayed.differences, [], "{replayed:#?}");
        assert!(replayed.assessments > 0);
        self.trial_of_what_was_in_force_finds_the_past(program)
            .await;
        replayed
    }
}

fn take(
    store: &EventStore,
    event: &LogEvent,
    org: &mut OrgHistory,
    partners: &mut BTreeMap<String, PartnerHistory>,
) {
    let any = tierline_bus::decode(store.codec(), event).unwrap();
    let place = Place {
        number: event.partition_number as u64,
        sequence: event.sequence as u64,
        stream: StreamId::from(event.aggregate_id.clone()),
        recorded_at: event.recorded_at,
    };
    if event.routing_key.ends_with("/*") {
        org.take(&place, &any).unwrap();
    } else {
        partners
            .entry(event.routing_key.clone())
            .or_default()
            .take(place, any)
            .unwrap();
    }
}

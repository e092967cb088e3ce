//! An org for measurements: partners, enrollments and deals that look like real ones, the same in
//! every run.

use std::time::Duration;

use anyhow::{Context, bail};
use jiff::civil::{Date, date};
use jiff::{ToSpan as _, Zoned};
use rust_decimal::Decimal;
use sqlx::PgPool;
use tierline_bus::ConsumerId;
use tierline_domain::activity::{
    Customer, Deal, DealCommand, DealRecord, DealSource, DealState, RecordDeal, RegisterDeal,
};
use tierline_domain::enrollment::{Enroll, Enrollment, EnrollmentCommand, TrackFacts};
use tierline_domain::partner::{
    CreatePartner, Partner, PartnerCommand, PartnerProfile, PartnerStatus, PartnerType, Person,
};
use tierline_domain::program::org::{CreateOrg, Org, OrgCommand};
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, Publisher, program_from_yaml,
};
use tierline_domain::{
    Currency, DealId, EnrollmentId, Entity, Money, OrgId, PartnerId, ProgramId, StreamId, TrackId,
};
use tierline_eventstore::{BulkItem, CommandContext, EventStore, Runner, Sequencer};

use super::run::Run;
use super::server::Database;

/// Partners that deals are spread over where nothing else is said.
pub const PARTNERS: u64 = 1_000;
/// The org.
pub const ORG: &str = "bench";
/// The program that partners are enrolled in.
const PROGRAM: &str = include_str!("../../../../programs/three-tier-revenue.yaml");
/// Commands that are carried out together while a measurement is prepared.
const BULK: usize = 2_000;

/// A database with the whole schema, and a runner on it with the pool of an ordinary process.
pub struct World {
    /// The database.
    pub database: Database,
    /// The connections of the runner.
    pub pool: PgPool,
    /// What runs commands.
    pub runner: Runner,
    /// The org.
    pub org: OrgId,
}

impl World {
    /// Makes a database and the schema in it.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn open(run: &Run<'_>) -> anyhow::Result<Self> {
        let database = run.server.database().await?;
        let pool = tierline_eventstore::connect(&database.url, 8).await?;
        crate::schema::migrate(&pool).await?;
        Ok(Self {
            database,
            runner: Runner::new(EventStore::open(pool.clone())),
            pool,
            org: OrgId::parse(ORG)?,
        })
    }

    /// Removes the database.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn close(self, run: &Run<'_>) -> anyhow::Result<()> {
        self.pool.close().await;
        run.server.drop(&self.database).await
    }

    /// Who acts.
    pub fn context(&self) -> CommandContext {
        CommandContext::new(self.org.clone(), "service:bench")
    }

    /// The stream of something in the org.
    pub fn stream(&self, id: impl AsRef<str>) -> StreamId {
        StreamId::new(&self.org, id)
    }

    /// A sequencer on connections of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sequencer(&self) -> anyhow::Result<Sequencer> {
        let pool = tierline_eventstore::connect(&self.database.url, 2).await?;
        Ok(Sequencer::new(pool, self.runner.store().waker()))
    }

    /// Creates the org, on real time, and publishes the program.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn found(&self) -> anyhow::Result<()> {
        let create = OrgCommand::Create(CreateOrg {
            org: self.org.clone(),
            name: "Bench".to_owned(),
            time_zone: "UTC".to_owned(),
            fiscal_year_start: 1,
            base_currency: Currency::USD,
            sandbox_clock: None,
        });
        let stream = StreamId::of_org(&self.org);
        self.all::<Org>(vec![BulkItem::new(stream, create)]).await?;
        let definition = program_from_yaml(PROGRAM)?;
        let stream = self.stream(&definition.slug);
        let apply = ProgramCommand::Apply(ApplyProgram {
            definition: Box::new(definition),
            effective_date: date(2000, 1, 1),
            note: String::new(),
            transition: tierline_domain::program::Transition::Now,
            today: today(),
            publisher: Publisher::default(),
            library: tierline_domain::benefit::BenefitLibrary::default(),
        });
        self.all::<Program>(vec![BulkItem::new(stream, apply)])
            .await
    }

    /// Creates partners 0 to `count` - 1.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn partners(&self, count: u64) -> anyhow::Result<()> {
        let create = |number| -> anyhow::Result<_> {
            let partner = partner_id(number)?;
            let command = PartnerCommand::Create(Box::new(create_partner(&partner)));
            Ok(BulkItem::new(self.stream(&partner), command))
        };
        self.all::<Partner>((0..count).map(create).collect::<Result<_, _>>()?)
            .await
    }

    /// Enrolls partners 0 to `count` - 1, each once, since three years ago.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn enrollments(&self, count: u64) -> anyhow::Result<()> {
        let program = program_from_yaml(PROGRAM)?;
        let track = program.tracks.first().context("the program has no track")?;
        let facts = TrackFacts {
            archived: false,
            published: true,
            tiers: Some(track.tiers.iter().map(|tier| tier.id.clone()).collect()),
            ..TrackFacts::default()
        };
        let enroll = |number| -> anyhow::Result<_> {
            let command = Enroll {
                enrollment: enrollment_id(number)?,
                partner: partner_id(number)?,
                program: ProgramId::parse(program.slug.as_str())?,
                track: TrackId::parse(track.id.as_str())?,
                start_date: today().checked_sub(36.months())?,
                end_date: None,
                placed_tier: None,
                primary_contact: None,
                today: today(),
                partner_status: PartnerStatus::Active,
                track_facts: facts.clone(),
            };
            let stream = self.stream(&command.enrollment);
            let command = EnrollmentCommand::Enroll(Box::new(command));
            Ok(BulkItem::new(stream, command))
        };
        self.all::<Enrollment>((0..count).map(enroll).collect::<Result<_, _>>()?)
            .await
    }

    /// Records deals.
    ///
    /// # Errors
    /// When a command fails.
    pub async fn record(
        &self,
        deals: impl IntoIterator<Item = anyhow::Result<RecordDeal>>,
    ) -> anyhow::Result<()> {
        let item = |deal: anyhow::Result<RecordDeal>| -> anyhow::Result<_> {
            let deal = deal?;
            let stream = self.stream(&deal.deal);
            Ok(BulkItem::new(stream, DealCommand::Record(Box::new(deal))))
        };
        self.all::<Deal>(deals.into_iter().map(item).collect::<Result<_, _>>()?)
            .await
    }

    /// Carries out commands, many at a time.
    ///
    /// # Errors
    /// The first command that fails.
    pub async fn all<A>(&self, mut items: Vec<BulkItem<A>>) -> anyhow::Result<()>
    where
        A: Entity,
        A::Command: Clone + Sync,
    {
        let context = self.context();
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(BULK));
            let done = self.runner.execute_many(&context, items, |_, _| Vec::new());
            for result in done.await {
                result.context("a command of the preparation failed")?;
            }
            items = rest;
        }
        Ok(())
    }

    /// How far each partition of the log is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn heads(&self) -> anyhow::Result<Vec<i64>> {
        let heads = sqlx::query_scalar("SELECT unnest(heads) FROM sequencer");
        Ok(heads.fetch_all(&self.pool).await?)
    }

    /// Waits until a consumer has applied each partition up to these numbers.
    ///
    /// # Errors
    /// When it does not within `patience`, or the database fails.
    pub async fn until_reached(
        &self,
        consumer: ConsumerId,
        heads: &[i64],
        patience: Duration,
    ) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let left: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM unnest($3::bigint[]) WITH ORDINALITY AS h(head, nth)
                 LEFT JOIN bus.checkpoints c ON c.consumer = $1 AND c.version = $2
                      AND c.partition = h.nth - 1
                 WHERE coalesce(c.number, 0) < h.head",
            )
            .bind(consumer.name)
            .bind(consumer.version)
            .bind(heads)
            .fetch_one(&self.pool)
            .await?;
            if left == 0 {
                return Ok(());
            }
            if tokio::time::Instant::now() > until {
                bail!("{consumer} is behind in {left} partitions");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a statement gives zero.
    ///
    /// # Errors
    /// When it does not within `patience`, or the database fails.
    pub async fn until_zero(&self, sql: &str, patience: Duration) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            let left: i64 = sqlx::query_scalar(sql).fetch_one(&self.pool).await?;
            if left == 0 {
                return Ok(());
            }
            if tokio::time::Instant::now() > until {
                bail!("{left} are left after {} s: {sql}", patience.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Today, where the orgs of the measurements are.
pub fn today() -> Date {
    Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date()
}

/// A date that lies in the last twelve months as seen from the end of each of the last two complete
/// quarters, so that a deal won then counts for a tier.
///
/// # Errors
/// When the calendar ends.
pub fn counted_day() -> anyhow::Result<Date> {
    let today = today();
    let month = (today.month() - 1) / 3 * 3 + 1;
    let quarter = date(today.year(), month, 1);
    Ok(quarter.checked_sub(5.months())?)
}

/// Identifier of a partner.
///
/// # Errors
/// Never for a number of less than ten digits.
pub fn partner_id(number: u64) -> anyhow::Result<PartnerId> {
    Ok(PartnerId::parse(format!("p-{number:07}"))?)
}

/// Identifier of an enrollment.
///
/// # Errors
/// As [`partner_id`].
pub fn enrollment_id(number: u64) -> anyhow::Result<EnrollmentId> {
    Ok(EnrollmentId::parse(format!("e-{number:07}"))?)
}

/// Identifier of a deal.
///
/// # Errors
/// As [`partner_id`].
pub fn deal_id(number: u64) -> anyhow::Result<DealId> {
    Ok(DealId::parse(format!("d-{number:07}"))?)
}

fn create_partner(partner: &PartnerId) -> CreatePartner {
    let name = format!("Partner {partner}");
    let mut profile =
        PartnerProfile::new(name, format!("{partner}.example"), PartnerType::Reseller);
    profile.region = Some("EMEA".to_owned());
    CreatePartner {
        partner: partner.clone(),
        profile,
        status: PartnerStatus::Active,
        tags: Vec::new(),
        primary_contact: Person {
            first_name: "Ada".to_owned(),
            last_name: "Byron".to_owned(),
            email: format!("ada@{partner}.example"),
            phone: None,
            title: None,
        },
    }
}

/// A number that looks random and is the same in every run.
pub fn scattered(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What is known of a deal when it is registered.
///
/// # Errors
/// As [`partner_id`].
pub fn registered(number: u64) -> anyhow::Result<DealRecord> {
    let cents = i64::try_from(100_000 + scattered(number) % 4_900_000)?;
    let mut record = DealRecord::new(format!("Renewal {number}"));
    record.customer = Some(Customer {
        name: format!("Customer {} Ltd", number % 997),
        domain: Some(format!("customer-{}.example", number % 997)),
    });
    record.amount = Some(Money::new(Decimal::new(cents, 2), Currency::USD));
    record.product_lines = vec!["platform".to_owned()];
    record.region = Some("EMEA".to_owned());
    record.source = Some(DealSource::PartnerSourced);
    record.registered_date = Some(today().checked_sub(24.months())?);
    Ok(record)
}

/// Registers a deal of one of [`PARTNERS`].
///
/// # Errors
/// As [`partner_id`].
pub fn register(number: u64) -> anyhow::Result<RegisterDeal> {
    let record = registered(number)?;
    Ok(RegisterDeal {
        deal: deal_id(number)?,
        partner: partner_id(number % PARTNERS)?,
        partner_status: PartnerStatus::Active,
        external_id: None,
        name: record.name,
        customer: record.customer,
        amount: record.amount,
        product_lines: record.product_lines,
        region: record.region,
        source: record.source,
        registered_date: record.registered_date.unwrap_or_else(today),
        expected_close_date: None,
        attributes: record.attributes,
    })
}

/// A deal that a partner won on some day of the last two years.
///
/// # Errors
/// As [`partner_id`].
pub fn won(number: u64, partner: u64) -> anyhow::Result<RecordDeal> {
    let days = i32::try_from(scattered(number ^ 0x5555) % 700)?;
    let mut record = registered(number)?;
    record.state = DealState::Won;
    record.closed_date = Some(today().checked_sub(days.days())?);
    Ok(RecordDeal {
        deal: deal_id(number)?,
        partner: partner_id(partner)?,
        record,
    })
}

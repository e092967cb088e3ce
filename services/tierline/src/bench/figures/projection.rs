//! Events into the partners table and the standings, each table with its checkpoint: read from the
//! log, and carried by JetStream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::ToSpan as _;
use tierline_bus::{Checkpoints, Options, Progress, SharedLog, Source};
use tierline_domain::Routing;
use tierline_domain::rules::Outcome;
use tierline_domain::standing::events::Opened;
use tierline_domain::standing::{
    Basis, Cause, CriterionProgress, Direction, Evidence, Progress as Measured, Standing,
    StandingEvent, TierChange, TierProgress, TierSource,
};
use tierline_domain::{ProgramId, TierId, TrackId};
use tierline_eventstore::{AppendItem, LogReader};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bench::nats::Nats;
use crate::bench::raw::UPSERT;
use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, World};

/// Partners, each enrolled once.
const PARTNERS: u64 = 5_000;
/// Events of each, in the proportions of the demonstration org: created, enrolled, standing opened,
/// activities, what was measured after most of them, and a change of the tier.
pub const EVENTS_EACH: u64 = ACTIVITIES + MEASURED + 4;
/// Deals of each partner.
const ACTIVITIES: u64 = 10;
/// How often the progress of each was recomputed.
const MEASURED: u64 = 6;
/// Connections of the projections, as in an ordinary process.
const CONNECTIONS: u32 = 4;
/// The tables that are measured.
const TABLES: [&str; 2] = ["partners", "standings"];
/// How long the projections may take.
const PATIENCE: Duration = Duration::from_secs(300);

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let limit = run.upsert().await?;
    let partners = run.plan.many(PARTNERS);
    let world = World::open(run).await?;
    prepare(&world, partners).await?;
    sqlx::raw_sql("ANALYZE").execute(&world.pool).await?;
    run.server.checkpoint().await;
    let events: i64 = sqlx::query_scalar("SELECT position FROM sequencer")
        .fetch_one(&world.pool)
        .await?;
    let log = SharedLog::new(LogReader::new(world.pool.clone()), None);
    let seconds = project(&world, &Source::Log(log)).await?;
    let what = format!(
        "projection of {} events into {}",
        partners * EVENTS_EACH,
        TABLES.join(" and ")
    );
    let from_log = events as f64 / seconds;
    let sample = Sample::new(what.clone(), Unit::PerSecond, from_log);
    let sample = sample.of(UPSERT, limit);
    run.report(sample.reach(Target::RatioAtLeast(0.35)));
    let nats = Nats::start(run).await?;
    nats.relay(&world).await?;
    forget(&world).await?;
    run.server.checkpoint().await;
    let seconds = project(&world, &nats.source(&world.pool)).await?;
    let what = format!("{what}, carried by JetStream");
    let sample = Sample::new(what, Unit::PerSecond, events as f64 / seconds);
    let sample = sample.of("the log feed", from_log);
    run.report(sample.reach(Target::RatioAtLeast(0.7)));
    nats.stop().await?;
    world.close(run).await
}

/// Seconds until all projections that are measured are at the end of the log.
async fn project(world: &World, source: &Source) -> anyhow::Result<f64> {
    let pool = tierline_eventstore::connect_relaxed(&world.database.url, CONNECTIONS).await?;
    let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
    let options = Options {
        patience: Duration::from_millis(20),
        force: true,
        ..Options::default()
    };
    let mut running = JoinSet::new();
    let begin = Instant::now();
    for projection in tierline_projector::consumers(&pool, source, &progress, &options) {
        if TABLES
            .iter()
            .any(|table| projection.id().name.ends_with(table))
        {
            running.spawn(projection.run(stop.clone()));
        }
    }
    caught_up(world, running.len()).await?;
    let seconds = begin.elapsed().as_secs_f64();
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    pool.close().await;
    Ok(seconds)
}

/// Empties the tables that are measured, and forgets how far they were.
async fn forget(world: &World) -> anyhow::Result<()> {
    for table in TABLES {
        // Names of our own making need no quotes.
        let sql = format!(
            "TRUNCATE read.{table};
             DELETE FROM bus.checkpoints WHERE consumer = 'projector-{table}';"
        );
        sqlx::raw_sql(&sql).execute(&world.pool).await?;
    }
    Ok(())
}

/// Waits until so many consumers are at the end of the log.
pub async fn caught_up(world: &World, consumers: usize) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let lags = Checkpoints::lags(&world.pool).await?;
        let behind: i64 = lags.iter().map(|lag| lag.events + lag.parked).sum();
        if lags.len() >= consumers && behind == 0 {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < until, "consumers are behind: {lags:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A log in which the events of all partners come in turns.
pub async fn prepare(world: &World, partners: u64) -> anyhow::Result<()> {
    world.found().await?;
    world.partners(partners).await?;
    world.enrollments(partners).await?;
    let metadata = world.context().metadata();
    for turn in 0..ACTIVITIES.max(MEASURED + 2) {
        let deals = (0..partners).filter(|_| turn < ACTIVITIES);
        world
            .record(deals.map(|number| world::won(turn * partners + number, number)))
            .await?;
        let mut items = Vec::new();
        for number in 0..partners {
            let partner = world::partner_id(number)?;
            let event = match turn {
                0 => opened(number)?,
                turn if turn <= MEASURED => progressed(number, turn)?,
                turn if turn == MEASURED + 1 => changed(turn)?,
                _ => continue,
            };
            items.push(AppendItem::of::<Standing>(
                world.stream(world::enrollment_id(number)?),
                world.org.clone(),
                &Routing::Partner(partner),
                turn,
                &[event],
                &metadata,
            )?);
        }
        for outcome in world.runner.store().append_many(&items).await {
            outcome?;
        }
    }
    world.sequencer().await?.drain().await?;
    Ok(())
}

fn basis(turn: u64) -> Basis {
    Basis {
        partition: 3,
        number: 1_000 + turn,
        program_version: 1,
        triggers: vec![1_000 + turn],
    }
}

fn opened(number: u64) -> anyhow::Result<StandingEvent> {
    Ok(StandingEvent::StandingOpened(Opened {
        as_of: world::today(),
        basis: basis(0),
        enrollment: world::enrollment_id(number)?,
        partner: world::partner_id(number)?,
        program: ProgramId::parse("three-tier-revenue")?,
        track: TrackId::parse("resell")?,
        tier: TierId::parse("bronze")?,
        tier_name: "Bronze".to_owned(),
        rank: 2,
        since: world::today(),
        source: TierSource::Entry,
    }))
}

/// As the evaluator writes it for two tiers with a figure at the ends of two quarters each.
fn progressed(number: u64, turn: u64) -> anyhow::Result<StandingEvent> {
    let revenue = world::scattered(number) % 40_000 * turn;
    let mut tiers = Vec::new();
    for (tier, needed) in [("gold", 500_000), ("silver", 100_000)] {
        let mut criteria = Vec::new();
        for quarter in [1_i32, 2] {
            criteria.push(CriterionProgress {
                id: "sourced-revenue".to_owned(),
                name: "Partner-sourced revenue".to_owned(),
                period_end: Some(world::today().checked_sub((quarter * 3).months())?),
                outcome: if revenue >= needed {
                    Outcome::Met
                } else {
                    Outcome::Unmet
                },
                measured: Some(format!("{revenue}.00 USD")),
                required: format!("at least {needed} USD"),
                gap: (revenue < needed).then(|| format!("{}.00 USD", needed - revenue)),
                percent: u8::try_from((revenue * 100 / needed).min(100))?,
            });
        }
        tiers.push(TierProgress {
            tier: TierId::parse(tier)?,
            outcome: Outcome::Unmet,
            criteria,
        });
    }
    Ok(StandingEvent::ProgressRecomputed(Measured {
        as_of: world::today(),
        basis: basis(turn),
        tiers,
        retention: None,
    }))
}

fn changed(turn: u64) -> anyhow::Result<StandingEvent> {
    Ok(StandingEvent::TierChanged(TierChange {
        as_of: world::today(),
        basis: basis(turn),
        from: TierId::parse("bronze")?,
        to: TierId::parse("silver")?,
        from_name: "Bronze".to_owned(),
        to_name: "Silver".to_owned(),
        rank: 1,
        direction: Direction::Promotion,
        cause: Cause::Qualified,
        source: TierSource::Automatic,
        evidence: Evidence {
            sentence: "Partner-sourced revenue reached 100,000 USD in each quarter.".to_owned(),
            explanation: None,
        },
    }))
}

//! A backtest by itself, without any server: 10,000 enrollments with 100 deals each over two years,
//! compared at the ends of eight quarters, on two threads. The histories lie in memory, a few of
//! them used again and again; what a server does besides is to read them from the log.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context;
use jiff::civil::Date;
use tierline_domain::activity::{Deal, DealCommand};
use tierline_domain::any_event::AnyEvent;
use tierline_domain::enrollment::{Enroll, Enrollment, EnrollmentCommand, TrackFacts};
use tierline_domain::partner::PartnerStatus;
use tierline_domain::program::org::{CreateOrg, Org, OrgCommand};
use tierline_domain::program::{
    ApplyProgram, Program, ProgramCommand, ProgramDefinition, Publisher, Transition,
    program_from_yaml,
};
use tierline_domain::standing::trial::{Draft, backtest};
use tierline_domain::standing::{OrgHistory, PartnerHistory, Place};
use tierline_domain::time::{Calendar, PeriodUnit, add_months};
use tierline_domain::{Currency, Decide, OrgId, ProgramId, StreamId};

use crate::bench::report::{Sample, Target, Unit};
use crate::bench::run::Run;
use crate::bench::world::{self, enrollment_id, partner_id};

/// The program that was in force; the draft asks for half as much.
const PROGRAM: &str = include_str!("../../../../../programs/three-tier-revenue.yaml");
/// Enrollments.
const ENROLLMENTS: u64 = 10_000;
/// Deals of each.
const DEALS: u64 = 100;
/// Different histories among them.
const HISTORIES: u64 = 100;
/// Quarters.
const QUARTERS: u32 = 8;
/// Threads.
const THREADS: usize = 2;
/// What it is compared with.
const DECODE: &str = "folding the deals alone";

pub async fn measure(run: &Run<'_>) -> anyhow::Result<()> {
    let calendar = Calendar::default();
    let published = program_from_yaml(PROGRAM)?;
    let org = org(&published)?;
    let histories: Vec<PartnerHistory> = (0..HISTORIES)
        .map(|number| history(number, &published))
        .collect::<anyhow::Result<_>>()?;
    let days = PeriodUnit::Quarter.complete_before(world::today(), QUARTERS, &calendar);
    let mut days: Vec<Date> = days.iter().map(|period| period.to).collect();
    days.sort_unstable();
    let easier = PROGRAM.replace("gte: 100000 }", "gte: 50000 }");
    let draft = Draft {
        program: ProgramId::parse(published.slug.as_str())?,
        definition: Some(Box::new(program_from_yaml(&easier)?)),
    };
    let none = Draft {
        program: ProgramId::parse("none")?,
        definition: Some(Box::new(published)),
    };
    let count = run.plan.many(ENROLLMENTS);
    // The same histories with a program that nobody is enrolled in: nothing is assessed.
    let limit = seconds(count, |number| play(&org, &histories, &none, &days, number))?;
    run.report(Sample::new(
        format!("raw: {DECODE}"),
        Unit::PerSecond,
        count as f64 / limit,
    ));
    let taken = seconds(count, |number| {
        play(&org, &histories, &draft, &days, number)
    })?;
    let what = format!("backtest: enrollments, {DEALS} deals, {QUARTERS} quarters");
    let sample = Sample::new(what, Unit::PerSecond, count as f64 / taken);
    run.report(sample.of(DECODE, count as f64 / limit));
    let what = format!("backtest: {ENROLLMENTS} enrollments on {THREADS} threads");
    let millis = taken * 1_000.0 * ENROLLMENTS as f64 / count as f64;
    run.report(Sample::new(what, Unit::Milliseconds, millis).reach(Target::AtMost(30_000.0)));
    Ok(())
}

/// How long `work` takes for every number, on all threads.
fn seconds(count: u64, work: impl Fn(u64) -> anyhow::Result<()> + Sync) -> anyhow::Result<f64> {
    let next = AtomicU64::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return Ok(());
                        }
                        work(number)?;
                    }
                })
            })
            .collect();
        for thread in threads {
            let ended = thread.join();
            ended.map_err(|_| anyhow::anyhow!("a thread of the measurement panicked"))??;
        }
        anyhow::Ok(())
    })?;
    Ok(begin.elapsed().as_secs_f64())
}

fn play(
    org: &OrgHistory,
    histories: &[PartnerHistory],
    draft: &Draft,
    days: &[Date],
    number: u64,
) -> anyhow::Result<()> {
    let history = &histories[usize::try_from(number % HISTORIES)?];
    black_box(backtest(org, history, draft, None, days, u64::MAX)?);
    Ok(())
}

/// Where an event of a stream stands; nothing else happens on its day.
fn place(number: u64, stream: &str, day: Date) -> anyhow::Result<Place> {
    Ok(Place {
        number,
        sequence: 1,
        stream: StreamId::new(&OrgId::parse("bench")?, stream),
        recorded_at: Calendar::default().start_of(day),
    })
}

fn org(definition: &ProgramDefinition) -> anyhow::Result<OrgHistory> {
    let mut history = OrgHistory::default();
    let begin = add_months(world::today(), -36);
    let create = OrgCommand::Create(CreateOrg {
        org: OrgId::parse("bench")?,
        name: "Bench".to_owned(),
        time_zone: "UTC".to_owned(),
        fiscal_year_start: 1,
        base_currency: Currency::USD,
        sandbox_clock: None,
    });
    for event in Org::default().decide(create)? {
        history.take(&place(1, "bench", begin)?, &AnyEvent::Org(event))?;
    }
    let apply = ProgramCommand::Apply(ApplyProgram {
        definition: Box::new(definition.clone()),
        effective_date: begin,
        note: String::new(),
        transition: Transition::Now,
        today: begin,
        publisher: Publisher::default(),
        library: tierline_domain::benefit::BenefitLibrary::default(),
    });
    for event in Program::default().decide(apply)? {
        let at = place(2, &definition.slug, begin)?;
        history.take(&at, &AnyEvent::Program(event))?;
    }
    Ok(history)
}

fn history(number: u64, definition: &ProgramDefinition) -> anyhow::Result<PartnerHistory> {
    let mut history = PartnerHistory::default();
    let track = definition
        .tracks
        .first()
        .context("the program has no track")?;
    let begin = add_months(world::today(), -36);
    let enroll = Enroll {
        enrollment: enrollment_id(number)?,
        partner: partner_id(number)?,
        program: ProgramId::parse(definition.slug.as_str())?,
        track: track.id.clone(),
        start_date: begin,
        end_date: None,
        placed_tier: None,
        primary_contact: None,
        today: begin,
        partner_status: PartnerStatus::Active,
        track_facts: TrackFacts {
            archived: false,
            published: true,
            tiers: Some(track.tiers.iter().map(|tier| tier.id.clone()).collect()),
            ..TrackFacts::default()
        },
    };
    let command = EnrollmentCommand::Enroll(Box::new(enroll));
    for event in Enrollment::default().decide(command)? {
        let at = place(3, enrollment_id(number)?.as_str(), begin)?;
        history.take(at, AnyEvent::Enrollment(event))?;
    }
    let mut deals = (0..DEALS)
        .map(|deal| world::won(number * DEALS + deal, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    deals.sort_by_key(|deal| deal.record.closed_date);
    for (at, deal) in deals.into_iter().enumerate() {
        let day = deal.record.closed_date.context("the deal is not closed")?;
        let at = place(4 + at as u64, deal.deal.as_str(), day)?;
        for event in Deal::default().decide(DealCommand::Record(Box::new(deal)))? {
            history.take(at.clone(), AnyEvent::Deal(event))?;
        }
    }
    Ok(history)
}

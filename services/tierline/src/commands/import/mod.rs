//! `tierline import partners|deals|certifications|rates FILE --mapping M.yaml`
//!
//! The file is read twice: once to check all of it, once to send its records. Nothing is sent of a
//! file that does not pass the check. Every row of the file ends up in the results file exactly
//! once.

mod answers;
mod batches;
mod check;
mod clock;
mod ledger;
mod progress;
mod rows;
mod send;
mod summary;
mod tally;
mod totals;
mod wire;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use jiff::civil::Date;
use tierline_importer::{CheckedPlan, ImportError, ImportPlan, Kind, Mapping, Options};
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tierline_proto::program::v1::{GetOrgRequest, Org};
use tierline_runtime::shutdown::Shutdown;
use tokio_util::sync::CancellationToken;

use self::clock::ClockSteps;
use self::ledger::{Ledger, Places};
use self::progress::Progress;
use self::send::{Clock as _, Ended, Sender};
use self::summary::{Status, Summary};
use self::wire::Wire;
use crate::cli::Globals;
use crate::client::{Authorized, refused};
use crate::commands::show::words;
use crate::{output, visible};

/// The code of a run that refused the file, failed or was interrupted.
const NOT_DONE: u8 = 2;
/// The code of a run that was done except for rejected rows.
const SOME_REJECTED: u8 = 1;

/// Imports a file from another system: every row gets a result, a second run changes nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 0 when every row is in place or left out on purpose, 1 when rows \
were rejected, 2 when the file was refused or the import did not come to its end."
)]
pub struct ImportArgs {
    /// What the file holds.
    #[arg(value_enum)]
    kind: What,
    /// The file: delimited text, plain or gzip.
    file: PathBuf,
    /// How the columns of the file become fields.
    #[arg(long, value_name = "YAML")]
    mapping: PathBuf,
    /// Check the whole file and send nothing; needs no server.
    #[arg(long)]
    dry_run: bool,
    /// Where the result of every row goes: CSV, or JSON lines where the name ends in .jsonl.
    /// Default: FILE.results.csv in the current folder.
    #[arg(long, value_name = "PATH")]
    results: Option<PathBuf>,
    /// A file that the mapping looks things up in, where it is not beside FILE.
    #[arg(long, value_name = "NAME=PATH", value_parser = lookup)]
    lookup: Vec<(String, PathBuf)>,
    /// Move the clock of a sandbox org along with the dates of the records.
    #[arg(long, value_enum, value_name = "STEP")]
    advance_clock: Option<Step>,
    /// Share of rejected rows above which the file is refused, instead of the mapping's.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    limit_rejected: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Partners with their contacts.
    Partners,
    /// Deals.
    Deals,
    /// Certifications of persons.
    Certifications,
    /// Exchange rates by the day.
    Rates,
}

impl What {
    fn kind(self) -> Kind {
        match self {
            Self::Partners => Kind::Partners,
            Self::Deals => Kind::Deals,
            Self::Certifications => Kind::Certifications,
            Self::Rates => Kind::Rates,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// To the first of every month that has records, before they are sent.
    Month,
}

fn lookup(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), PathBuf::from(path)))
        }
        _ => Err("must be NAME=PATH, with a name that the mapping has under lookups".to_owned()),
    }
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse();
    match number {
        Ok(number) if number <= 100 => Ok(number),
        _ => Err("must be a whole number from 0 to 100, such as 5 or 5%".to_owned()),
    }
}

pub async fn run(args: ImportArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    match import(&args, globals).await {
        Ok(code) => Ok(ExitCode::from(code)),
        Err(error) => {
            output::problem(&output::chain(&error));
            Ok(ExitCode::from(NOT_DONE))
        }
    }
}

/// The server that takes the records.
struct Target {
    channel: Authorized,
    org: Org,
    /// Where the records go, for the journal.
    name: String,
}

async fn import(args: &ImportArgs, globals: &Globals) -> anyhow::Result<u8> {
    let began = Instant::now();
    let shutdown = Shutdown::on_signals().context("signals cannot be listened for")?;
    let mapping = mapping(args)?;
    let places = places(args)?;
    // Before the file is read: whoever has no server or no token learns it at once.
    let target = match args.dry_run {
        true => None,
        false => Some(target(args, globals).await?),
    };
    let options = Options {
        lookups: args.lookup.iter().cloned().collect(),
        max_rejected_percent: args.limit_rejected,
        ..Options::default()
    };
    let plan = ImportPlan::open(mapping, &args.file, options)?;
    let checked = tokio::select! {
        checked = check::check(plan, &places) => checked?,
        () = shutdown.token().cancelled() => {
            check::keep(&places, false).ok();
            bail!("interrupted while the file was checked; nothing was sent");
        }
    };
    let mut summary = Summary::new(&args.file, args.kind.kind(), checked.totals, checked.tally);
    if !globals.output.json() {
        summary.print_check();
    }
    let plan = match checked.plan {
        Ok(plan) => plan,
        Err(error) => {
            // Unless the file there is of an import that was interrupted and may still go on.
            let keep = !places.journal.exists() && summary.tally.rows() > 0;
            summary.results = check::keep(&places, keep)?;
            summary.finish(Status::Refused, began, globals)?;
            return Err(not_sent(error));
        }
    };
    let unordered = checked
        .order
        .broken()
        .filter(|_| args.advance_clock.is_some());
    if let Some(problem) = summary.scattered().or(unordered.map(out_of_order)) {
        check::keep(&places, false)?;
        bail!(problem);
    }
    let Some(target) = target else {
        summary.results = check::keep(&places, true)?;
        summary.finish(Status::DryRun, began, globals)?;
        return Ok(code(&summary));
    };
    check::keep(&places, false)?;
    let interrupted = || match places.journal.exists() {
        false => anyhow::anyhow!("interrupted before the first records were answered"),
        true => anyhow::anyhow!(
            "interrupted; run the same command again and it goes on where it stopped ({} remembers \
             the place)",
            places.journal.display()
        ),
    };
    let ended = tokio::select! {
        ended = transfer(args, &plan, &places, &target, &mut summary, shutdown.token()) => ended?,
        () = shutdown.at_once().cancelled() => return Err(interrupted()),
    };
    if ended == Ended::Interrupted {
        summary.finish(Status::Interrupted, began, globals)?;
        return Err(interrupted());
    }
    summary.finish(Status::Complete, began, globals)?;
    Ok(code(&summary))
}

fn not_sent(error: ImportError) -> anyhow::Error {
    let hint = match error {
        ImportError::Refused { .. } => " (--limit-rejected sets another limit)",
        _ => "",
    };
    let refused = format!("the file is refused; nothing was sent{hint}");
    anyhow::Error::from(error).context(refused)
}

fn code(summary: &Summary) -> u8 {
    if summary.tally.rejected.rows > 0 {
        SOME_REJECTED
    } else {
        0
    }
}

fn out_of_order(pair: &str) -> String {
    format!(
        "--advance-clock needs a file in the order of its dates, and {pair}; sort it, or import \
         without the flag and move the clock afterwards; nothing was sent"
    )
}

fn mapping(args: &ImportArgs) -> anyhow::Result<Mapping> {
    let mapping = Mapping::load(&args.mapping)?;
    let (asked, is) = (args.kind.kind().as_str(), mapping.kind().as_str());
    if asked != is {
        bail!(
            "the mapping {} is for {is}, not for {asked}: tierline import {is} {} --mapping {}",
            args.mapping.display(),
            args.file.display(),
            args.mapping.display()
        );
    }
    if args.advance_clock.is_some() && !matches!(mapping.kind(), Kind::Deals | Kind::Certifications)
    {
        bail!("--advance-clock goes by the dates of deals or certifications; {is} have none");
    }
    Ok(mapping)
}

fn places(args: &ImportArgs) -> anyhow::Result<Places> {
    let places = Places::new(args.results.clone(), &args.file);
    let same = |other: &Path| match (other.canonicalize(), places.results.canonicalize()) {
        (Ok(other), Ok(results)) => other == results,
        _ => false,
    };
    let lookups = args.lookup.iter().map(|(_, path)| path);
    let mut inputs = [&args.file, &args.mapping].into_iter().chain(lookups);
    if inputs.any(|input| same(input)) {
        bail!(
            "--results {} would overwrite what is to be read; name another file",
            places.results.display()
        );
    }
    if args.dry_run && places.journal.exists() {
        bail!(
            "{} holds the results of an import that was interrupted and can still go on; give the \
             dry run another file with --results",
            places.results.display()
        );
    }
    Ok(places)
}

async fn target(args: &ImportArgs, globals: &Globals) -> anyhow::Result<Target> {
    let channel = globals.client.connect().await?;
    let mut client = OrgServiceClient::new(channel.clone());
    let org = client.get_org(GetOrgRequest {}).await.map_err(refused)?;
    let org = org.into_inner();
    if args.advance_clock.is_some() && !org.sandbox {
        bail!(
            "--advance-clock needs a sandbox org, and the clock of org {} shows real time: create \
             one with `tierline org create NAME --sandbox DATE`",
            org.org_id
        );
    }
    Ok(Target {
        name: format!("{} at {}", org.org_id, globals.client.server()?),
        channel,
        org,
    })
}

/// Sends the records.
async fn transfer(
    args: &ImportArgs,
    plan: &CheckedPlan,
    places: &Places,
    target: &Target,
    summary: &mut Summary,
    stop: &CancellationToken,
) -> anyhow::Result<Ended> {
    let mut ledger = Ledger::open(places, plan, &target.name)?;
    summary.results = Some(places.results.clone());
    summary.resumed_after = ledger.resumed_after();
    if ledger.resumed_after() > 0 {
        output::note(&format!(
            "going on after record {} of {}: the ones before were answered in an earlier run",
            words::grouped(ledger.resumed_after()),
            words::grouped(plan.summary().records)
        ));
    }
    let channel = target.channel.clone();
    let mut steps = None;
    if args.advance_clock.is_some() {
        let today: Date = target
            .org
            .today_date
            .parse()
            .context("the org has no date")?;
        steps = Some(ClockSteps::new(today));
    }
    let way = Way {
        plan,
        steps,
        channel: channel.clone(),
        stop,
    };
    let ended = match plan.kind() {
        Kind::Deals => way.send(wire::Deals(channel), &mut ledger).await,
        Kind::Certifications => way.send(wire::Certifications(channel), &mut ledger).await,
        Kind::Partners => way.send(wire::Partners(channel), &mut ledger).await,
        Kind::Rates => way.send(wire::Rates::new(channel), &mut ledger).await,
    };
    summary.tally = ledger.tally().clone();
    let ended = ended.with_context(|| match ledger.done() {
        0 => "the import stopped before its first records were answered".to_owned(),
        done => format!(
            "the import stopped after record {} of {}; run the same command again and it goes on \
             there",
            words::grouped(done),
            words::grouped(plan.summary().records)
        ),
    })?;
    if ended == Ended::Complete {
        summary.tally = ledger.complete()?;
        if summary.tally.rows() != plan.summary().rows {
            bail!(
                "{} of {} rows have a result; this is a fault of Tierline",
                summary.tally.rows(),
                plan.summary().rows
            );
        }
    }
    if args.advance_clock.is_some() {
        summary.clock = Some(today(target).await?);
        visible::wait_until_idle(&target.channel, stop).await?;
    }
    Ok(ended)
}

async fn today(target: &Target) -> anyhow::Result<String> {
    let mut client = OrgServiceClient::new(target.channel.clone());
    let org = client.get_org(GetOrgRequest {}).await.map_err(refused)?;
    Ok(org.into_inner().today_date)
}

/// What sending needs, whatever the kind.
struct Way<'a> {
    plan: &'a CheckedPlan,
    steps: Option<ClockSteps>,
    channel: Authorized,
    stop: &'a CancellationToken,
}

impl Way<'_> {
    async fn send<W: Wire + Send + 'static>(
        self,
        wire: W,
        ledger: &mut Ledger,
    ) -> anyhow::Result<Ended> {
        let total = self.plan.summary().records;
        let items = self.plan.items(ledger.resumed_after())?;
        let (batches, reader) = batches::read::<W>(items, self.steps)?;
        let mut clock = OrgServiceClient::new(self.channel);
        let sender = Sender {
            wire,
            kind: self.plan.kind(),
            clock: clock.clone(),
            first_wait: send::FIRST_WAIT,
            ledger,
            progress: Progress::begin("sent", self.plan.kind().as_str(), total),
            total,
            stop: self.stop,
        };
        let ended = sender.run(batches).await?;
        if ended == Ended::Complete {
            let end = reader
                .join()
                .map_err(|_| anyhow::anyhow!("the reading thread failed"))?;
            if let Some(day) = end {
                clock.advance_to(day).await?;
            }
        }
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_rejected_rows_may_be_written_with_or_without_its_mark() {
        assert_eq!(percent("5"), Ok(5));
        assert_eq!(percent("100%"), Ok(100));
        for wrong in ["101", "-1", "5.5", "", "%", "half"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lookup_has_a_name_and_a_path() {
        let expected = ("product".to_owned(), PathBuf::from("a=b.csv"));
        assert_eq!(lookup("product=a=b.csv"), Ok(expected));
        for wrong in ["product", "=x", "product="] {
            assert!(lookup(wrong).is_err(), "{wrong}");
        }
    }
}

//! `tierline verify projections [NAME]`

use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use rand::seq::index;
use serde_json::{Value, json};
use sqlx::PgPool;
use tierline_eventstore::PARTITIONS;
use tierline_projector::{Sample, VerifyReport};

use super::direct::DatabaseFlags;
use super::rebuild::{named, names};
use super::show::{progress, words};
use crate::cli::Globals;
use crate::output;

/// Connections of a verification.
const CONNECTIONS: u32 = 2;

/// Compares what is stored with what the log says.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Folds the log afresh and compares every row of the read models.
    ///
    /// Works with a running server and without one; changes nothing.
    ///
    /// Exit code: 0 when nothing differs, 1 when something does or the comparison failed.
    Projections(ProjectionsArgs),
}

#[derive(Debug, clap::Args)]
struct ProjectionsArgs {
    /// The read model, or all of them.
    #[arg(default_value = "all", value_parser = PossibleValuesParser::new(names()))]
    name: String,
    /// Compare the rows of so many partitions only, drawn at random out of 16.
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        default_missing_value = "1",
        value_parser = clap::value_parser!(u8).range(1..=i64::from(PARTITIONS))
    )]
    sample: Option<u8>,
    #[command(flatten)]
    database: DatabaseFlags,
}

pub async fn run(args: VerifyArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let What::Projections(args) = args.what;
    let pool = args.database.connect(CONNECTIONS).await?;
    let partitions = partitions(args.sample);
    let mut reports = Vec::new();
    for name in named(&args.name) {
        let report = verify(&pool, name, &partitions)
            .await
            .with_context(|| format!("the read model {name} could not be compared"))?;
        if !globals.output.json() {
            for line in lines(&report) {
                output::line(line);
            }
        }
        reports.push(report);
    }
    pool.close().await;
    let differences: u64 = reports.iter().map(|report| report.differences).sum();
    if globals.output.json() {
        let models: Vec<Value> = reports.iter().map(as_json).collect();
        output::json(&json!({
            "models": models, "partitions": partitions, "differences": differences,
        }))?;
    } else if differences > 0 {
        output::line("`tierline rebuild NAME` builds a read model afresh from the log.");
    }
    Ok(if differences == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All partitions, or so many at random.
fn partitions(sample: Option<u8>) -> Vec<u8> {
    let Some(wanted) = sample else {
        return (0..PARTITIONS).collect();
    };
    let drawn = index::sample(
        &mut rand::rng(),
        usize::from(PARTITIONS),
        usize::from(wanted),
    );
    let mut partitions: Vec<u8> = drawn
        .iter()
        .filter_map(|one| u8::try_from(one).ok())
        .collect();
    partitions.sort_unstable();
    partitions
}

/// Partition by partition, so that there is progress to show.
async fn verify(
    pool: &PgPool,
    name: &'static str,
    partitions: &[u8],
) -> anyhow::Result<VerifyReport> {
    let bar = progress::counting("partitions");
    bar.set_length(partitions.len() as u64);
    let mut whole: Option<VerifyReport> = None;
    for partition in partitions {
        let sample = Sample::Partitions(vec![*partition]);
        for part in tierline_projector::verify(pool, name, &sample).await? {
            whole = Some(match whole {
                None => part,
                Some(before) => added(before, part),
            });
        }
        bar.inc(1);
        let rows = whole.as_ref().map_or(0, |whole| whole.rows);
        bar.set_message(format!("{name}: {}", words::counted(rows, "row")));
    }
    bar.finish_and_clear();
    whole.context("no partition was compared")
}

fn added(before: VerifyReport, part: VerifyReport) -> VerifyReport {
    VerifyReport {
        model: before.model,
        events: before.events + part.events,
        rows: before.rows + part.rows,
        differences: before.differences + part.differences,
        first: before.first.or(part.first),
        set_aside: before.set_aside + part.set_aside,
    }
}

fn lines(report: &VerifyReport) -> Vec<String> {
    let mut text = format!(
        "{}: {} and {} compared, {}",
        report.model,
        words::counted(report.rows, "row"),
        words::counted(report.events, "event"),
        words::counted(report.differences, "difference")
    );
    if report.set_aside > 0 {
        let events = words::counted(report.set_aside, "event");
        text.push_str(&format!("; {events} set aside, which no row shows"));
    }
    let mut lines = vec![text];
    if let Some(first) = &report.first {
        lines.push(format!("  the first: {first}"));
    }
    lines
}

fn as_json(report: &VerifyReport) -> Value {
    let first = report.first.as_ref().map(|first| {
        json!({
            "org": first.org, "key": first.key, "path": first.path,
            "expected": first.expected, "found": first.found,
        })
    });
    json!({
        "model": report.model, "events": report.events, "rows": report.rows,
        "differences": report.differences, "first": first, "set_aside": report.set_aside,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tierline_projector::Difference;

    fn report(differences: u64, key: &str) -> VerifyReport {
        VerifyReport {
            model: "partners",
            events: 10,
            rows: 5,
            differences,
            first: (differences > 0).then(|| Difference {
                org: "demo".into(),
                key: key.into(),
                path: "state.name".into(),
                expected: "\"a\"".into(),
                found: "\"b\"".into(),
            }),
            set_aside: 0,
        }
    }

    #[test]
    fn parts_add_up_and_the_first_difference_stays_the_first() {
        let whole = added(added(report(0, ""), report(1, "x")), report(2, "y"));
        assert_eq!((whole.rows, whole.events, whole.differences), (15, 30, 3));
        let lines = lines(&whole);
        assert_eq!(
            lines[0],
            "partners: 15 rows and 30 events compared, 3 differences"
        );
        assert!(lines[1].contains("row demo/x"), "{lines:?}");
    }

    #[test]
    fn a_sample_is_drawn_out_of_all_partitions_without_repetition() {
        assert_eq!(partitions(None).len(), usize::from(PARTITIONS));
        let mut drawn = partitions(Some(3));
        drawn.dedup();
        assert_eq!(drawn.len(), 3);
        assert!(drawn.iter().all(|one| *one < PARTITIONS));
    }
}

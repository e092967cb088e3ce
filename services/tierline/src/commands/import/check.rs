//! The first reading of a file: everything is checked and counted, nothing is sent.

use std::path::PathBuf;

use tierline_importer::{CheckedPlan, ImportError, ImportPlan, Observer, Record, RowResult};
use tokio::sync::oneshot;

use super::clock::{DateOrder, attained};
use super::ledger::{Places, ResultsFile};
use super::progress::Progress;
use super::tally::Tally;
use super::totals::Totals;

/// What a check found out.
pub(super) struct Checked {
    /// The file, if it may be sent.
    pub(super) plan: Result<CheckedPlan, ImportError>,
    pub(super) totals: Totals,
    pub(super) order: DateOrder,
    pub(super) tally: Tally,
}

/// Checks a file on a thread of its own; the results of its rows are in the part file afterwards.
///
/// # Errors
/// The results cannot be written.
pub(super) async fn check(plan: ImportPlan, places: &Places) -> anyhow::Result<Checked> {
    let (done, checked) = oneshot::channel();
    let (part, format) = (places.part(), places.format());
    let thread = std::thread::Builder::new().name("import-check".to_owned());
    thread.spawn(move || {
        let results = ResultsFile::create(&part, format);
        // Nobody waits any more when the import was interrupted.
        done.send(results.and_then(|results| run(plan, results)))
            .ok();
    })?;
    checked.await?
}

fn run(plan: ImportPlan, results: ResultsFile) -> anyhow::Result<Checked> {
    let mut watch = Watch {
        progress: Progress::begin("checked", "rows", 0),
        totals: Totals::new(plan.mapping().kind()),
        order: DateOrder::default(),
        tally: Tally::default(),
        results,
        failed: None,
    };
    let plan = plan.check(&mut watch);
    if let Some(error) = watch.failed.take() {
        return Err(error);
    }
    watch.results.flush()?;
    Ok(Checked {
        plan,
        totals: watch.totals,
        order: watch.order,
        tally: watch.tally,
    })
}

struct Watch {
    progress: Progress,
    totals: Totals,
    order: DateOrder,
    tally: Tally,
    results: ResultsFile,
    /// The results could not be written; the check goes on and is thrown away.
    failed: Option<anyhow::Error>,
}

impl Observer for Watch {
    fn progress(&mut self, progress: tierline_importer::Progress) {
        self.progress
            .show(progress.bytes, progress.total_bytes, progress.rows);
    }

    fn record(&mut self, key: &str, record: &Record) {
        self.totals.add(record);
        self.order.look(key, attained(record));
        self.tally.ok.records += 1;
    }

    fn row(&mut self, result: &RowResult) {
        self.tally.note(std::slice::from_ref(result), false, None);
        if self.failed.is_none() {
            self.failed = self.results.write(result).err();
        }
    }
}

/// Keeps the results of a check under the final name, or removes them.
///
/// # Errors
/// The file cannot be renamed or removed.
pub(super) fn keep(places: &Places, wanted: bool) -> std::io::Result<Option<PathBuf>> {
    let part = places.part();
    if wanted {
        std::fs::rename(&part, &places.results)?;
        return Ok(Some(places.results.clone()));
    }
    std::fs::remove_file(&part)?;
    Ok(None)
}

//! What an import reports, to people and to programs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use tierline_importer::Kind;

use super::tally::{Count, Reason, Tally};
use super::totals::Totals;
use crate::cli::Globals;
use crate::commands::show::words::grouped;
use crate::output;

/// How an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Every row has its result.
    Complete,
    /// Only the check was asked for.
    DryRun,
    /// The check refused the file.
    Refused,
    /// Stopped half-way; it can go on.
    Interrupted,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::DryRun => "dry_run",
            Self::Refused => "refused",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Everything that is reported.
pub(super) struct Summary {
    file: PathBuf,
    kind: Kind,
    totals: Totals,
    /// Of the check, and of sending once something was sent.
    pub(super) tally: Tally,
    rows: u64,
    records: u64,
    /// Where the results are.
    pub(super) results: Option<PathBuf>,
    /// The last record of an earlier run; 0: there was none.
    pub(super) resumed_after: u64,
    /// Where the clock of the org was left.
    pub(super) clock: Option<String>,
}

impl Summary {
    /// What a check counted.
    pub(super) fn new(file: &Path, kind: Kind, totals: Totals, tally: Tally) -> Self {
        Self {
            file: file.to_owned(),
            kind,
            totals,
            rows: tally.rows(),
            records: tally.ok.records,
            tally,
            results: None,
            resumed_after: 0,
            clock: None,
        }
    }

    /// Why rates that are scattered over a file cannot be sent.
    pub(super) fn scattered(&self) -> Option<String> {
        let day = self.totals.scattered_day()?;
        Some(format!(
            "the rates of {day} do not stand together; sort the file by its dates, because \
             publishing a day replaces what was published for it; nothing was sent"
        ))
    }

    /// What the file holds.
    pub(super) fn print_check(&self) {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        output::line(format!(
            "{}: {} {rows}, {}",
            self.file.display(),
            grouped(self.rows),
            self.totals.things(self.records)
        ));
        for line in self.totals.lines() {
            output::line(format!("  {line}"));
        }
        output::line("");
    }

    /// The end of the report.
    ///
    /// # Errors
    /// When it has no JSON form.
    pub(super) fn finish(
        &self,
        status: Status,
        began: Instant,
        globals: &Globals,
    ) -> anyhow::Result<()> {
        let seconds = began.elapsed().as_secs_f64();
        if globals.output.json() {
            return output::json(&self.json(status, seconds));
        }
        let always: &[&str] = match (status, self.kind) {
            (Status::DryRun | Status::Refused, _) => &["ok", "skipped", "rejected"],
            (_, Kind::Rates) => &["published", "unchanged", "rejected"],
            _ => &["created", "updated", "unchanged", "skipped", "rejected"],
        };
        for line in self.tally.lines(always) {
            output::line(line);
        }
        output::line("");
        if let Some(verdict) = self.verdict(status, seconds) {
            output::line(verdict);
        }
        if let Some(clock) = &self.clock {
            output::line(format!("The clock of the org stands at {clock}."));
        }
        if let Some(results) = &self.results {
            output::line(format!("Results of every row: {}", results.display()));
        }
        Ok(())
    }

    fn verdict(&self, status: Status, seconds: f64) -> Option<String> {
        let all = self.totals.things(self.records);
        let unchanged = self.tally.unchanged.records;
        let in_place = self.tally.written() + unchanged;
        Some(match status {
            Status::DryRun => "Nothing was sent: this was a dry run.".to_owned(),
            Status::Refused | Status::Interrupted => return None,
            Status::Complete if self.records == 0 => "The file holds nothing to send.".to_owned(),
            Status::Complete if self.tally.rejected.rows > 0 => format!(
                "{} of {all} are in place. Correct the rejected rows and import the file again.",
                grouped(in_place)
            ),
            Status::Complete if self.tally.written() == 0 => {
                format!("Nothing changed: {all}, all there already.")
            }
            Status::Complete => {
                let sent = self.totals.things(self.records - self.resumed_after);
                format!("{sent} in {seconds:.1} s.")
            }
        })
    }

    fn json(&self, status: Status, seconds: f64) -> Value {
        let tally = &self.tally;
        let count = |count: Count| json!({"records": count.records, "rows": count.rows});
        let reasons = |reasons: &std::collections::BTreeMap<String, Reason>| -> Value {
            let reasons = reasons.iter().map(
                |(reason, rows)| json!({"reason": reason, "rows": rows.rows, "first": rows.first}),
            );
            reasons.collect()
        };
        json!({
            "status": status.as_str(),
            "kind": self.kind.as_str(),
            "file": self.file.display().to_string(),
            "rows": self.rows,
            "records": self.records,
            "totals": self.totals.json(),
            "ok": count(tally.ok),
            "created": count(tally.created),
            "updated": count(tally.updated),
            "published": count(tally.published),
            "unchanged": count(tally.unchanged),
            "skipped": count(tally.skipped),
            "rejected": count(tally.rejected),
            "skip_reasons": reasons(&tally.skip_reasons),
            "reject_reasons": reasons(&tally.reject_reasons),
            "resumed_after": self.resumed_after,
            "clock": self.clock,
            "results": self.results.as_ref().map(|path| path.display().to_string()),
            "seconds": seconds,
        })
    }
}

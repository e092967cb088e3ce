//! What became of the rows of a file, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tierline_importer::{Outcome, RowResult, Stored};

use crate::commands::show::words::grouped;

/// Different reasons that are counted one by one.
const MAX_REASONS: usize = 30;
/// Reasons that people are shown.
const SHOWN_REASONS: usize = 8;
/// Longest reason or example of one, in bytes. A tally has to fit into a mark of a journal.
const MAX_TEXT: usize = 200;

/// Records, and the rows of which they were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    pub(super) records: u64,
    pub(super) rows: u64,
}

/// Rows that have the same reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reason {
    pub(super) rows: u64,
    /// The first of them, as a sentence.
    pub(super) first: String,
}

/// Everything that was answered. Every row of a file is counted exactly once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) created: Count,
    pub(super) updated: Count,
    /// Days of rates that were new or differed.
    pub(super) published: Count,
    pub(super) unchanged: Count,
    /// Good rows of a file that was only checked.
    pub(super) ok: Count,
    /// No records: these rows are in none.
    pub(super) skipped: Count,
    pub(super) rejected: Count,
    pub(super) skip_reasons: BTreeMap<String, Reason>,
    pub(super) reject_reasons: BTreeMap<String, Reason>,
}

impl Tally {
    /// Counts the rows of one record, or one row that is in no record. `label` is the reason of a
    /// refusal by the server; without it the reason is the field.
    pub(super) fn note(&mut self, results: &[RowResult], is_record: bool, label: Option<&str>) {
        let Some(first) = results.first() else { return };
        let rows = results.len() as u64;
        let count = match &first.outcome {
            Outcome::Ok { .. } => &mut self.ok,
            Outcome::Stored { how, .. } => match how {
                Stored::Created => &mut self.created,
                Stored::Updated => &mut self.updated,
                Stored::Published => &mut self.published,
            },
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Skipped { reason } => {
                add(&mut self.skip_reasons, reason, rows, first);
                &mut self.skipped
            }
            Outcome::Rejected { field, .. } => {
                let field = if field.is_empty() {
                    "the row as a whole"
                } else {
                    field
                };
                add(
                    &mut self.reject_reasons,
                    label.unwrap_or(field),
                    rows,
                    first,
                );
                &mut self.rejected
            }
        };
        count.records += u64::from(is_record);
        count.rows += rows;
    }

    fn counts(&self) -> [(&'static str, Count); 7] {
        [
            ("ok", self.ok),
            ("created", self.created),
            ("updated", self.updated),
            ("published", self.published),
            ("unchanged", self.unchanged),
            ("skipped", self.skipped),
            ("rejected", self.rejected),
        ]
    }

    /// Rows that were counted.
    pub(super) fn rows(&self) -> u64 {
        self.counts().iter().map(|(_, count)| count.rows).sum()
    }

    /// Records that the server has as the file describes them.
    pub(super) fn written(&self) -> u64 {
        self.created.records + self.updated.records + self.published.records
    }

    /// The table for people. `always` are the outcomes that are shown even when there are none.
    pub(super) fn lines(&self, always: &[&str]) -> Vec<String> {
        let mut lines = vec![format!("{:<10}{:>12}{:>12}", "OUTCOME", "RECORDS", "ROWS")];
        for (name, count) in self.counts() {
            if count == Count::default() && !always.contains(&name) {
                continue;
            }
            let records = match (name, count.records) {
                // A row that is left out or that is wrong makes no record.
                ("skipped" | "rejected", 0) => "-".to_owned(),
                (_, records) => grouped(records),
            };
            lines.push(format!(
                "{name:<10}{records:>12}{:>12}",
                grouped(count.rows)
            ));
        }
        reasons(&mut lines, "skipped", &self.skip_reasons, false);
        reasons(&mut lines, "rejected", &self.reject_reasons, true);
        lines
    }
}

fn add(reasons: &mut BTreeMap<String, Reason>, reason: &str, rows: u64, first: &RowResult) {
    let room = reasons.len() < MAX_REASONS || reasons.contains_key(reason);
    let reason = if room { reason } else { "other reasons" };
    let entry = reasons.entry(cut(reason)).or_insert_with(|| Reason {
        rows: 0,
        first: cut(&first.to_string()),
    });
    entry.rows += rows;
}

/// The most frequent reasons, each with an example where one is wanted.
fn reasons(lines: &mut Vec<String>, what: &str, reasons: &BTreeMap<String, Reason>, first: bool) {
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(_, reason)| std::cmp::Reverse(reason.rows));
    for (reason, rows) in sorted.iter().take(SHOWN_REASONS) {
        let word = if rows.rows == 1 { "row" } else { "rows" };
        lines.push(format!("  {what}, {} {word}: {reason}", grouped(rows.rows)));
        if first {
            lines.push(format!("    first: {}", rows.first));
        }
    }
    let rest = sorted.iter().skip(SHOWN_REASONS);
    let rest: u64 = rest.map(|(_, reason)| reason.rows).sum();
    if rest > 0 {
        let rows = grouped(rest);
        lines.push(format!(
            "  {what}, {rows} rows for other reasons: see the results"
        ));
    }
}

fn cut(text: &str) -> String {
    let mut cut = String::new();
    for letter in text.chars() {
        if cut.len() + letter.len_utf8() > MAX_TEXT {
            cut.push('…');
            break;
        }
        cut.push(if letter.is_control() { ' ' } else { letter });
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64, outcome: Outcome) -> Vec<RowResult> {
        let row = |row| RowResult {
            row,
            line: row + 1,
            key: "K".to_owned(),
            outcome: outcome.clone(),
        };
        (1..=count).map(row).collect()
    }

    fn rejected(field: &str) -> Outcome {
        Outcome::Rejected {
            field: field.to_owned(),
            text: "\"x\" is no number".to_owned(),
            allowed: String::new(),
        }
    }

    #[test]
    fn rows_and_records_are_counted_by_outcome_and_reason() {
        let mut tally = Tally::default();
        let created = Outcome::Stored {
            how: Stored::Created,
            note: None,
        };
        tally.note(&rows(16, created), true, None);
        tally.note(&rows(2, Outcome::Unchanged), true, None);
        let skipped = Outcome::Skipped {
            reason: "no account".to_owned(),
        };
        tally.note(&rows(1, skipped), false, None);
        tally.note(&rows(1, rejected("amount")), false, None);
        tally.note(&rows(3, rejected("")), true, Some("PARTNER_NOT_FOUND"));
        assert_eq!(tally.rows(), 23);
        assert_eq!(tally.written(), 1);
        let expected = "\
OUTCOME        RECORDS        ROWS
created              1          16
updated              0           0
unchanged            1           2
skipped              -           1
rejected             1           4
  skipped, 1 row: no account
  rejected, 3 rows: PARTNER_NOT_FOUND
    first: row 1 (K) rejected: \"x\" is no number
  rejected, 1 row: amount
    first: row 1 (K) rejected, amount: \"x\" is no number";
        assert_eq!(tally.lines(&["created", "updated"]).join("\n"), expected);
    }

    #[test]
    fn reasons_beyond_a_bound_are_counted_as_one_and_the_tally_fits_into_a_mark() {
        let mut tally = Tally::default();
        for at in 0..2_000 {
            let reason = format!("{at}{}", "\"".repeat(1_000));
            tally.note(&rows(1, Outcome::Skipped { reason }), false, None);
            let label = format!("{at}{}", "\0".repeat(1_000));
            tally.note(&rows(1, rejected(&"ö".repeat(1_000))), false, Some(&label));
        }
        assert_eq!(tally.skip_reasons.len(), MAX_REASONS + 1);
        assert_eq!(tally.skip_reasons["other reasons"].rows, 1_970);
        let bytes = serde_json::to_vec(&tally).unwrap().len();
        assert!(bytes < 60_000, "{bytes}");
    }
}

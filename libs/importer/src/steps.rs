//! One reading of a file: rows in, records and results out, groups and duplicates on the way.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tierline_domain::rules::value::Value;

use crate::error::ImportError;
use crate::group::Group;
use crate::mapping::GroupRows;
use crate::plan::{ImportPlan, Progress};
use crate::reader::RowReader;
use crate::record::{ContentHash, FieldError, Record};
use crate::results::{Outcome, RowRef, RowResult};
use crate::row::{Evaluated, Layout, RowEval, evaluate, into_values};
use crate::unique::{Duplicate, Unique};

/// What a reading makes of the rows: every row is in exactly one.
pub(crate) enum Made {
    Record {
        rows: Vec<RowRef>,
        key: String,
        hash: ContentHash,
        record: Record,
    },
    Row(RowResult),
}

/// One reading of a file.
pub(crate) struct Steps {
    pub(crate) plan: ImportPlan,
    pub(crate) reader: RowReader,
    layout: Layout,
    queue: VecDeque<Made>,
    unique: Unique,
    /// Open groups in order of their first row; at most one where groups are contiguous.
    groups: Vec<Group>,
    by_key: HashMap<String, usize>,
    held_rows: usize,
    ended: bool,
}

impl Steps {
    pub(crate) fn open(plan: &ImportPlan) -> Result<Self, ImportError> {
        let reader = RowReader::open(&plan.path, &plan.mapping.format, &plan.options.limits)?;
        let layout = Layout::of(&plan.mapping, &reader, &plan.path)?;
        Ok(Self {
            plan: plan.clone(),
            reader,
            layout,
            queue: VecDeque::new(),
            unique: Unique::default(),
            groups: Vec::new(),
            by_key: HashMap::new(),
            held_rows: 0,
            ended: false,
        })
    }

    pub(crate) fn progress(&self, records: u64) -> Progress {
        let (bytes, total_bytes) = self.reader.progress();
        Progress {
            bytes,
            total_bytes,
            rows: self.reader.rows(),
            records,
        }
    }

    pub(crate) fn advance(&mut self) -> Result<Option<Made>, ImportError> {
        loop {
            if let Some(made) = self.queue.pop_front() {
                return Ok(Some(made));
            }
            if self.ended {
                return Ok(None);
            }
            let plan = &self.plan;
            match self.reader.next_row()? {
                Some(row) => {
                    let limit = plan.options.limits.cell_bytes;
                    let evaluated =
                        evaluate(&plan.mapping, &plan.lookups, &self.layout, limit, &row);
                    self.absorb(evaluated)?;
                }
                None => {
                    self.ended = true;
                    for group in std::mem::take(&mut self.groups) {
                        self.finish(group);
                    }
                }
            }
        }
    }

    fn absorb(&mut self, row: RowEval) -> Result<(), ImportError> {
        let RowEval {
            row,
            key,
            group,
            evaluated,
        } = row;
        let values = match evaluated {
            Evaluated::Skipped(reason) => {
                self.row(&row, key, Outcome::Skipped { reason });
                return Ok(());
            }
            Evaluated::Rates(day) => {
                self.record(vec![row], day.key(), Ok(Record::Rates(day)));
                return Ok(());
            }
            Evaluated::Rejected(error) => Err(error),
            Evaluated::Values(values) => Ok(values),
        };
        match (group, values) {
            (Some(group), values) => self.absorb_grouped(group, row, values),
            (None, Err(error)) => {
                self.row(&row, key, rejected(error));
                Ok(())
            }
            (None, Ok(values)) => {
                let record = into_values(&self.plan.mapping, values).into_record();
                self.record(vec![row], key, record);
                Ok(())
            }
        }
    }

    fn absorb_grouped(
        &mut self,
        key: String,
        row: RowRef,
        values: Result<Vec<Option<Value>>, FieldError>,
    ) -> Result<(), ImportError> {
        let mapping = Arc::clone(&self.plan.mapping);
        let contiguous = mapping
            .group
            .as_ref()
            .is_some_and(|g| g.rows == GroupRows::Contiguous);
        let at = match self.by_key.get(&key) {
            Some(at) => *at,
            None => {
                if contiguous {
                    if let Some(first_row) = self.unique.group(&key, row.row) {
                        return Err(ImportError::NotContiguous {
                            key,
                            first_row,
                            row: row.row,
                        });
                    }
                    for group in std::mem::take(&mut self.groups) {
                        self.finish(group);
                    }
                    self.by_key.clear();
                    self.held_rows = 0;
                }
                self.by_key.insert(key.clone(), self.groups.len());
                self.groups.push(Group::new(key, mapping.fields.len()));
                self.groups.len() - 1
            }
        };
        let limits = &self.plan.options.limits;
        let limit = |what, limit: usize| ImportError::Limit {
            path: self.plan.path.clone(),
            what,
            limit: limit as u64,
            row: row.row,
        };
        self.held_rows += 1;
        if self.held_rows > limits.held_rows {
            return Err(limit("rows of unfinished groups", limits.held_rows));
        }
        if self.groups[at].len() >= limits.group_rows {
            return Err(limit("rows in one group", limits.group_rows));
        }
        self.groups[at].add(row, values, &mapping.fields);
        Ok(())
    }

    fn finish(&mut self, group: Group) {
        let Some((bad, _)) = group.wrong.first() else {
            let values = group
                .values
                .into_iter()
                .map(|v| v.map(|(value, _)| value))
                .collect();
            let record = into_values(&self.plan.mapping, values).into_record();
            self.record(group.rows, group.key, record);
            return;
        };
        let text = format!("row {} of the same group is rejected", bad.row);
        let (first, count) = (group.first_row(), group.len());
        for row in &group.rows {
            let allowed = format!("a group (rows from {first}, {count} in all) without a fault");
            self.row(
                row,
                group.key.clone(),
                rejected(FieldError::new("group_by", &text, allowed)),
            );
        }
        for (row, error) in group.wrong {
            self.row(&row, group.key.clone(), rejected(error));
        }
    }

    fn record(&mut self, mut rows: Vec<RowRef>, key: String, record: Result<Record, FieldError>) {
        let outcome = match record {
            Err(error) => rejected(error),
            Ok(record) => {
                let hash = record.content_hash();
                let first = rows.first().map_or(0, |row| row.row);
                match self.unique.check(&record, hash, first) {
                    Ok(()) => {
                        // The key is what the record is known by, also where a group has another.
                        let key = record.unique().swap_remove(0).1;
                        share_notes(&mut rows);
                        self.queue.push_back(Made::Record {
                            rows,
                            key,
                            hash,
                            record,
                        });
                        return;
                    }
                    Err(Duplicate::Same { row }) => Outcome::Skipped {
                        reason: format!("the same as row {row}"),
                    },
                    Err(Duplicate::Other(error)) => rejected(error),
                }
            }
        };
        for row in rows {
            self.row(&row, key.clone(), outcome.clone());
        }
    }

    fn row(&mut self, row: &RowRef, key: String, outcome: Outcome) {
        let result = RowResult {
            row: row.row,
            line: row.line,
            key,
            outcome,
        };
        self.queue.push_back(Made::Row(result));
    }
}

fn rejected(error: FieldError) -> Outcome {
    Outcome::Rejected {
        field: error.field,
        text: error.error.text,
        allowed: error.error.allowed,
    }
}

// Every row of a group of several says so.
fn share_notes(rows: &mut [RowRef]) {
    let count = rows.len();
    if count < 2 {
        return;
    }
    let first = rows[0].row;
    for (index, row) in rows.iter_mut().enumerate() {
        let mut note = format!("{} of {count} rows, from row {first}", index + 1);
        if let Some(own) = row.note.take() {
            note.push_str("; ");
            note.push_str(&own);
        }
        row.note = Some(note);
    }
}

//! The way of a file: open, check as a whole, then yield items.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::error::ImportError;
use crate::group::Group;
use crate::lookup::LookupTable;
use crate::mapping::{GroupRows, Kind, Mapping};
use crate::reader::{Limits, RowReader};
use crate::record::{ContentHash, FieldError, Record};
use crate::results::{Outcome, RowRef, RowResult};
use crate::row::{Evaluated, Layout, RowEval, evaluate, into_values};
use crate::unique::{Duplicate, Unique};

/// Namespace of the request ids that are made from file, key and content.
const REQUESTS: Uuid = Uuid::from_u128(0x7d1c_5a52_90a4_4c55_9d0e_3d6b_1a1f_2c11);

/// Different reasons that a summary counts one by one.
const MAX_REASONS: usize = 50;

/// How to read a file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bounds.
    pub limits: Limits,
    /// Paths of lookup files by name. Others are taken as the mapping writes them, from the
    /// folder of the imported file.
    pub lookups: BTreeMap<String, PathBuf>,
    /// Share of rejected rows above which the file is refused, instead of the mapping's.
    pub max_rejected_percent: Option<u8>,
}

/// How far reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file read.
    pub bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Rows read.
    pub rows: u64,
    /// Records made.
    pub records: u64,
}

/// Watches a check. `()` watches nothing.
pub trait Observer {
    /// Called every few hundred rows and at the end.
    fn progress(&mut self, progress: Progress) {
        let _ = progress;
    }

    /// Called for every row. Rows of a group come when the group is complete.
    fn row(&mut self, result: &RowResult) {
        let _ = result;
    }
}

impl Observer for () {}

/// What a check counted. `rows = ok + skipped + rejected`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Rows, without the header.
    pub rows: u64,
    /// Rows that are part of a record.
    pub ok: u64,
    /// Rows left out on purpose.
    pub skipped: u64,
    /// Rows that cannot be used.
    pub rejected: u64,
    /// Records.
    pub records: u64,
    /// Skipped rows by reason; beyond fifty reasons the rest is counted as one.
    pub skip_reasons: BTreeMap<String, u64>,
    /// Rejected rows by field; the empty name stands for the row as a whole.
    pub rejected_fields: BTreeMap<String, u64>,
    /// The first rejected row.
    pub first_rejected: Option<RowResult>,
}

impl Summary {
    fn note(&mut self, result: &RowResult) {
        self.rows += 1;
        match &result.outcome {
            Outcome::Ok { .. } | Outcome::Unchanged => self.ok += 1,
            Outcome::Skipped { reason } => {
                self.skipped += 1;
                let known = self.skip_reasons.contains_key(reason);
                let room = known || self.skip_reasons.len() < MAX_REASONS;
                let reason = if room {
                    reason.as_str()
                } else {
                    "other reasons"
                };
                *self.skip_reasons.entry(reason.to_owned()).or_default() += 1;
            }
            Outcome::Rejected { field, .. } => {
                self.rejected += 1;
                *self.rejected_fields.entry(field.clone()).or_default() += 1;
                let earlier = self
                    .first_rejected
                    .as_ref()
                    .is_some_and(|f| f.row <= result.row);
                if !earlier {
                    self.first_rejected = Some(result.clone());
                }
            }
        }
    }
}

/// A record with everything that sending it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Number of the record in the file, from 1; the same in every reading of the same file.
    pub ordinal: u64,
    /// The rows that it was made of.
    pub rows: Vec<RowRef>,
    /// Its key: the external id, or the date of rates.
    pub key: String,
    /// Hash of its content.
    pub content_hash: ContentHash,
    /// Made from content of the file, key and content of the record: sending the same file again
    /// repeats the requests instead of making new ones.
    pub request_id: Uuid,
    /// The record.
    pub record: Record,
}

impl Item {
    /// One result per row of this record. Notes of the rows are kept where all went well.
    pub fn results(&self, outcome: &Outcome) -> Vec<RowResult> {
        let result = |row: &RowRef| RowResult {
            row: row.row,
            line: row.line,
            key: self.key.clone(),
            outcome: match outcome {
                Outcome::Ok { note: None } => Outcome::Ok {
                    note: row.note.clone(),
                },
                other => other.clone(),
            },
        };
        self.rows.iter().map(result).collect()
    }
}

/// What reading yields: every row of the file is in exactly one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A record to send.
    Item(Box<Item>),
    /// A row that is in no record.
    Row(RowResult),
}

/// A file and the mapping to read it with. Nothing of it can be sent before it is checked.
#[derive(Debug, Clone)]
pub struct ImportPlan {
    mapping: Arc<Mapping>,
    lookups: Arc<[LookupTable]>,
    path: PathBuf,
    options: Options,
}

impl ImportPlan {
    /// Opens a file, compares its header with the mapping and reads the lookup files.
    ///
    /// # Errors
    /// The file or a lookup file cannot be read, or lacks columns.
    pub fn open(
        mapping: impl Into<Arc<Mapping>>,
        file: &Path,
        options: Options,
    ) -> Result<Self, ImportError> {
        let mapping = mapping.into();
        let reader = RowReader::open(file, &mapping.format, &options.limits)?;
        Layout::of(&mapping, &reader, file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let lookups = mapping
            .lookups
            .iter()
            .map(|spec| {
                let path = match options.lookups.get(&spec.name) {
                    Some(path) => path.clone(),
                    None => folder.join(&spec.path),
                };
                LookupTable::load(spec, &path, &options.limits)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            mapping,
            lookups: lookups.into(),
            path: file.to_owned(),
            options,
        })
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// Reads the whole file without sending anything.
    ///
    /// # Errors
    /// The file cannot be read to its end, exceeds a limit, has groups that are not contiguous,
    /// or too large a share of its rows is rejected.
    pub fn check(self, observer: &mut dyn Observer) -> Result<CheckedPlan, ImportError> {
        let mut steps = Steps::open(&self)?;
        let mut summary = Summary::default();
        let mut count = 0_u64;
        while let Some(step) = steps.advance()? {
            match step {
                Made::Record { rows, key, .. } => {
                    summary.records += 1;
                    for row in rows {
                        let outcome = Outcome::Ok { note: row.note };
                        let result = RowResult {
                            row: row.row,
                            line: row.line,
                            key: key.clone(),
                            outcome,
                        };
                        summary.note(&result);
                        observer.row(&result);
                    }
                }
                Made::Row(result) => {
                    summary.note(&result);
                    observer.row(&result);
                }
            }
            count += 1;
            if count.is_multiple_of(256) {
                observer.progress(steps.progress(summary.records));
            }
        }
        observer.progress(steps.progress(summary.records));
        let limit = self
            .options
            .max_rejected_percent
            .unwrap_or(self.mapping.max_rejected_percent);
        if summary.rejected * 100 > u64::from(limit) * summary.rows {
            return Err(ImportError::Refused {
                summary: Box::new(summary),
                limit_percent: Decimal::from(limit),
            });
        }
        Ok(CheckedPlan {
            digest: steps.reader.digest(),
            plan: self,
            summary,
        })
    }
}

/// A file that passed the check.
#[derive(Debug, Clone)]
pub struct CheckedPlan {
    plan: ImportPlan,
    summary: Summary,
    digest: String,
}

impl CheckedPlan {
    /// What the check counted.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// SHA-256 of the content of the file (decompressed), hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The mapping.
    pub fn mapping(&self) -> &Mapping {
        &self.plan.mapping
    }

    /// Reads the file again and yields its records, beginning after the record of that ordinal;
    /// 0 begins at the start. Results of rows before it are not repeated.
    ///
    /// # Errors
    /// The file cannot be opened any more.
    pub fn items(&self, after: u64) -> Result<Items, ImportError> {
        let steps = Steps::open(&self.plan)?;
        Ok(Items {
            steps,
            digest: self.digest.clone(),
            after,
            ordinal: 0,
            ended: false,
        })
    }
}

/// Iterator over the steps of a checked file. After an error it ends.
pub struct Items {
    steps: Steps,
    digest: String,
    after: u64,
    ordinal: u64,
    ended: bool,
}

impl Items {
    /// How far reading has come.
    pub fn progress(&self) -> Progress {
        self.steps.progress(self.ordinal)
    }

    fn step(&mut self) -> Result<Option<Step>, ImportError> {
        loop {
            let Some(made) = self.steps.advance()? else {
                if self.steps.reader.digest() != self.digest {
                    return Err(ImportError::Changed {
                        path: self.steps.plan.path.clone(),
                    });
                }
                return Ok(None);
            };
            match made {
                Made::Record {
                    rows,
                    key,
                    hash,
                    record,
                } => {
                    self.ordinal += 1;
                    if self.ordinal > self.after {
                        return Ok(Some(Step::Item(Box::new(
                            self.item(rows, key, hash, record),
                        ))));
                    }
                }
                Made::Row(result) if self.ordinal >= self.after => {
                    return Ok(Some(Step::Row(result)));
                }
                Made::Row(_) => {}
            }
        }
    }

    fn item(&self, rows: Vec<RowRef>, key: String, hash: ContentHash, record: Record) -> Item {
        let kind = self.steps.plan.mapping.kind().as_str();
        let name = format!("{}\n{kind}\n{hash}\n{key}", self.digest);
        let request_id = Uuid::new_v5(&REQUESTS, name.as_bytes());
        Item {
            ordinal: self.ordinal,
            rows,
            key,
            content_hash: hash,
            request_id,
            record,
        }
    }
}

impl Iterator for Items {
    type Item = Result<Step, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        self.ended = !matches!(step, Some(Ok(_)));
        step
    }
}

enum Made {
    Record {
        rows: Vec<RowRef>,
        key: String,
        hash: ContentHash,
        record: Record,
    },
    Row(RowResult),
}

/// One reading of a file.
struct Steps {
    plan: ImportPlan,
    reader: RowReader,
    layout: Layout,
    queue: VecDeque<Made>,
    unique: Unique,
    /// Open groups in order of their first row; at most one where groups are contiguous.
    groups: Vec<Group>,
    by_key: std::collections::HashMap<String, usize>,
    held_rows: usize,
    ended: bool,
}

impl Steps {
    fn open(plan: &ImportPlan) -> Result<Self, ImportError> {
        let reader = RowReader::open(&plan.path, &plan.mapping.format, &plan.options.limits)?;
        let layout = Layout::of(&plan.mapping, &reader, &plan.path)?;
        Ok(Self {
            plan: plan.clone(),
            reader,
            layout,
            queue: VecDeque::new(),
            unique: Unique::default(),
            groups: Vec::new(),
            by_key: std::collections::HashMap::new(),
            held_rows: 0,
            ended: false,
        })
    }

    fn progress(&self, records: u64) -> Progress {
        let (bytes, total_bytes) = self.reader.progress();
        Progress {
            bytes,
            total_bytes,
            rows: self.reader.rows(),
            records,
        }
    }

    fn advance(&mut self) -> Result<Option<Made>, ImportError> {
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
        values: Result<Vec<Option<tierline_domain::rules::value::Value>>, FieldError>,
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

/// The kind of the records of a plan, for messages.
impl CheckedPlan {
    /// What the file is about.
    pub fn kind(&self) -> Kind {
        self.plan.mapping.kind()
    }
}

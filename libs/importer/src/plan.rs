//! The way of a file: open, check as a whole, then yield items.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::error::ImportError;
use crate::lookup::LookupTable;
use crate::mapping::{Kind, Mapping};
use crate::reader::{Limits, RowReader};
use crate::record::{ContentHash, Record};
use crate::results::{Outcome, RowRef, RowResult};
use crate::row::Layout;
use crate::steps::{Made, Steps};

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

    /// Called for every record, before its rows.
    fn record(&mut self, key: &str, record: &Record) {
        let _ = (key, record);
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
            Outcome::Ok { .. } | Outcome::Stored { .. } | Outcome::Unchanged => self.ok += 1,
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
                Outcome::Stored { how, note: None } => Outcome::Stored {
                    how: *how,
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
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) lookups: Arc<[LookupTable]>,
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
}

impl ImportPlan {
    /// Opens a file, compares its header with the mapping and reads the lookup files.
    ///
    /// # Errors
    /// The file or a lookup file cannot be read, or lacks columns, or `options` names a lookup that
    /// the mapping does not have.
    pub fn open(
        mapping: impl Into<Arc<Mapping>>,
        file: &Path,
        options: Options,
    ) -> Result<Self, ImportError> {
        let mapping = mapping.into();
        let reader = RowReader::open(file, &mapping.format, &options.limits)?;
        Layout::of(&mapping, &reader, file)?;
        known_lookups(&mapping, &options)?;
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
                Made::Record {
                    rows, key, record, ..
                } => {
                    summary.records += 1;
                    observer.record(&key, &record);
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

    /// What the file is about.
    pub fn kind(&self) -> Kind {
        self.plan.mapping.kind()
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

/// Refuses paths for lookups that the mapping does not have: they would be read by nobody.
fn known_lookups(mapping: &Mapping, options: &Options) -> Result<(), ImportError> {
    let names: Vec<&str> = mapping.lookups.iter().map(|l| l.name.as_str()).collect();
    match options
        .lookups
        .keys()
        .find(|name| !names.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(name) => Err(ImportError::Lookup {
            name: name.clone(),
            text: match names.is_empty() {
                true => "the mapping has no lookups".to_owned(),
                false => format!(
                    "the mapping has no such lookup; it has: {}",
                    names.join(", ")
                ),
            },
            source: None,
        }),
    }
}

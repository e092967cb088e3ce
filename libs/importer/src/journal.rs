//! A journal of what was sent, so that an interrupted import goes on where it stopped.
//!
//! The journal belongs to one file content, one mapping and one target. Losing it costs time and
//! nothing else: a repeated record has the same request id.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{CheckedPlan, Item};

/// Longest line of a journal that is read, in bytes.
const MAX_LINE: u64 = 1 << 16;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("the journal {} cannot be used", path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// The reason of the operating system.
        source: io::Error,
    },
    /// The journal was begun for something else.
    #[error(
        "the journal {} belongs to another import ({what} differs); remove it or name another one",
        path.display()
    )]
    Other {
        /// The journal.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// The first line cannot be understood.
    #[error("{} is no import journal", path.display())]
    Unreadable {
        /// The journal.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Head {
    file: String,
    mapping: String,
    target: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    done: u64,
    key: String,
    hash: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    state: Value,
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    done: u64,
    state: Value,
}

impl Journal {
    /// Opens the journal of an import, or begins one. `target` says where the records go, such as
    /// the address and the org.
    ///
    /// # Errors
    /// The file cannot be used, or belongs to another import.
    pub fn open(path: &Path, plan: &CheckedPlan, target: &str) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let head = Head {
            file: plan.digest().to_owned(),
            mapping: plan.mapping().digest().to_owned(),
            target: target.to_owned(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let Found {
            good,
            head: found,
            done,
            state,
        } = read(&file).map_err(failed)?;
        let mut journal = match found {
            None if good == 0 && file.metadata().map_err(failed)?.len() > 0 => {
                return Err(JournalError::Unreadable {
                    path: path.to_owned(),
                });
            }
            None => Self {
                path: path.to_owned(),
                file,
                done: 0,
                state: Value::Null,
            },
            Some(known) => {
                let what = if known.file != head.file {
                    Some("the file")
                } else if known.mapping != head.mapping {
                    Some("the mapping")
                } else {
                    (known.target != head.target).then_some("the target")
                };
                if let Some(what) = what {
                    return Err(JournalError::Other {
                        path: path.to_owned(),
                        what,
                    });
                }
                // A line that was torn by a crash is overwritten.
                file.set_len(good).map_err(failed)?;
                file.seek(SeekFrom::End(0)).map_err(failed)?;
                return Ok(Self {
                    path: path.to_owned(),
                    file,
                    done,
                    state,
                });
            }
        };
        journal.append(&head)?;
        Ok(journal)
    }

    /// Ordinal of the last record up to which everything is answered: where
    /// [`CheckedPlan::items`] goes on.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// What was noted with that record; `Null` where nothing was.
    pub fn state(&self) -> &Value {
        &self.state
    }

    /// Notes that all records up to this one are answered. Going back is ignored.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn mark(&mut self, item: &Item) -> Result<(), JournalError> {
        self.mark_with(item, Value::Null)
    }

    /// The same with something of the caller's own, such as what was counted so far. Its JSON form
    /// must stay below 60,000 bytes; a longer mark is not understood later and counts as torn.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn mark_with(&mut self, item: &Item, state: Value) -> Result<(), JournalError> {
        if item.ordinal <= self.done {
            return Ok(());
        }
        let mark = Mark {
            done: item.ordinal,
            key: item.key.clone(),
            hash: item.content_hash.to_string(),
            state,
        };
        self.append(&mark)?;
        self.done = item.ordinal;
        self.state = mark.state;
        Ok(())
    }

    fn append(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let failed = |source| JournalError::Io {
            path: self.path.clone(),
            source,
        };
        let mut text = serde_json::to_vec(line).map_err(|e| failed(e.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(failed)
    }
}

// What a journal says.
#[derive(Default)]
struct Found {
    /// Length of the readable part.
    good: u64,
    head: Option<Head>,
    done: u64,
    state: Value,
}

fn read(file: &File) -> io::Result<Found> {
    let mut reader = BufReader::new(file);
    let mut found = Found::default();
    loop {
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut reader, MAX_LINE);
        let length = limited.read_until(b'\n', &mut line)?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok(found);
        }
        if found.head.is_none() {
            match serde_json::from_slice(&line) {
                Ok(head) => found.head = Some(head),
                Err(_) => return Ok(found),
            }
        } else {
            match serde_json::from_slice::<Mark>(&line) {
                Ok(mark) if mark.done >= found.done => {
                    found.done = mark.done;
                    found.state = mark.state;
                }
                Ok(_) => {}
                Err(_) => return Ok(found),
            }
        }
        found.good += length as u64;
    }
}

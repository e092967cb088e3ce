//! A journal of what was sent, so that an interrupted import goes on where it stopped.
//!
//! The journal belongs to one file content, one mapping and one target. Losing it costs time and
//! nothing else: a repeated record has the same request id.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    done: u64,
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
        let (good, found, done) = read(&file).map_err(failed)?;
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

    /// Notes that all records up to this one are answered. Going back is ignored.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn mark(&mut self, item: &Item) -> Result<(), JournalError> {
        if item.ordinal <= self.done {
            return Ok(());
        }
        let mark = Mark {
            done: item.ordinal,
            key: item.key.clone(),
            hash: item.content_hash.to_string(),
        };
        self.append(&mark)?;
        self.done = item.ordinal;
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

// Length of the readable part, its head and its last mark.
fn read(file: &File) -> io::Result<(u64, Option<Head>, u64)> {
    let mut reader = BufReader::new(file);
    let (mut good, mut head, mut done) = (0_u64, None, 0_u64);
    loop {
        let mut line = Vec::new();
        let mut limited = io::Read::take(&mut reader, MAX_LINE);
        let length = limited.read_until(b'\n', &mut line)?;
        if length == 0 || line.last() != Some(&b'\n') {
            return Ok((good, head, done));
        }
        if head.is_none() {
            match serde_json::from_slice(&line) {
                Ok(found) => head = Some(found),
                Err(_) => return Ok((good, None, 0)),
            }
        } else {
            match serde_json::from_slice::<Mark>(&line) {
                Ok(mark) => done = done.max(mark.done),
                Err(_) => return Ok((good, head, done)),
            }
        }
        good += length as u64;
    }
}

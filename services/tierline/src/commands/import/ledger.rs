//! What is kept of an import on this side: the results file with one line per row, and beside it
//! the journal from which an interrupted import goes on.
//!
//! The journal only serves an interrupted run. It is removed when everything was answered, and a
//! second run of the same file asks the server about every record again.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tierline_importer::{
    CheckedPlan, Journal, JournalError, ResultFormat, ResultWriter, RowResult,
};

use super::answers::Answer;
use super::batches::Entry;
use super::tally::Tally;

/// Where results go, and where the journal stands beside them.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) results: PathBuf,
    pub(super) journal: PathBuf,
}

impl Places {
    /// The given file, or one in the current folder that is named after the imported one.
    pub(super) fn new(results: Option<PathBuf>, file: &Path) -> Self {
        let results = results.unwrap_or_else(|| {
            let mut name = file.file_name().unwrap_or_default().to_owned();
            name.push(".results.csv");
            PathBuf::from(name)
        });
        Self {
            journal: with_ending(&results, ".journal"),
            results,
        }
    }

    /// CSV, unless the name says JSON lines.
    pub(super) fn format(&self) -> ResultFormat {
        match self.results.extension() {
            Some(ending) if ending.eq_ignore_ascii_case("jsonl") => ResultFormat::JsonLines,
            _ => ResultFormat::Csv,
        }
    }

    /// The file that a check writes before it is known whether its results are wanted.
    pub(super) fn part(&self) -> PathBuf {
        with_ending(&self.results, ".part")
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A results file that is being written.
pub(super) struct ResultsFile {
    writer: ResultWriter<BufWriter<File>>,
    file: File,
    path: PathBuf,
}

impl ResultsFile {
    /// Begins a file, instead of whatever was there.
    ///
    /// # Errors
    /// It cannot be written, or another import is writing it.
    pub(super) fn create(path: &Path, format: ResultFormat) -> anyhow::Result<Self> {
        let file = lock(path)?;
        let problem = || cannot_write(path);
        file.set_len(0).with_context(problem)?;
        let buffered = BufWriter::new(file.try_clone().with_context(problem)?);
        let writer = ResultWriter::new(buffered, format).with_context(problem)?;
        Ok(Self {
            writer,
            file,
            path: path.to_owned(),
        })
    }

    /// Goes on in a file after so many bytes; none when the file is shorter.
    fn resume(path: &Path, format: ResultFormat, written: u64) -> anyhow::Result<Option<Self>> {
        let mut file = lock(path)?;
        let problem = || cannot_write(path);
        if file.metadata().with_context(problem)?.len() < written {
            return Ok(None);
        }
        file.set_len(written).with_context(problem)?;
        file.seek(SeekFrom::End(0)).with_context(problem)?;
        let buffered = BufWriter::new(file.try_clone().with_context(problem)?);
        Ok(Some(Self {
            writer: ResultWriter::append(buffered, format),
            file,
            path: path.to_owned(),
        }))
    }

    /// Writes the result of a row.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&mut self, result: &RowResult) -> anyhow::Result<()> {
        let written = self.writer.write(result);
        written.with_context(|| cannot_write(&self.path))
    }

    /// Hands everything to the operating system, and tells the length of the file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn flush(&mut self) -> anyhow::Result<u64> {
        let problem = || cannot_write(&self.path);
        self.writer.flush().with_context(problem)?;
        // Both handles have one position in the file.
        self.file.stream_position().with_context(problem)
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let problem = || cannot_write(path);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).with_context(problem)?;
    if file.try_lock().is_err() {
        anyhow::bail!(
            "another import is writing the results file {}; wait for it, or name another file with \
             --results",
            path.display()
        );
    }
    Ok(file)
}

fn cannot_write(path: &Path) -> String {
    format!(
        "the results file {} cannot be written; name another one with --results",
        path.display()
    )
}

/// What stands in a mark of the journal.
#[derive(Serialize, Deserialize)]
struct Mark {
    /// Length of the results file up to this record.
    written: u64,
    tally: Tally,
}

/// Everything that was answered so far.
pub(super) struct Ledger {
    results: ResultsFile,
    journal: Journal,
    journal_path: PathBuf,
    tally: Tally,
    resumed_after: u64,
}

impl Ledger {
    /// Begins, or goes on where an interrupted import of the same file, mapping and target was.
    ///
    /// # Errors
    /// A file cannot be used, or the journal belongs to another import.
    pub(super) fn open(places: &Places, plan: &CheckedPlan, target: &str) -> anyhow::Result<Self> {
        let mut journal = open_journal(&places.journal, plan, target)?;
        let mut resumed = None;
        if journal.done() > 0
            && let Ok(mark) = serde_json::from_value::<Mark>(journal.state().clone())
        {
            let file = ResultsFile::resume(&places.results, places.format(), mark.written)?;
            resumed = file.map(|file| (file, mark.tally));
        }
        let (results, tally) = match resumed {
            Some(resumed) => resumed,
            None => {
                if journal.done() > 0 {
                    // Without the results of the rows before, the rows are asked for again.
                    remove(&places.journal)?;
                    journal = open_journal(&places.journal, plan, target)?;
                }
                let file = ResultsFile::create(&places.results, places.format())?;
                (file, Tally::default())
            }
        };
        Ok(Self {
            results,
            resumed_after: journal.done(),
            journal,
            journal_path: places.journal.clone(),
            tally,
        })
    }

    /// The last record that was answered in an earlier run; 0: there is none.
    pub(super) fn resumed_after(&self) -> u64 {
        self.resumed_after
    }

    /// The last record that was answered.
    pub(super) fn done(&self) -> u64 {
        self.journal.done()
    }

    /// What was counted so far.
    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Writes down a batch whose records are all answered; one answer per record, in their order.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(super) fn settle(&mut self, entries: &[Entry], answers: &[Answer]) -> anyhow::Result<()> {
        let mut answers = answers.iter();
        let mut after_last = entries.len();
        while after_last > 0 && matches!(entries[after_last - 1], Entry::Row(_)) {
            after_last -= 1;
        }
        for (at, entry) in entries.iter().enumerate() {
            match entry {
                Entry::Row(row) => self.note(std::slice::from_ref(row), false, None)?,
                Entry::Item(item) => {
                    let answer = answers.next().context("a record was settled unanswered")?;
                    let results = item.results(&answer.outcome);
                    self.note(&results, true, answer.label.as_deref())?;
                    if at + 1 == after_last {
                        let written = self.results.flush()?;
                        let tally = self.tally.clone();
                        let mark = serde_json::to_value(Mark { written, tally })?;
                        self.journal.mark_with(item, mark)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn note(
        &mut self,
        results: &[RowResult],
        is_record: bool,
        label: Option<&str>,
    ) -> anyhow::Result<()> {
        self.tally.note(results, is_record, label);
        results.iter().try_for_each(|row| self.results.write(row))
    }

    /// Closes the results, and removes the journal: there is nothing to go on with.
    ///
    /// # Errors
    /// A file cannot be written or removed.
    pub(super) fn complete(mut self) -> anyhow::Result<Tally> {
        self.results.flush()?;
        remove(&self.journal_path)?;
        Ok(std::mem::take(&mut self.tally))
    }
}

impl Drop for Ledger {
    /// A journal that remembers nothing would only stand in the way of a corrected mapping.
    fn drop(&mut self) {
        if self.journal.done() == 0 {
            std::fs::remove_file(&self.journal_path).ok();
        }
    }
}

fn open_journal(path: &Path, plan: &CheckedPlan, target: &str) -> anyhow::Result<Journal> {
    Journal::open(path, plan, target).map_err(|error| match error {
        JournalError::Other { what, .. } => anyhow::anyhow!(
            "an earlier import with the same results file was interrupted, and {what} was another \
             one. Finish that import with the command it began with; or give it up by removing \
             {}; or name another results file with --results",
            path.display()
        ),
        other => anyhow::Error::from(other),
    })
}

fn remove(path: &Path) -> anyhow::Result<()> {
    std::fs::remove_file(path)
        .with_context(|| format!("the journal {} cannot be removed", path.display()))
}

//! One result per row, and the file that carries them.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

/// A row of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRef {
    /// Number of the row, from 1, without the header.
    pub row: u64,
    /// Line of the file in which the row begins, from 1.
    pub line: u64,
    /// What a reader of the results should know about this row, though it is fine.
    pub note: Option<String>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The row is part of a record.
    Ok {
        /// What is worth knowing, such as the other rows of the same record.
        note: Option<String>,
    },
    /// The record was sent and written. Set by whoever sends the records.
    Stored {
        /// What that meant.
        how: Stored,
        /// What is worth knowing, such as the other rows of the same record.
        note: Option<String>,
    },
    /// The record was there already, with the same content. Set by whoever sends the records.
    Unchanged,
    /// The row was left out on purpose.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The row cannot be used.
    Rejected {
        /// The field of the record; empty when the row as a whole is wrong.
        field: String,
        /// What is wrong.
        text: String,
        /// What is allowed.
        allowed: String,
    },
}

/// How a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was not there before.
    Created,
    /// It was there and differed.
    Updated,
    /// Rates of a day that were new or differed.
    Published,
}

impl Outcome {
    /// The name in the results file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ok { .. } => "ok",
            Self::Stored { how, .. } => match how {
                Stored::Created => "created",
                Stored::Updated => "updated",
                Stored::Published => "published",
            },
            Self::Unchanged => "unchanged",
            Self::Skipped { .. } => "skipped",
            Self::Rejected { .. } => "rejected",
        }
    }
}

/// The result of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowResult {
    /// Number of the row, from 1, without the header.
    pub row: u64,
    /// Line of the file in which the row begins, from 1.
    pub line: u64,
    /// Key of the record or group; empty where the row has none.
    pub key: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl fmt::Display for RowResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if !self.key.is_empty() {
            write!(f, " ({})", self.key)?;
        }
        let line = Line::of(self);
        write!(f, " {}", line.outcome)?;
        if !line.field.is_empty() {
            write!(f, ", {}", line.field)?;
        }
        if !line.text.is_empty() {
            write!(f, ": {}", line.text)?;
        }
        if !line.allowed.is_empty() {
            write!(f, "; allowed: {}", line.allowed)?;
        }
        Ok(())
    }
}

/// Form of a results file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// Comma-separated, with a header.
    Csv,
    /// One JSON object per line.
    JsonLines,
}

// The columns of the results file, in this order for ever; new ones go to the end.
#[derive(Serialize)]
struct Line<'a> {
    row: u64,
    line: u64,
    key: &'a str,
    outcome: &'static str,
    field: &'a str,
    text: &'a str,
    allowed: &'a str,
}

impl<'a> Line<'a> {
    fn of(result: &'a RowResult) -> Self {
        let (field, text, allowed) = match &result.outcome {
            Outcome::Ok { note } | Outcome::Stored { note, .. } => {
                ("", note.as_deref().unwrap_or_default(), "")
            }
            Outcome::Unchanged => ("", "", ""),
            Outcome::Skipped { reason } => ("", reason.as_str(), ""),
            Outcome::Rejected {
                field,
                text,
                allowed,
            } => (field.as_str(), text.as_str(), allowed.as_str()),
        };
        Self {
            row: result.row,
            line: result.line,
            key: &result.key,
            outcome: result.outcome.as_str(),
            field,
            text,
            allowed,
        }
    }
}

/// Writes results as they come.
pub struct ResultWriter<W: Write> {
    inner: Form<W>,
}

enum Form<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(W),
}

impl<W: Write> ResultWriter<W> {
    /// Columns of the CSV form and names in the JSON form.
    pub const COLUMNS: [&'static str; 7] =
        ["row", "line", "key", "outcome", "field", "text", "allowed"];

    /// Begins a results file; the CSV form gets its header even if no row follows.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn new(writer: W, format: ResultFormat) -> io::Result<Self> {
        let inner = match format {
            ResultFormat::JsonLines => Form::JsonLines(writer),
            ResultFormat::Csv => {
                let mut csv = csv::WriterBuilder::new()
                    .has_headers(false)
                    .from_writer(writer);
                csv.write_record(Self::COLUMNS)?;
                Form::Csv(Box::new(csv))
            }
        };
        Ok(Self { inner })
    }

    /// Goes on in a results file that has its header already.
    pub fn append(writer: W, format: ResultFormat) -> Self {
        let inner = match format {
            ResultFormat::JsonLines => Form::JsonLines(writer),
            ResultFormat::Csv => {
                let mut csv = csv::WriterBuilder::new();
                Form::Csv(Box::new(csv.has_headers(false).from_writer(writer)))
            }
        };
        Self { inner }
    }

    /// Writes one result.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn write(&mut self, result: &RowResult) -> io::Result<()> {
        let line = Line::of(result);
        match &mut self.inner {
            Form::Csv(csv) => {
                let (row, begins) = (line.row.to_string(), line.line.to_string());
                let texts = [line.key, line.outcome, line.field, line.text, line.allowed];
                csv.write_field(row)?;
                csv.write_field(begins)?;
                for text in texts {
                    csv.write_field(&*harmless(text))?;
                }
                csv.write_record(None::<&[u8]>).map_err(io::Error::from)
            }
            Form::JsonLines(writer) => {
                serde_json::to_writer(&mut *writer, &line)?;
                writer.write_all(b"\n")
            }
        }
    }

    /// Flushes what is buffered.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.inner {
            Form::Csv(csv) => csv.flush(),
            Form::JsonLines(writer) => writer.flush(),
        }
    }
}

// A spreadsheet takes a text that begins like this for a formula; a quote in front stops it. What
// stands in a file that somebody else made must not run on the machine of who reads the results.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> [RowResult; 3] {
        let result = |row, outcome| RowResult {
            row,
            line: row + 1,
            key: "K,1".into(),
            outcome,
        };
        [
            result(1, Outcome::Ok { note: None }),
            result(
                2,
                Outcome::Skipped {
                    reason: "no account".into(),
                },
            ),
            result(
                3,
                Outcome::Rejected {
                    field: "amount".into(),
                    text: "\"x\" is no number".into(),
                    allowed: "a number".into(),
                },
            ),
        ]
    }

    fn written(format: ResultFormat) -> String {
        let mut out = Vec::new();
        let mut writer = ResultWriter::new(&mut out, format).unwrap();
        for result in &sample() {
            writer.write(result).unwrap();
        }
        writer.flush().unwrap();
        drop(writer);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn results_as_csv_have_stable_columns() {
        assert_eq!(
            written(ResultFormat::Csv),
            "row,line,key,outcome,field,text,allowed\n\
             1,2,\"K,1\",ok,,,\n\
             2,3,\"K,1\",skipped,,no account,\n\
             3,4,\"K,1\",rejected,amount,\"\"\"x\"\" is no number\",a number\n"
        );
    }

    #[test]
    fn results_as_json_lines_have_the_same_names() {
        let text = written(ResultFormat::JsonLines);
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(last["outcome"], "rejected");
        assert_eq!(
            last.as_object().unwrap().len(),
            ResultWriter::<Vec<u8>>::COLUMNS.len()
        );
    }

    #[test]
    fn a_result_prints_as_one_sentence() {
        assert_eq!(
            sample()[2].to_string(),
            "row 3 (K,1) rejected, amount: \"x\" is no number; allowed: a number"
        );
    }

    proptest! {
        #[test]
        fn no_text_of_a_file_becomes_a_formula_and_every_text_comes_back(
            key in "[=+@\t\r\0-]?\\PC{0,8}",
            reason in "[=+@\t\r\n-]?\\PC{0,8}",
        ) {
            let outcome = Outcome::Skipped { reason: reason.clone() };
            let result = RowResult { row: 1, line: 2, key: key.clone(), outcome };
            let mut out = Vec::new();
            let mut writer = ResultWriter::new(&mut out, ResultFormat::Csv).unwrap();
            writer.write(&result).unwrap();
            writer.flush().unwrap();
            drop(writer);
            let mut reader = csv::Reader::from_reader(out.as_slice());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(record.len(), 7);
            for (cell, text) in [(&record[2], &key), (&record[5], &reason)] {
                prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\0']));
                prop_assert!(cell == text || cell.strip_prefix('\'') == Some(text.as_str()));
            }
        }
    }
}

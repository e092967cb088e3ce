//! What can go wrong with a mapping or with a file as a whole. What is wrong with one row is a
//! [`crate::RowResult`], not an error.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::plan::Summary;

/// One problem of a mapping file, at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the mapping file, from 1; 0 where there is none.
    pub line: u64,
    /// Column in that line, from 1; 0 where there is none.
    pub column: u64,
    /// Path of the field, such as `fields.close_date.format`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub text: String,
}

/// A mapping that cannot be used, with every problem found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MappingError {
    /// The mapping file.
    pub file: String,
    /// At least one problem.
    pub problems: Vec<Problem>,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&self.file)?;
            if problem.line > 0 {
                write!(f, ":{}:{}", problem.line, problem.column)?;
            }
            if problem.field.is_empty() {
                write!(f, ": {}", problem.text)?;
            } else {
                write!(f, ": {}: {}", problem.field, problem.text)?;
            }
        }
        Ok(())
    }
}

/// A column that a mapping needs and a file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumn {
    /// The column as the mapping names it.
    pub name: String,
    /// Columns of the file with a similar name.
    pub close: Vec<String>,
}

impl fmt::Display for MissingColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.name)?;
        if !self.close.is_empty() {
            write!(f, " (the file has \"{}\")", self.close.join("\", \""))?;
        }
        Ok(())
    }
}

fn list(missing: &[MissingColumn]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// Why a file is not imported. Nothing was sent when one of these comes from the check.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be opened.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The reason of the operating system.
        source: io::Error,
    },
    /// The file cannot be read to its end: a damaged archive, a failing disk.
    #[error("{} cannot be read further after row {row}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Last row that was read, from 1.
        row: u64,
        /// What the reader met.
        source: io::Error,
    },
    /// The file is not in a form that can be read at all.
    #[error("{}: {text}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is allowed.
        text: String,
    },
    /// Columns that the mapping names are not in the file.
    #[error("{} lacks {}", path.display(), list(missing))]
    Header {
        /// The file.
        path: PathBuf,
        /// The missing columns.
        missing: Vec<MissingColumn>,
    },
    /// A limit is exceeded. All limits stand in [`crate::Limits`].
    #[error("{} exceeds the limit of {limit} {what} at row {row}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// The row at which it was exceeded, from 1; 0 for the header or the file itself.
        row: u64,
    },
    /// A group comes back after another one, and the mapping says `rows: contiguous`.
    #[error(
        "group \"{key}\" began at row {first_row} and comes back at row {row}: sort the file by \
         its group, or declare \"rows: anywhere\" in the mapping"
    )]
    NotContiguous {
        /// Key of the group.
        key: String,
        /// First row of the group.
        first_row: u64,
        /// Row at which it came back.
        row: u64,
    },
    /// A lookup file cannot be used.
    #[error("lookup \"{name}\": {text}")]
    Lookup {
        /// Name of the lookup in the mapping.
        name: String,
        /// What is wrong.
        text: String,
        /// The reason, where another error is behind it.
        source: Option<Box<ImportError>>,
    },
    /// Too many rows are rejected: the file as a whole is taken for damaged.
    #[error(
        "{} of {} rows are rejected, more than the {} % that the mapping allows; first: {}",
        summary.rejected,
        summary.rows,
        limit_percent,
        summary.first_rejected.as_ref().map(ToString::to_string).unwrap_or_default()
    )]
    Refused {
        /// What the check counted.
        summary: Box<Summary>,
        /// The declared limit.
        limit_percent: rust_decimal::Decimal,
    },
    /// The file is not the one that was checked.
    #[error("{} changed after it was checked; start again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

//! From the text of a cell to a typed value, strictly: what does not match is an error with the
//! text of what would.

mod date;
mod number;
mod target;

pub(crate) use date::DatePattern;
pub(crate) use number::{DecimalMark, NumberFormat, ThousandsMark};
pub(crate) use target::{Attribute, Target};

/// Why a cell is no value of its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CellError {
    /// What is wrong.
    pub(crate) text: String,
    /// What is allowed.
    pub(crate) allowed: String,
}

impl CellError {
    pub(crate) fn new(text: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            allowed: allowed.into(),
        }
    }
}

/// A cell as it appears in messages: quoted and cut to a readable length.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut:?}…")
}

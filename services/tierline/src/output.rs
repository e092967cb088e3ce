//! Printing: tables for people, JSON for programs, problems on standard error.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where printing happens"
)]

use std::io::Write as _;

use clap::{Args, ValueEnum};
use serde::Serialize;

/// How results are printed.
#[derive(Debug, Clone, Args)]
pub struct OutputFlags {
    /// Tables for people, or JSON for programs.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
}

impl OutputFlags {
    /// True when a program reads the output.
    pub fn json(&self) -> bool {
        self.output == Format::Json
    }
}

/// The two forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns.
    Table,
    /// One JSON document.
    Json,
}

/// Prints a line. A closed pipe ends the output, not the program.
pub fn line(text: impl AsRef<str>) {
    // Whoever closed the pipe has read enough.
    let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
}

/// Prints a value as indented JSON.
///
/// # Errors
/// When the value has no JSON form.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows under headings.
pub fn table<R, C>(headings: &[&str], rows: R)
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    for row in rows {
        table.add_row(row.into_iter().collect::<Vec<String>>());
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for text in table.lines() {
        line(text.trim_end());
    }
}

/// A bar of ten cells.
pub fn bar(percent: u32) -> String {
    let full = usize::try_from(percent.min(100) / 10).unwrap_or(10);
    format!("{}{}", "█".repeat(full), "░".repeat(10 - full))
}

/// Prints what went wrong.
pub fn problem(text: &str) {
    eprintln!("error: {text}");
}

/// An error with its causes, each once.
pub fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str("\n  because: ");
            }
            text.push_str(&cause);
        }
    }
    text
}

/// Prints a remark beside the results, so that a program that reads those is not disturbed.
pub fn note(text: &str) {
    eprintln!("{text}");
}

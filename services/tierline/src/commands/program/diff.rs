//! `tierline program diff`

use std::process::ExitCode;

use tierline_domain::program::currency::{CurrencyChange, currency_change};
use tierline_domain::program::diff::Change;

use super::source;
use crate::cli::Globals;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// A file, or a program on the server: NAME for the version in force, NAME@3 for version 3.
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The same. Without it BEFORE is a file, and is compared with the version in force of its
    /// program.
    #[arg(value_name = "AFTER")]
    after: Option<String>,
}

pub async fn run(args: &DiffArgs, globals: &Globals) -> anyhow::Result<ExitCode> {
    let first = source::named(&args.before, globals).await?;
    let (before, after) = match &args.after {
        Some(after) => (first, source::named(after, globals).await?),
        None => {
            let slug = first.definition.slug.clone();
            (source::named(&slug, globals).await?, first)
        }
    };
    let changes = before.changes_to(&after);
    if globals.output.json() {
        output::json(&changes)?;
    } else {
        print(&changes);
        if let Some(change) = currency_change(&before.definition, &after.definition) {
            print_currency(&change);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints changes, a place a line, what was and what is below it.
pub fn print(changes: &[Change]) {
    if changes.is_empty() {
        output::line("No difference.");
    }
    for change in changes {
        let sign = match (&change.before, &change.after) {
            (None, _) => "+",
            (_, None) => "-",
            _ => "~",
        };
        output::line(format!("{sign} {}", change.place));
        if let Some(before) = &change.before {
            output::line(format!("    was {}", shortened(before)));
        }
        if let Some(after) = &change.after {
            output::line(format!("    is  {}", shortened(after)));
        }
    }
}

/// Says what a change of the currency means, and which thresholds nobody has converted.
pub fn print_currency(change: &CurrencyChange) {
    let CurrencyChange {
        before,
        after,
        same_numbers,
        of_money,
    } = change;
    output::line("");
    output::line(format!(
        "The currency changes: amounts, those of the past too, are measured in {after} from the \
         first day on. What was decided in {before} stays."
    ));
    if same_numbers.is_empty() {
        return;
    }
    output::line(format!(
        "warning: {} of {of_money} thresholds over money keep their number: so much {before} before, \
         so much {after} then.",
        same_numbers.len()
    ));
    for place in same_numbers {
        output::line(format!("  {place}"));
    }
}

/// A whole tier as one line helps nobody.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let cut: String = text.chars().take(MOST).collect();
    format!("{cut}…")
}

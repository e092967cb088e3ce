//! How far an import has come, on standard error: a bar in a terminal, a line now and then
//! elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::commands::show::words::grouped;
use crate::output;

/// Time between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// Redraws of the bar in a second.
const REDRAWS: u8 = 8;

/// A running phase.
pub(super) struct Progress {
    verb: &'static str,
    unit: &'static str,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Progress {
    /// Begins a phase of so many steps, `verb` in the past tense: "checked", "sent".
    pub(super) fn begin(verb: &'static str, unit: &'static str, steps: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(REDRAWS);
            let bar = ProgressBar::with_draw_target(Some(steps), target);
            // A template that does not parse shows a plain bar; the test below parses it.
            bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(verb);
            bar
        });
        Self {
            verb,
            unit,
            bar,
            last_line: Instant::now(),
        }
    }

    /// Shows the position, out of so many steps, and how many things that are.
    pub(super) fn show(&mut self, position: u64, steps: u64, things: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps);
            bar.set_position(position);
            bar.set_message(format!("{} {}", grouped(things), self.unit));
        } else if self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            let percent = (position * 100).checked_div(steps).unwrap_or(100);
            output::note(&format!(
                "{} {} {}, {percent} %",
                self.verb,
                grouped(things),
                self.unit
            ));
        }
    }

    /// Prints a line without disturbing the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(text)),
            None => output::note(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    let style = ProgressStyle::with_template(
        "{prefix} {wide_bar} {percent:>3} %  {msg}  {elapsed_precise}, {eta} left",
    )?;
    Ok(style.progress_chars("█▉▊▋▌▍▎▏░"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_of_the_bar_can_be_read() {
        super::style().unwrap();
    }
}

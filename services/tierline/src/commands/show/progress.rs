//! Progress on standard error; silent where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar without news shows that it is alive.
const TICK: Duration = Duration::from_millis(120);

/// A bar that counts up to a number that may still change.
pub fn counting(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let form = "{msg} {wide_bar} {human_pos} of {human_len} {prefix}";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏░"));
    }
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

//! What a row says: what was done to the system, and what was looked at afterwards.

use std::io::Write as _;
use std::time::Duration;

use tokio::time::Instant;

/// The report of one row, printed as it grows.
pub struct Report {
    begin: Instant,
}

/// One line on standard output.
pub fn line(text: &str) {
    // Nobody reads it when it cannot be written.
    let _ = writeln!(std::io::stdout(), "{text}");
}

impl Report {
    /// Begins with a headline.
    pub fn begin(headline: &str) -> Self {
        line(&format!("== {headline}"));
        Self {
            begin: Instant::now(),
        }
    }

    fn say(&self, kind: &str, text: &str) {
        let at = self.begin.elapsed().as_secs_f64();
        line(&format!("   {at:6.1} s  {kind}  {text}"));
    }

    /// Something was done to the system.
    pub fn injected(&mut self, text: impl AsRef<str>) {
        self.say("fault ", text.as_ref());
    }

    /// Something holds.
    pub fn checked(&mut self, text: impl AsRef<str>) {
        self.say("holds ", text.as_ref());
    }

    /// Something worth knowing.
    pub fn noted(&mut self, text: impl AsRef<str>) {
        self.say("noted ", text.as_ref());
    }

    /// How long the row has taken.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }
}

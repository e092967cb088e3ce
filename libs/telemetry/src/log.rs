//! Log lines: short for people, JSON for machines.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Libraries whose own chatter at info helps nobody; a directive of the caller overrides these.
const QUIET: &str =
    "sqlx=warn,h2=warn,hyper=warn,tower=warn,tonic=warn,rustls=warn,async_nats=error";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Short lines for a person: time of day, level, message, fields.
    #[default]
    Human,
    /// One JSON object a line, with full timestamps.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            other => Err(format!(
                "`{other}` is not a log format; allowed are human and json"
            )),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Why logging could not be set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogError {
    /// The level text could not be read.
    Level(String),
    /// Logging was set up before in this process.
    AlreadySet,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(text) => write!(
                f,
                "`{text}` is not a log level; write error, warn, info, debug or trace, or a list \
                 such as `info,tierline_eventstore=debug`"
            ),
            Self::AlreadySet => f.write_str("logging has been set up already in this process"),
        }
    }
}

impl std::error::Error for LogError {}

/// Starts logging to standard error for the whole process.
///
/// `level` is a level or a comma list of `target=level`.
///
/// # Errors
/// A level that cannot be read; a second call in the same process.
pub fn init_log(level: &str, format: LogFormat) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .map_err(|_| LogError::Level(level.to_owned()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    let result = match format {
        LogFormat::Human => builder
            .with_ansi(stderr().is_terminal())
            .with_timer(TimeOfDay)
            .with_target(false)
            .compact()
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
    };
    result.map_err(|_| LogError::AlreadySet)
}

/// `12:34:56Z`: the date is on the wall, and short lines fit a terminal.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        writer.write_str(&time_of_day(seconds))
    }
}

fn time_of_day(unix_seconds: u64) -> String {
    let second = unix_seconds % 86_400;
    format!(
        "{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_back_from_its_own_text() {
        for format in [LogFormat::Human, LogFormat::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!(
            "yaml"
                .parse::<LogFormat>()
                .unwrap_err()
                .contains("human and json")
        );
    }

    #[test]
    fn the_time_of_day_is_utc() {
        assert_eq!(time_of_day(0), "00:00:00Z");
        assert_eq!(time_of_day(86_399), "23:59:59Z");
        assert_eq!(time_of_day(1_700_000_000), "22:13:20Z");
    }

    #[test]
    fn a_level_nobody_knows_is_refused_and_named() {
        let error = init_log("loud=louder", LogFormat::Human).unwrap_err();
        assert!(error.to_string().contains("loud=louder"), "{error}");
    }
}

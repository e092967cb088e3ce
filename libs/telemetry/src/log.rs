//! Log lines: short for people, JSON for machines.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::trace;

/// Libraries whose own chatter at info helps nobody; a directive of the caller overrides these.
const QUIET: &str = "sqlx=warn,h2=warn,hyper=warn,tower=warn,tonic=warn,rustls=warn,async_nats=error,\
     opentelemetry=warn";

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
        LogFormat::Json => builder.json().event_format(Traced::new()).try_init(),
    };
    result.map_err(|_| LogError::AlreadySet)
}

/// A JSON object a line, with the ids of the trace in which it was written, if any.
struct Traced(Format<Json>);

impl Traced {
    fn new() -> Self {
        let json = Format::default().json().flatten_event(true);
        Self(json.with_current_span(false).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for Traced
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((trace_id, span_id)) = trace::current_ids() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        // An object with members, always: the time is one.
        let open = line.trim_end().strip_suffix('}').ok_or(fmt::Error)?;
        writeln!(
            writer,
            r#"{open},"trace_id":"{trace_id}","span_id":"{span_id}"}}"#
        )
    }
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
    use std::io;
    use std::sync::{Arc, Mutex};

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

    /// Where the lines of a test go.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_inside_a_span_has_its_ids_and_cannot_be_broken_by_what_it_says() {
        let settings = trace::TraceSettings {
            endpoint: None,
            ratio: 1.0,
            ids: true,
            version: "1",
            parts: String::new(),
        };
        let _tracing = trace::start(&settings).unwrap();
        let lines = Lines::default();
        let sink = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || sink.clone())
            .json()
            .event_format(Traced::new())
            .finish();
        let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("outside");
            let span = trace::server_call("tierline.test/Call", Some(caller));
            let _inside = span.enter();
            tracing::info!(
                reason = "a \"quoted\"\n{\"level\":\"ERROR\"}",
                "inside\r\nINFO forged"
            );
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0].get("trace_id"), None);
        assert_eq!(lines[1]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        let span_id = lines[1]["span_id"].as_str().unwrap();
        assert!(
            span_id.len() == 16 && span_id != "b7ad6b7169203331",
            "{text}"
        );
        assert_eq!(lines[1]["level"], "INFO");
        assert_eq!(lines[1]["message"], "inside\r\nINFO forged");
    }

    #[test]
    fn a_level_nobody_knows_is_refused_and_named() {
        let error = init_log("loud=louder", LogFormat::Human).unwrap_err();
        assert!(error.to_string().contains("loud=louder"), "{error}");
    }
}

//! What a running Tierline tells about itself: log lines, numbers and traces.
//!
//! Every metric name stands in [`metrics::names`], every span name in one file of [`trace`]; other
//! crates call functions and never spell a name. Logs go to standard error; numbers are rendered
//! when somebody asks the admin listener for them; traces go to an OTLP receiver, if one is
//! configured, and otherwise are not made. Nothing else leaves the process.

mod log;
pub mod metrics;
pub mod trace;

pub use log::{LogError, LogFormat, init_log};
pub use metrics::{MetricsHandle, install_metrics};

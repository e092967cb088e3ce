//! What a running Tierline tells about itself: log lines and numbers.
//!
//! Every metric name stands in [`metrics`]; other crates call its functions and never spell a
//! name. Nothing here sends anything anywhere: logs go to standard error, numbers are rendered
//! when somebody asks the admin listener for them.

mod log;
pub mod metrics;

pub use log::{LogError, LogFormat, init_log};
pub use metrics::{MetricsHandle, install_metrics};

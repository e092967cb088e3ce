//! Configuration: flags over environment over an optional file over defaults.
//!
//! A key that nobody knows refuses to start, wherever it stands: a mistyped limit that is silently
//! ignored is worse than no start. All problems are reported at once, each with its source.

mod keys;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use keys::{CONFIG_VARIABLE, KEYS, Key, OTHER_VARIABLES, find};
pub use sources::{Inputs, Source};
use tierline_telemetry::LogFormat;

use crate::connections::PoolSizes;
use crate::data_dir;
use crate::targets::Targets;

/// A text that never appears in a log or a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself; for handing it to whoever needs it, not for printing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

const HIDDEN: &str = "(set, hidden)";

/// What is wrong with the configuration, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// One sentence each.
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// The configuration of a process, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// See the key of the same name in [`KEYS`], as for all fields.
    pub data_dir: PathBuf,
    /// Parts that this process runs.
    pub target: Targets,
    /// gRPC address.
    pub listen: SocketAddr,
    /// Address of health and metrics.
    pub admin_listen: SocketAddr,
    /// The database, unless the embedded one is meant.
    pub database_url: Option<Secret>,
    /// The NATS servers, if there are any.
    pub nats_url: Option<Secret>,
    /// Credentials of a NATS user.
    pub nats_credentials: Option<PathBuf>,
    /// Copies of each stream.
    pub nats_replicas: u8,
    /// Whether the schema is brought up to date at the start, or only checked.
    pub migrate_on_start: bool,
    /// Where the programs of PostgreSQL are.
    pub postgres_bin: Option<PathBuf>,
    /// Sizes of the connection pools.
    pub pools: PoolSizes,
    /// Folders whose disks must keep some room, where somebody said which.
    pub disk_folders: Option<Vec<PathBuf>>,
    /// Bytes that have to be free on each of them.
    pub disk_reserve: u64,
    /// Accepted keys of tokens, unless the local one is meant.
    pub jwks_file: Option<PathBuf>,
    /// Accepted issuer of tokens.
    pub jwt_issuer: String,
    /// Accepted audience of tokens.
    pub jwt_audience: String,
    /// Log level or list of levels.
    pub log_level: String,
    /// Log format.
    pub log_format: LogFormat,
    /// Receiver of traces, if any.
    pub otlp_endpoint: Option<String>,
    /// Part of the traces beginning here that is kept.
    pub trace_sample_ratio: f64,
    /// Longest time of a request.
    pub request_timeout: Duration,
    /// Longest time of each step of the shutdown.
    pub shutdown_step: Duration,
    shown: Vec<Effective>,
}

/// The present value of a key, fit to be printed.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The key.
    pub key: &'static Key,
    /// Its value; secrets are hidden, and an absent value says what happens without.
    pub value: String,
    /// Who set it.
    pub source: Source,
}

impl Config {
    /// Reads all sources.
    ///
    /// # Errors
    /// Every problem found, each with the key, its source and what is allowed.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let found = sources::collect(inputs, &mut problems);
        let mut reader = Reader { found, problems };
        let config = reader.config(inputs);
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(ConfigError {
                problems: reader.problems,
            }),
        }
    }

    /// The value of every key, in the order of [`KEYS`].
    pub fn effective(&self) -> &[Effective] {
        &self.shown
    }

    /// All about one key: meaning, default, how to set it, present value and its source.
    ///
    /// # Errors
    /// When there is no such key; the text names the nearest.
    pub fn explain(&self, name: &str) -> Result<String, String> {
        let wanted = name
            .trim_start_matches("--")
            .replace('-', "_")
            .to_lowercase();
        let wanted = wanted.strip_prefix("tierline_").unwrap_or(&wanted);
        let Some(shown) = self.shown.iter().find(|shown| shown.key.name == wanted) else {
            let near = keys::nearest(wanted, KEYS.iter().map(|key| key.name));
            let hint = near
                .map(|n| format!("; did you mean {n}?"))
                .unwrap_or_default();
            return Err(format!(
                "there is no key `{name}`{hint} (`tierline config` lists them)"
            ));
        };
        let key = shown.key;
        let file = if key.secret {
            format!(", {}_FILE", key.variable())
        } else {
            String::new()
        };
        Ok(format!(
            "{}\n  {}\n  default:  {}\n  set by:   {}, {}{file}, or `{} = ...` in the file\n  \
             value:    {}\n  source:   {}",
            key.name,
            key.meaning,
            key.default.unwrap_or(key.absent),
            key.flag(),
            key.variable(),
            key.name,
            shown.value,
            shown.source,
        ))
    }
}

struct Reader {
    found: BTreeMap<&'static str, sources::Found>,
    problems: Vec<String>,
}

impl Reader {
    fn config(&mut self, inputs: &Inputs) -> Option<Config> {
        // Every key is read before the first missing one ends the work, to report all at once.
        let data_dir = self.data_dir(inputs);
        let target = self.parse("target", Targets::from_str);
        let insecure = self.parse("allow_insecure_listen", boolean);
        let listen = self.address("listen", insecure);
        let admin_listen = self.address("admin_listen", insecure);
        let commands = self.parse("command_connections", |text| number(text, 1, 500));
        let queries = self.parse("query_connections", |text| number(text, 1, 500));
        let consumers = self.parse("consumer_connections", |text| number(text, 1, 100));
        let log_format = self.parse("log_format", LogFormat::from_str);
        let ratio = self.parse("trace_sample_ratio", ratio);
        let otlp_endpoint = self.parse_if_set("otlp_endpoint", otlp_endpoint);
        let request = self.parse("request_timeout_seconds", |text| number(text, 1, 3600));
        let shutdown = self.parse("shutdown_seconds", |text| number(text, 1, 3600));
        let database_url = self.parse_if_set("database_url", database_url);
        let nats_url = self.parse_if_set("nats_url", nats_url);
        let nats_replicas = self.parse("nats_replicas", |text| number(text, 1, 5));
        let reserve = self.parse("disk_reserve_megabytes", |text| number(text, 1, 1_000_000));
        let migrate_on_start = self.parse("migrate_on_start", boolean);
        let shown = KEYS
            .iter()
            .map(|key| self.shown(key, data_dir.as_ref()))
            .collect();
        Some(Config {
            data_dir: data_dir?,
            target: target?,
            listen: listen?,
            admin_listen: admin_listen?,
            database_url,
            nats_url,
            nats_credentials: self.parse_if_set("nats_credentials", path),
            nats_replicas: u8::try_from(nats_replicas?).unwrap_or(1),
            migrate_on_start: migrate_on_start?,
            postgres_bin: self.parse_if_set("postgres_bin", path),
            pools: PoolSizes {
                commands: commands?,
                queries: queries?,
                consumers: consumers?,
            },
            disk_folders: self.parse_if_set("disk_folders", folders),
            disk_reserve: u64::from(reserve?) << 20,
            jwks_file: self.parse_if_set("jwks_file", path),
            jwt_issuer: self.parse("jwt_issuer", not_empty)?,
            jwt_audience: self.parse("jwt_audience", not_empty)?,
            log_level: self.parse("log_level", not_empty)?,
            log_format: log_format?,
            otlp_endpoint,
            trace_sample_ratio: ratio?,
            request_timeout: Duration::from_secs(request?.into()),
            shutdown_step: Duration::from_secs(shutdown?.into()),
            shown,
        })
    }

    fn data_dir(&mut self, inputs: &Inputs) -> Option<PathBuf> {
        if self.found.contains_key("data_dir") {
            return self.parse("data_dir", path);
        }
        let env = |name: &str| inputs.environment.get(name).cloned();
        match data_dir::default_path(env, data_dir::is_root()) {
            Ok(path) => Some(path),
            Err(error) => {
                self.problems.push(error.to_string());
                None
            }
        }
    }

    /// Tokens on an open line can be copied by anybody on the way, so nothing is offered to other
    /// machines unless somebody says that this is taken care of.
    fn address(&mut self, name: &'static str, insecure: Option<bool>) -> Option<SocketAddr> {
        let address = self.parse(name, |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| "write an IP address and a port, such as 127.0.0.1:7700".to_owned())
        })?;
        if address.ip().is_loopback() || insecure != Some(false) {
            return Some(address);
        }
        self.problems.push(format!(
            "{name} = {address}: other machines could reach it, and Tierline does not speak TLS \
             itself; use 127.0.0.1, or put something with TLS in front and say so with \
             --allow-insecure-listen (TIERLINE_ALLOW_INSECURE_LISTEN=true)"
        ));
        None
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.found.contains_key(name) {
            return self.parse_if_set(name, read);
        }
        let default = keys::find(name).and_then(|key| key.default);
        let default = default.expect("keys read with `parse` have a default");
        Some(read(default).expect("defaults are valid; a test reads them all"))
    }

    fn parse_if_set<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let found = self.found.get(name)?;
        match read(&found.text) {
            Ok(value) => Some(value),
            Err(reason) => {
                let secret = keys::find(name).is_some_and(|key| key.secret);
                let value = if secret { HIDDEN } else { found.text.as_str() };
                self.problems
                    .push(format!("{name} = {value} ({}): {reason}", found.source));
                None
            }
        }
    }

    fn shown(&self, key: &'static Key, data_dir: Option<&PathBuf>) -> Effective {
        match self.found.get(key.name) {
            Some(found) => {
                let value = if key.secret {
                    HIDDEN.to_owned()
                } else {
                    found.text.clone()
                };
                Effective {
                    key,
                    value,
                    source: found.source.clone(),
                }
            }
            None => {
                let value = match (key.name, data_dir, key.default) {
                    ("data_dir", Some(path), _) => path.display().to_string(),
                    (_, _, Some(default)) => default.to_owned(),
                    _ => format!("(not set: {})", key.absent),
                };
                Effective {
                    key,
                    value,
                    source: Source::Default,
                }
            }
        }
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("write a whole number from {least} to {most}"))
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("must not be empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    not_empty(text).map(PathBuf::from)
}

fn ratio(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|n| (0.0..=1.0).contains(n));
    number.ok_or_else(|| "write a number from 0 to 1, such as 0.05".to_owned())
}

/// Who sends is said in headers (`OTEL_EXPORTER_OTLP_HEADERS`), never in the address: it is shown.
fn otlp_endpoint(text: &str) -> Result<String, String> {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['@', ' ']) => Ok(text.to_owned()),
        _ => Err("write http://host:port or https://host:port, without a user".to_owned()),
    }
}

fn database_url(text: &str) -> Result<Secret, String> {
    if ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
    {
        return Ok(Secret(text.to_owned()));
    }
    Err("must begin with postgres:// or postgresql://".to_owned())
}

fn folders(text: &str) -> Result<Vec<PathBuf>, String> {
    let found: Result<Vec<PathBuf>, String> = text.split(',').map(|one| path(one.trim())).collect();
    match found {
        Ok(folders) if folders.len() <= 8 && folders.iter().all(|one| one.is_absolute()) => {
            Ok(folders)
        }
        _ => Err("write at most 8 absolute paths, with commas".to_owned()),
    }
}

fn nats_url(text: &str) -> Result<Secret, String> {
    let known = |url: &str| {
        ["nats://", "tls://"]
            .iter()
            .any(|scheme| url.len() > scheme.len() && url.starts_with(scheme))
    };
    if text.split(',').all(|url| known(url.trim())) {
        return Ok(Secret(text.to_owned()));
    }
    Err("write nats://host:4222 or tls://host:4222, several with commas".to_owned())
}

#[cfg(test)]
mod tests;

//! Where values come from, and which source wins.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::keys::{CONFIG_VARIABLE, KEYS, Key, OTHER_VARIABLES, PREFIX, nearest};

/// Everything that may set a key.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Flags by name of the key, such as `("data_dir", "/srv/tierline")`; a secret may also come
    /// as `("database_url_file", path)`.
    pub flags: Vec<(String, String)>,
    /// Variables of the environment.
    pub environment: BTreeMap<String, String>,
    /// The configuration file of `--config`, which wins over `TIERLINE_CONFIG`.
    pub file: Option<PathBuf>,
}

impl Inputs {
    /// The flags of the caller and the environment of this process.
    pub fn from_process(flags: Vec<(String, String)>, file: Option<PathBuf>) -> Self {
        // A variable that is not UTF-8 cannot be one of ours.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            flags,
            environment,
            file,
        }
    }
}

/// Variables that other programs use for the same thing. Ours win. `DATABASE_URL` is not among
/// them: it often means a database of something else, which must not get our tables.
const ALIASES: [(&str, &str); 1] = [("NATS_URL", "nats_url")];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// A variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A value that was set, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub text: String,
    pub source: Source,
}

/// Collects the winning value of each key; problems are added to `problems`, all at once.
pub(super) fn collect(
    inputs: &Inputs,
    problems: &mut Vec<String>,
) -> BTreeMap<&'static str, Found> {
    let mut layer = Layers {
        found: BTreeMap::new(),
        problems,
    };
    let from_variable = inputs.environment.get(CONFIG_VARIABLE).map(PathBuf::from);
    if let Some(path) = inputs.file.clone().or(from_variable) {
        layer.file(&path);
    }
    layer.standard(&inputs.environment);
    layer.environment(&inputs.environment);
    layer.flags(&inputs.flags);
    layer.found
}

/// Keys that have a name of their own elsewhere.
const STANDARD_VARIABLES: [(&str, &str); 2] = [
    ("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("trace_sample_ratio", "OTEL_TRACES_SAMPLER_ARG"),
];

/// From the weakest source to the strongest; a later one replaces what it also sets.
struct Layers<'a> {
    found: BTreeMap<&'static str, Found>,
    problems: &'a mut Vec<String>,
}

impl Layers<'_> {
    fn file(&mut self, path: &Path) {
        let table = match fs::read_to_string(path) {
            Ok(text) => text
                .parse::<toml::Table>()
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let table = match table {
            Ok(table) => table,
            Err(error) => {
                let path = path.display();
                self.problems
                    .push(format!("the configuration file {path}: {}", error.trim()));
                return;
            }
        };
        let mut entries = Vec::new();
        for (name, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                toml::Value::Float(number) => number.to_string(),
                other => {
                    let kind = other.type_str();
                    self.problems.push(format!(
                        "{name} in {}: a {kind} is not allowed; write a text, a number or \
                         true/false",
                        path.display()
                    ));
                    continue;
                }
            };
            entries.push((name, text));
        }
        let source = |_: &str| Source::File(path.to_owned());
        self.layer(
            entries,
            source,
            |name| name.to_owned(),
            &path.display().to_string(),
        );
    }

    fn environment(&mut self, environment: &BTreeMap<String, String>) {
        for (alias, name) in ALIASES {
            let Some(value) = environment.get(alias) else {
                continue;
            };
            self.layer(
                vec![(name.to_owned(), value.clone())],
                |_| Source::Variable(alias.to_owned()),
                |_| alias.to_owned(),
                "the environment",
            );
        }
        let entries = environment
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && !is_foreign(name, environment))
            .map(|(name, value)| (name[PREFIX.len()..].to_lowercase(), value.clone()))
            .collect();
        let variable = |name: &str| format!("{PREFIX}{}", name.to_uppercase());
        self.layer(
            entries,
            |name| Source::Variable(variable(name)),
            variable,
            "the environment",
        );
    }

    /// What the environment says under the names of OpenTelemetry, which other programs of the
    /// same machine read as well.
    fn standard(&mut self, environment: &BTreeMap<String, String>) {
        for (name, variable) in STANDARD_VARIABLES {
            let set = environment.get(variable).filter(|text| !text.is_empty());
            if let (Some((key, _)), Some(text)) = (lookup(name), set) {
                let source = Source::Variable(variable.to_owned());
                let text = text.clone();
                self.found.insert(key.name, Found { text, source });
            }
        }
    }

    fn flags(&mut self, flags: &[(String, String)]) {
        let flag = |name: &str| format!("--{}", name.replace('_', "-"));
        self.layer(
            flags.to_vec(),
            |name| Source::Flag(flag(name)),
            flag,
            "the command line",
        );
    }

    fn layer(
        &mut self,
        entries: Vec<(String, String)>,
        source: impl Fn(&str) -> Source,
        spelling: impl Fn(&str) -> String,
        place: &str,
    ) {
        let mut seen: BTreeMap<&'static str, String> = BTreeMap::new();
        for (name, text) in entries {
            let (key, from_file) = match lookup(&name) {
                Some(hit) => hit,
                None => {
                    self.problems.push(unknown(&name, &spelling, place));
                    continue;
                }
            };
            if let Some(other) = seen.insert(key.name, name.clone()) {
                self.problems.push(format!(
                    "{} and {} are both set in {place}; keep one",
                    spelling(&other),
                    spelling(&name)
                ));
                continue;
            }
            let text = if from_file {
                self.read_secret(&text, &spelling(&name))
            } else {
                Some(text)
            };
            if let Some(text) = text {
                self.found.insert(
                    key.name,
                    Found {
                        text,
                        source: source(&name),
                    },
                );
            }
        }
    }

    fn read_secret(&mut self, path: &str, setting: &str) -> Option<String> {
        match fs::read_to_string(path) {
            // Editors and `echo` end a file with a line break that is not part of the secret.
            Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => {
                self.problems
                    .push(format!("{setting}: cannot read {path}: {error}"));
                None
            }
        }
    }
}

/// The key of a name, and whether the name is its `_file` form.
fn lookup(name: &str) -> Option<(&'static Key, bool)> {
    if let Some(key) = super::keys::find(name) {
        return Some((key, false));
    }
    let key = super::keys::find(name.strip_suffix("_file")?)?;
    key.secret.then_some((key, true))
}

fn unknown(name: &str, spelling: &impl Fn(&str) -> String, place: &str) -> String {
    let hint = match nearest(name, KEYS.iter().map(|key| key.name)) {
        Some(near) => format!("did you mean {}?", spelling(near)),
        None => "`tierline config` lists all keys".to_owned(),
    };
    format!(
        "{} in {place} is not a key of Tierline; {hint}",
        spelling(name)
    )
}

/// Variables that begin like ours and are not: those of clients and tests, and those with which
/// Kubernetes describes a service that happens to be named tierline.
fn is_foreign(name: &str, environment: &BTreeMap<String, String>) -> bool {
    let linked = ["TIERLINE_SERVICE_", "TIERLINE_PORT"]
        .iter()
        .any(|p| name.starts_with(p));
    OTHER_VARIABLES.contains(&name)
        || (linked && environment.contains_key("KUBERNETES_SERVICE_HOST"))
}

//! Every key of the configuration: what it means, what it is when nobody sets it.

/// One key. It is set by the flag `--some-key`, the variable `TIERLINE_SOME_KEY`, or the line
/// `some_key = ...` of the configuration file; secrets also by `..._file`, which names a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Name, as in the file.
    pub name: &'static str,
    /// What it is for, in a sentence or two.
    pub meaning: &'static str,
    /// The value when nobody sets one; none where that depends on the machine or is "absent".
    pub default: Option<&'static str>,
    /// What happens without a value, where there is no default.
    pub absent: &'static str,
    /// Never shown.
    pub secret: bool,
}

impl Key {
    /// The flag, such as `--data-dir`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// The variable, such as `TIERLINE_DATA_DIR`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }
}

/// Begin of every variable of ours.
pub const PREFIX: &str = "TIERLINE_";

/// Names the configuration file; not a key itself, because the file cannot name itself.
pub const CONFIG_VARIABLE: &str = "TIERLINE_CONFIG";

/// Variables of ours that are not configuration of a server: those of the command line as a client,
/// and those of the tests.
pub const OTHER_VARIABLES: [&str; 8] = [
    CONFIG_VARIABLE,
    "TIERLINE_ADDRESS",
    "TIERLINE_ORG",
    "TIERLINE_TOKEN",
    "TIERLINE_TOKEN_FILE",
    "TIERLINE_TEST_DATABASE_URL",
    "TIERLINE_TEST_NATS_SERVERS",
    "TIERLINE_REAL_DATA",
];

const fn key(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Key {
    Key {
        name,
        meaning,
        default,
        absent: "",
        secret: false,
    }
}

/// All keys, in the order in which they are printed.
pub const KEYS: [Key; 25] = [
    Key {
        absent: "/var/lib/tierline for root, else ~/.local/share/tierline",
        ..key(
            "data_dir",
            None,
            "Folder of everything that `tierline up` keeps.",
        )
    },
    key(
        "target",
        Some("all"),
        "Parts that `tierline serve` runs: all, or a comma list.",
    ),
    key(
        "listen",
        Some("127.0.0.1:7700"),
        "Address of the gRPC services.",
    ),
    key(
        "admin_listen",
        Some("127.0.0.1:7701"),
        "Address of /livez, /readyz and /metrics. Never meant for the outside.",
    ),
    key(
        "allow_insecure_listen",
        Some("false"),
        "Permits addresses that other machines can reach although Tierline itself does not \
         speak TLS. Only behind something that does.",
    ),
    Key {
        absent: "`tierline up` starts a PostgreSQL of its own; `tierline serve` needs one",
        secret: true,
        ..key(
            "database_url",
            None,
            "PostgreSQL to work on: postgres://user:password@host/name.",
        )
    },
    key(
        "migrate_on_start",
        Some("true"),
        "Brings the schema up to date when `tierline serve` starts. Where `tierline migrate` does \
         that under an account of its own, say false: the schema is then only checked.",
    ),
    Key {
        absent: "PATH, then the usual places, newest version first",
        ..key(
            "postgres_bin",
            None,
            "Folder of `initdb` and `postgres` for `tierline up`.",
        )
    },
    Key {
        absent: "`tierline up` starts a nats-server of its own if there is one on the PATH; else \
                 consumers read the log itself",
        secret: true,
        ..key(
            "nats_url",
            None,
            "NATS servers with JetStream: nats://user:password@host:4222, several with commas; \
             also read from NATS_URL.",
        )
    },
    Key {
        absent: "user and password of the URL, if it has any",
        ..key(
            "nats_credentials",
            None,
            "File with the credentials of a NATS user (JWT and seed).",
        )
    },
    key(
        "nats_replicas",
        Some("1"),
        "Copies of each stream: 3 on a cluster of three servers.",
    ),
    key(
        "command_connections",
        Some("8"),
        "Database connections for commands.",
    ),
    key(
        "query_connections",
        Some("6"),
        "Database connections for queries.",
    ),
    key(
        "consumer_connections",
        Some("4"),
        "Database connections of each consumer of the log.",
    ),
    Key {
        absent: "`tierline up` watches its data folder where it runs PostgreSQL itself; `tierline \
                 serve` watches none",
        ..key(
            "disk_folders",
            None,
            "Folders of this machine, with commas, such as that of the write-ahead log: the \
             process is not ready while a disk below them is nearly full.",
        )
    },
    key(
        "disk_reserve_megabytes",
        Some("256"),
        "Room that the disks of disk_folders have to keep.",
    ),
    Key {
        absent: "`tierline up` makes a key of its own; `tierline serve` needs the file",
        ..key(
            "jwks_file",
            None,
            "Keys (a JWK set) whose signatures on tokens are accepted.",
        )
    },
    key(
        "jwt_issuer",
        Some("tierline-local"),
        "Issuer (`iss`) that tokens must name.",
    ),
    key(
        "jwt_audience",
        Some("tierline"),
        "Audience (`aud`) that tokens must name.",
    ),
    key(
        "log_level",
        Some("info"),
        "error, warn, info, debug or trace; also per part: info,tierline_bus=debug.",
    ),
    key(
        "log_format",
        Some("human"),
        "human: short lines; json: one object a line.",
    ),
    Key {
        absent: "OTEL_EXPORTER_OTLP_ENDPOINT; without that, no trace is made or sent",
        ..key(
            "otlp_endpoint",
            None,
            "Receiver of traces (OTLP over gRPC), such as http://127.0.0.1:4317.",
        )
    },
    key(
        "trace_sample_ratio",
        Some("1"),
        "Part of the traces beginning here that is kept, from 0 to 1; a caller's trace is kept \
         when the caller keeps it.",
    ),
    key(
        "request_timeout_seconds",
        Some("30"),
        "Longest time a request may take, where the caller sets no shorter one.",
    ),
    key(
        "shutdown_seconds",
        Some("20"),
        "Longest time that each step of an orderly end may take.",
    ),
];

/// The key with this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known name that looks most like a mistyped one.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (distance(wrong, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .map(|(_, name)| name)
}

/// Levenshtein distance: letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replace = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_says_what_it_is_for_and_what_holds_without_it() {
        for key in &KEYS {
            assert!(key.meaning.ends_with('.'), "{}", key.name);
            assert!(
                key.default.is_some() == key.absent.is_empty(),
                "{}",
                key.name
            );
            assert!(!key.name.ends_with("_file") || !key.secret, "{}", key.name);
        }
    }

    #[test]
    fn a_mistyped_name_finds_the_right_one() {
        let names = || KEYS.iter().map(|key| key.name);
        assert_eq!(nearest("data_dri", names()), Some("data_dir"));
        assert_eq!(nearest("log_levle", names()), Some("log_level"));
        assert_eq!(nearest("banana", names()), None);
    }
}

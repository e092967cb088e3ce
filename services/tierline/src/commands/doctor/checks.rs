//! Judging what was found: one line per check, with what to do about it. Pure.

use tierline_runtime::postgres::MIN_MAJOR;

use super::gather::{DatabaseFacts, Folder, Found, LogState, Server, ServerState};
use crate::commands::show::words;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
/// Room below which to warn: the log of a busy database alone may take 2 GiB.
const LITTLE_ROOM: u64 = 4 * GIB;
/// Room below which the next busy minute may stop the database.
const NO_ROOM: u64 = 512 * MIB;
/// Clock differences that matter for the order of what is shown, and for the life of tokens.
const SKEW_MS: (u64, u64) = (1_000, 30_000);
/// Transactions so old that they keep the database from cleaning up.
const TRANSACTION_MS: (u64, u64) = (60_000, 900_000);
/// Age of an event that has no number yet.
const SEQUENCER_MS: (u64, u64) = (1_000, 30_000);
/// Events that a consumer may be behind.
const LAG: (u64, u64) = (10_000, 1_000_000);

/// How bad it is. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Well.
    Ok,
    /// Neither well nor bad; something to know.
    Info,
    /// Needs attention.
    Warn,
    /// Broken.
    Fail,
}

impl Level {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    /// What the process ends with when this is the worst.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok | Self::Info => 0,
            Self::Warn => 1,
            Self::Fail => 2,
        }
    }

    /// Warn from the first bound on, fail from the second.
    fn of(value: u64, (warn, fail): (u64, u64)) -> Self {
        if value >= fail {
            Self::Fail
        } else if value >= warn {
            Self::Warn
        } else {
            Self::Ok
        }
    }
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do; empty when nothing.
    pub advice: String,
}

fn check(name: &'static str, level: Level, text: impl Into<String>) -> Check {
    Check {
        name,
        level,
        text: text.into(),
        advice: String::new(),
    }
}

impl Check {
    /// What to do, unless all is well.
    fn advise(mut self, advice: impl Into<String>) -> Self {
        if self.level != Level::Ok {
            self.advice = advice.into();
        }
        self
    }
}

/// All checks, in the order in which they are printed.
pub fn judge(found: &Found) -> Vec<Check> {
    let ours = env!("CARGO_PKG_VERSION");
    let commit = crate::version::COMMIT;
    let mut checks = vec![check(
        "tierline",
        Level::Ok,
        format!("version {ours} ({commit})"),
    )];
    if let Some(problem) = &found.misconfigured {
        let broken = check("configuration", Level::Fail, one_line(problem));
        checks.push(broken.advise("`tierline config` shows every key and who set it"));
        return checks;
    }
    if let Some(folder) = &found.folder {
        checks.extend(folder_checks(
            folder,
            found.embedded || found.database.is_none(),
        ));
    }
    checks.extend(server_checks(found.server.as_ref(), ours));
    checks.extend(database_checks(found));
    checks.extend(log_checks(found));
    checks.push(check(
        "nats",
        Level::Ok,
        "not used: consumers read the log in PostgreSQL",
    ));
    let backup = check(
        "last backup",
        Level::Info,
        "none recorded: Tierline keeps no record of backups",
    );
    checks.push(backup.advise(
        "back PostgreSQL up with its own tools (pg_dump, pg_basebackup); everything is in it",
    ));
    checks
}

fn folder_checks(folder: &Folder, needed: bool) -> Vec<Check> {
    let path = folder.path.display();
    if !folder.exists {
        if !needed {
            return Vec::new();
        }
        let missing = check(
            "data folder",
            Level::Warn,
            format!("{path} is not there yet"),
        );
        return vec![missing.advise("`tierline up` makes it; --data-dir names another")];
    }
    let mut checks = vec![check("data folder", Level::Ok, path.to_string())];
    match &folder.space {
        Some(Ok(space)) => {
            let level = match space.free {
                free if free < NO_ROOM => Level::Fail,
                free if free < LITTLE_ROOM => Level::Warn,
                _ => Level::Ok,
            };
            let text = format!("{} free of {}", bytes(space.free), bytes(space.total));
            checks.push(check("disk", level, text).advise(format!(
                "make room, or move the folder (stop, move, --data-dir): below {} PostgreSQL \
                 may stop",
                bytes(NO_ROOM)
            )));
        }
        Some(Err(error)) => checks.push(check("disk", Level::Warn, error.clone())),
        None => {}
    }
    checks
}

fn server_checks(server: Option<&Result<Server, String>>, ours: &str) -> Vec<Check> {
    let server = match server {
        None => return Vec::new(),
        Some(Err(problem)) => {
            let down = check("server", Level::Fail, one_line(problem));
            return vec![down.advise("`tierline up` starts one; --address names another")];
        }
        Some(Ok(server)) => server,
    };
    let (level, text) = if server.serving {
        (Level::Ok, "serving")
    } else {
        (Level::Fail, "answers, and says that it is not serving")
    };
    let mut checks = vec![check("server", level, text).advise("its log says why")];
    match &server.state {
        Some(Ok(state)) => {
            let same = state.version == ours;
            let level = if same { Level::Ok } else { Level::Warn };
            let text = format!("server {}, this command {ours}", state.version);
            checks.push(check("versions", level, text).advise("use the same version for both"));
        }
        Some(Err(problem)) => {
            let hidden = check("server state", Level::Warn, one_line(problem));
            checks.push(hidden.advise("use a token with the role operator"));
        }
        None => {}
    }
    checks
}

fn database_checks(found: &Found) -> Vec<Check> {
    match &found.database {
        None => {
            let none = check(
                "postgresql",
                Level::Info,
                "not checked: no database is known here",
            );
            vec![none.advise("`tierline up` makes one; --database-url names another")]
        }
        Some(Err(problem)) => {
            let down = check("postgresql", Level::Fail, one_line(problem));
            vec![down.advise(if found.embedded {
                "it runs while `tierline up` does; its log is postgres.log in the data folder"
            } else {
                "look at the URL, the network and the log of PostgreSQL"
            })]
        }
        Some(Ok(facts)) => {
            let mut checks = facts_checks(facts);
            checks.push(account_check(facts, found.embedded));
            checks
        }
    }
}

fn facts_checks(facts: &DatabaseFacts) -> Vec<Check> {
    let major = u32::try_from(facts.version_number / 10_000).unwrap_or_default();
    let old = if major < MIN_MAJOR {
        Level::Fail
    } else {
        Level::Ok
    };
    let version = check("postgresql", old, format!("version {}", facts.version));
    let (used, allowed) = (facts.limits.others + 1, facts.limits.available());
    let percent = u64::from(used) * 100 / u64::from(allowed.max(1));
    let connections = format!(
        "{used} of {allowed} in use (max_connections {}, {} reserved)",
        facts.limits.max_connections, facts.limits.reserved
    );
    let skew = facts.skew_ms.unsigned_abs();
    let error = facts.skew_error_ms.unsigned_abs();
    let oldest = facts.oldest_transaction_ms;
    let mut checks =
        vec![
        version.advise(format!("Tierline needs PostgreSQL {MIN_MAJOR} or newer")),
        check("connections", Level::of(percent, (80, 95)), connections).advise(
            "close what is not needed, raise max_connections, or lower --command-connections and \
             --query-connections",
        ),
        check(
            "clock",
            Level::of(skew.saturating_sub(error), SKEW_MS),
            format!("the database is {} ms off, give or take {error}", facts.skew_ms),
        )
        .advise("set both clocks by NTP; tokens and the order of events depend on them"),
        check(
            "transactions",
            Level::of(oldest, TRANSACTION_MS),
            format!("the oldest open one is {} old", duration(oldest)),
        )
        .advise("find it in pg_stat_activity and end it: it keeps old rows from being removed"),
    ];
    checks.push(match facts.migrations {
        Some(count) => {
            let applied = words::counted(u64::try_from(count).unwrap_or_default(), "migration");
            check("schema", Level::Ok, format!("{applied} applied"))
        }
        None => check(
            "schema",
            Level::Fail,
            "the database has no schema of Tierline",
        )
        .advise("`tierline migrate` makes it, and so does every start of a server"),
    });
    checks
}

/// In a database of one's own the account may be anything; in one that is named it should not.
fn account_check(facts: &DatabaseFacts, embedded: bool) -> Check {
    let account = &facts.account;
    match (facts.superuser, embedded) {
        (false, _) => check("account", Level::Ok, format!("{account}, no superuser")),
        (true, true) => check(
            "account",
            Level::Ok,
            format!("{account}, of `tierline up` alone"),
        ),
        (true, false) => check("account", Level::Warn, format!("{account} is a superuser")).advise(
            "servers should not be: `tierline database roles` makes one account for each target",
        ),
    }
}

/// How far everything is: as the server says, else as the database does.
fn log_checks(found: &Found) -> Vec<Check> {
    let running = found
        .server
        .as_ref()
        .and_then(|server| server.as_ref().ok());
    let state = running.and_then(|server| server.state.as_ref()?.as_ref().ok());
    if let Some(ServerState { log, parked, .. }) = state {
        let example = parked.iter().find(|event| !event.error.is_empty());
        let example = example.map(|event| {
            let (consumer, key) = (&event.consumer, &event.routing_key);
            format!(" (such as {consumer}, {key}: {})", event.error)
        });
        return lag_checks(log, true, &example.unwrap_or_default());
    }
    let facts = found
        .database
        .as_ref()
        .and_then(|facts| facts.as_ref().ok());
    let log = facts.and_then(|facts| facts.log.as_ref());
    log.map_or_else(Vec::new, |log| lag_checks(log, running.is_some(), ""))
}

/// Without a server nobody catches up, so that being behind is then no fault.
fn lag_checks(log: &LogState, running: bool, example: &str) -> Vec<Check> {
    let at_most = |level: Level| {
        if running {
            level
        } else {
            level.min(Level::Info)
        }
    };
    let mut checks = vec![
        check(
            "sequencer",
            at_most(Level::of(log.unsequenced_age_ms, SEQUENCER_MS)),
            sequencer_text(log),
        )
        .advise("is a process with the target `relay` running? Its log says what holds it up"),
    ];
    for one in &log.consumers {
        let mut level = Level::of(one.events, LAG);
        let mut text = format!(
            "{} {} behind",
            one.consumer,
            words::counted(one.events, "event")
        );
        if running && one.idle > 0 {
            level = level.max(Level::Warn);
            text.push_str(&format!(", nobody works on {} of its partitions", one.idle));
        }
        checks.push(check("read lag", at_most(level), text).advise(
            "it catches up by itself when a process with its target runs; if not, the log says why",
        ));
    }
    let parked: u64 = log.consumers.iter().map(|one| one.parked).sum();
    let level = if parked > 0 { Level::Warn } else { Level::Ok };
    let text = format!("{} set aside{example}", words::counted(parked, "event"));
    checks.push(check("parked", level, text).advise(
        "the partners concerned are under review; mend the cause, then retry them \
         (OperationsService/ListParked, RetryParked)",
    ));
    checks
}

/// A problem with its causes as one line.
fn one_line(problem: &str) -> String {
    let problem = problem.replace("\n  because: ", ": ");
    problem.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sequencer_text(log: &LogState) -> String {
    let head = words::grouped(log.head);
    if log.unsequenced == 0 {
        return format!("the log ends at {head}, every event has its number");
    }
    format!(
        "the log ends at {head}, {} without a number, the oldest for {}",
        words::counted(log.unsequenced, "event"),
        duration(log.unsequenced_age_ms)
    )
}

fn duration(milliseconds: u64) -> String {
    match milliseconds {
        ms if ms < 1_000 => format!("{ms} ms"),
        ms if ms < 120_000 => format!("{} s", ms / 1_000),
        ms if ms < 7_200_000 => format!("{} min", ms / 60_000),
        ms => format!("{} h", ms / 3_600_000),
    }
}

fn bytes(count: u64) -> String {
    if count >= GIB {
        format!("{}.{} GiB", count / GIB, count % GIB * 10 / GIB)
    } else {
        format!("{} MiB", count / MIB)
    }
}

#[cfg(test)]
mod tests;

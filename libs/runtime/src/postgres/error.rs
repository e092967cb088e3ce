//! What can go wrong with the embedded server, each with what to do about it.

use std::io;
use std::path::PathBuf;

use crate::data_dir::DataDirError;

/// Why the embedded PostgreSQL is not there.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No usable installation on this machine.
    #[error(
        "PostgreSQL was not found: the programs `initdb` and `postgres` (version {min} or newer) \
         are needed{note}\n\
         \x20 looked in: {looked_in}\n\
         \x20 Debian, Ubuntu:  apt-get install postgresql\n\
         \x20 Fedora:          dnf install postgresql-server\n\
         \x20 macOS:           brew install postgresql@17\n\
         \x20 elsewhere:       --postgres-bin DIR (TIERLINE_POSTGRES_BIN) names their folder,\n\
         \x20                  --database-url URL (TIERLINE_DATABASE_URL) a server of your own"
    )]
    Missing {
        /// Oldest major version that will do.
        min: u32,
        /// What was found and would not do; empty or beginning with "; ".
        note: String,
        /// Where we looked.
        looked_in: String,
    },
    /// `--postgres-bin` names something else.
    #[error(
        "--postgres-bin {} (TIERLINE_POSTGRES_BIN) does not have the program `{program}`; name \
         the folder that has `initdb` and `postgres`", .folder.display()
    )]
    NoSuchBinary {
        /// The folder that was named.
        folder: PathBuf,
        /// What it lacks.
        program: &'static str,
    },
    /// The data was made by another major version.
    #[error(
        "the data in {} was made by PostgreSQL {cluster}, and this machine has {found}; install \
         version {cluster}, or point --postgres-bin (TIERLINE_POSTGRES_BIN) to it",
        .folder.display()
    )]
    OtherMajor {
        /// The cluster.
        folder: PathBuf,
        /// Its version.
        cluster: u32,
        /// The versions found.
        found: String,
    },
    /// Root calls, and there is no account to run a server as.
    #[error(
        "PostgreSQL refuses to run as root, and neither the account `postgres` nor `nobody` \
         exists; run tierline as an ordinary user"
    )]
    NoAccount,
    /// The unprivileged account cannot get at a folder.
    #[error(
        "PostgreSQL runs as the account `{account}`, which may not enter {}; choose a reachable \
         data folder (--data-dir /var/lib/tierline), run tierline as an ordinary user, or allow \
         passage with: chmod o+x {}", .folder.display(), .folder.display()
    )]
    Unreachable {
        /// The account.
        account: String,
        /// The first folder on the way that it cannot enter.
        folder: PathBuf,
    },
    /// A program failed.
    #[error("{program} failed:\n{output}")]
    Program {
        /// Which one.
        program: String,
        /// What it said.
        output: String,
    },
    /// The server ended while it started.
    #[error("PostgreSQL ended while it started; its log {} says:\n{tail}", .log.display())]
    Ended {
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The server does not answer.
    #[error(
        "PostgreSQL did not answer within {seconds} s: {reason}; its log is {}", .log.display()
    )]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// The last answer.
        reason: String,
        /// The whole log.
        log: PathBuf,
    },
    /// The password file and the server do not agree.
    #[error(
        "the embedded PostgreSQL does not accept the password in {}; put the file back as it was \
         when the data was made", .0.display()
    )]
    WrongPassword(PathBuf),
    /// The password file is absent or empty.
    #[error(
        "the password of the embedded PostgreSQL is missing: {} is absent or empty; put the file \
         back, or choose a new data folder with --data-dir", .0.display()
    )]
    NoPassword(PathBuf),
    /// A server of an earlier run does not stop.
    #[error("the PostgreSQL of an earlier run (process {0}) does not stop; end it by hand")]
    Orphan(i32),
    /// The server refused a statement.
    #[error("preparing the embedded database failed")]
    Sql(#[from] sqlx::Error),
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Starting or signalling a process failed.
    #[error("cannot {action}")]
    Process {
        /// What was tried.
        action: String,
        /// The reason.
        source: io::Error,
    },
}

//! What goes wrong while reading, as one type that becomes a status.

use std::sync::Arc;

use tierline_domain::Rejection;
use tierline_eventstore::{DbError, ReadError, crowd};
use tierline_rpc::{from_rejection, internal, status};
use tonic::Status;

/// Why a call is not answered.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The request is refused.
    Refused(Rejection),
    /// The database does not answer or failed.
    Database(Arc<sqlx::Error>),
    /// The log could not be read.
    Log(ReadError),
    /// Something else, as the status that it becomes.
    Status(Status),
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(DbError::Database(error)) => error.into(),
            other => Self::Log(other),
        }
    }
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(rejection) => from_rejection(&rejection),
            Fault::Status(status) => status,
            Fault::Database(error)
                if matches!(*error, sqlx::Error::PoolTimedOut) && crowd::is_ours() =>
            {
                status::overloaded()
            }
            Fault::Log(ReadError::Database(error)) if error.is_exhausted() => status::overloaded(),
            Fault::Database(error) if is_passing(&error) => unavailable(&error),
            Fault::Log(error @ ReadError::Database(_)) => unavailable(&error),
            Fault::Database(error) => internal(&error),
            Fault::Log(error) => internal(&error),
        }
    }
}

fn unavailable(error: &dyn std::error::Error) -> Status {
    tracing::warn!(%error, "the database is not available: {error}");
    let message = "the database is not available; try again in a moment";
    status::unavailable(status::UNAVAILABLE, message)
}

/// True for failures of the connection and refusals of a server that starts, stops or is full.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "53", "57"]
                .iter()
                .any(|class| code.starts_with(class))
                // Only readable just now; or a transaction that we left alone for too long.
                || code == "25006"
                || code == "25P03"
        }),
        _ => false,
    }
}

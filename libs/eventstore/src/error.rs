//! What a caller of the runner has to tell apart.

use tierline_domain::Rejection;

use crate::DbError;

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command was refused; nothing was written.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The command may or may not have been carried out. Sent again with the same request id it
    /// gives the answer without being carried out twice.
    #[error("it is not known whether the command was carried out")]
    UnknownOutcome {
        /// The request id of the command, if it had one.
        request_id: Option<String>,
    },
    /// Nothing was written, since the database did not answer or is out of capacity.
    #[error("the event store is not available")]
    Unavailable(#[source] Option<DbError>),
    /// A bug: nothing was written.
    #[error("the command could not be carried out")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

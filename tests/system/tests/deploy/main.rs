//! What `deploy/` and the rights of accounts promise, held against the program and against real
//! servers.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

mod files;
mod installation;
mod nats;
mod roles;

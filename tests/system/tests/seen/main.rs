//! What a running product shows of itself: traces, log lines and numbers, and what must not be in
//! them.

#![allow(clippy::unwrap_used, missing_docs, reason = "helpers of tests")]

mod calls;
mod canary;
mod chain;
#[path = "../loop/program.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod program;

//! Reading over gRPC what commands, evaluator and projections have led to.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod applications;
mod benefits;
mod proof;
mod segments;
mod tables;
mod world;

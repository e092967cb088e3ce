//! Accounts of PostgreSQL: one for each target, with the rights it needs and no others, and one
//! that owns the schema and alone may change it.
//!
//! `rights.rs` says who may do what, `roles.rs` turns that into SQL, `apply.rs` carries it out.
//! What is deliberately absent: rights of people. Nobody of flesh and blood works on these tables.

mod apply;
mod rights;
mod roles;
mod scram;
mod secrets;

pub use apply::{Granted, apply, grant};
pub use roles::{Prefix, script};
pub use secrets::Secrets;

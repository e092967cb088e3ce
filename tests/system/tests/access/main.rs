//! Every caller is checked: who may call what, what each may see of it, and what becomes of a
//! request that nobody meant to send. On the program that users run, over real connections.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod call;
mod examples;
mod fuzz;
mod keys;
mod limits;
mod matrix;
mod node;
mod partner_contacts;
mod values;
mod world;

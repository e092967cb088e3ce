//! How what a server answers is shown: as text for people, as JSON for programs.
//!
//! Everything here is pure but [`partner`], which asks the server who is meant.

pub mod json;
pub mod partner;
pub mod progress;
pub mod standing;
pub mod text;
pub mod tree;
pub mod words;

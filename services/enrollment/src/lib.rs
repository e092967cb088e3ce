//! Enrollments of partners in tracks of programs, as gRPC commands, and their end by date.
//!
//! Nothing is decided here. A request becomes a command of the domain with its looked-up data, the
//! runner carries it out, and the folded state becomes the answer.

mod bulk;
mod convert;
mod expirer;
mod lookup;
mod service;

pub use expirer::{ENROLLMENT_EXPIRER, Expirer};
pub use service::{EnrollmentService, enrollment_server};

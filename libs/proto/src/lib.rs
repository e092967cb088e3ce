//! The gRPC contract as Rust types, clients and servers, generated from `proto/`.
//!
//! Nothing here is written by hand but the names of the modules, and the codec that bounds
//! messages. Conversions to the types of the domain live in `tierline-rpc`.

pub mod codec;

/// The descriptors of all files, for server reflection and for tests that walk every method.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/tierline_descriptor.bin"));

macro_rules! package {
    ($(#[$doc:meta])* $area:ident, $package:tt) => {
        $(#[$doc])*
        pub mod $area {
            /// Version 1.
            #[allow(
                missing_docs,
                clippy::all,
                clippy::pedantic,
                clippy::unwrap_used,
                rustdoc::all,
                reason = "generated"
            )]
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    };
}

/// Packages named as in the contract, because the generated code refers to them by these paths.
pub mod tierline {
    package!(
        /// Messages that every other package uses.
        common,
        "tierline.common.v1"
    );
    package!(
        /// API keys.
        access,
        "tierline.access.v1"
    );
    package!(
        /// Orgs, programs, rates.
        program,
        "tierline.program.v1"
    );
    package!(
        /// Partners and contacts.
        partner,
        "tierline.partner.v1"
    );
    package!(
        /// Enrollments.
        enrollment,
        "tierline.enrollment.v1"
    );
    package!(
        /// Deals, certifications, records.
        activity,
        "tierline.activity.v1"
    );
    package!(
        /// Forms and submissions.
        application,
        "tierline.application.v1"
    );
    package!(
        /// Standings, decisions, explanations.
        standing,
        "tierline.standing.v1"
    );
    package!(
        /// Reading.
        query,
        "tierline.query.v1"
    );
}

pub use tierline::{
    access, activity, application, common, enrollment, partner, program, query, standing,
};

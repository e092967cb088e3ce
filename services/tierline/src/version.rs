//! What was built.

/// Abbreviated commit of the source, or `unknown` outside of a checkout.
pub const COMMIT: &str = match option_env!("TIERLINE_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

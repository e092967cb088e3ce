//! Who may do what in an org, as far as the org itself decides it: the roles that there are, and
//! the API keys of the org.
//!
//! People come with tokens of an identity provider, of which nothing is kept here. Other systems
//! may come with an API key. A key is text that is shown once; what is stored is a hash of it.

mod aggregate;
mod commands;
mod events;
mod role;

pub use aggregate::{ApiKey, KeyState, Keyring, LiveSecret};
pub use commands::{CreateApiKey, KeyringCommand, RotateApiKey};
pub use events::{ApiKeyCreated, KeyringEvent, SecretHash};
pub use role::Role;

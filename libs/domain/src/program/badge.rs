//! The image of a tier's badge, named by what it is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::rejection::Rejection;

/// What a name begins with.
const PREFIX: &str = "sha256:";
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// The name of an image: `sha256:` and the SHA-256 of its bytes, in small hexadecimal digits. The
/// same bytes have the same name, and nothing else has it. The image itself is no fact and is kept
/// outside the log.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^sha256:[0-9a-f]{64}$"))]
pub struct BadgeName(String);

impl BadgeName {
    /// The name of these bytes.
    pub fn of(image: &[u8]) -> Self {
        let mut name = PREFIX.to_owned();
        for byte in Sha256::digest(image) {
            name.push_str(&format!("{byte:02x}"));
        }
        Self(name)
    }

    /// Reads a name.
    ///
    /// # Errors
    /// `INVALID_REQUEST` on `badge`.
    pub fn parse(text: impl Into<String>) -> Result<Self, Rejection> {
        let text = text.into();
        let digits = text.strip_prefix(PREFIX).unwrap_or_default();
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if digits.len() == DIGITS && digits.chars().all(is_digit) {
            return Ok(Self(text));
        }
        Err(Rejection::invalid(
            "badge",
            "must be \"sha256:\" and 64 digits of 0-9 and a-f, as the upload of the image says",
        ))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BadgeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BadgeName {
    type Error = Rejection;

    fn try_from(text: String) -> Result<Self, Rejection> {
        Self::parse(text)
    }
}

impl From<BadgeName> for String {
    fn from(name: BadgeName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_its_bytes() {
        let name = BadgeName::of(b"abc");
        // The example of FIPS 180-4.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(name.as_str(), format!("sha256:{known}"));
        assert_eq!(BadgeName::parse(name.as_str()), Ok(name.clone()));
        assert_ne!(BadgeName::of(b"abd"), name);
    }

    #[test]
    fn a_name_has_64_small_digits() {
        let short = format!("sha256:{}", "a".repeat(63));
        let large = format!("sha256:{}", "A".repeat(64));
        let bare = "a".repeat(64);
        for wrong in ["", "sha256:", &short, &large, &bare] {
            let refused = BadgeName::parse(wrong).unwrap_err();
            assert_eq!(refused.violations[0].field, "badge", "{wrong}");
        }
    }
}

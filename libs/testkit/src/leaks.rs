//! Looking for what must not be there: marked values in logs, traces, messages and stores.

use std::fmt::Write as _;

/// A value that nobody else would write, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// What it is, such as `e-mail of a contact`.
    pub what: &'static str,
    /// The value; long enough not to come up by chance.
    pub value: String,
}

impl Canary {
    /// A marked value.
    ///
    /// # Panics
    /// When it is so short that it may be found by chance.
    pub fn new(what: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        assert!(value.len() >= 8, "{what}: {value} may be found by chance");
        Self { what, value }
    }

    /// The forms in which a value leaks: as it is, escaped for an address, as the numbers of its
    /// bytes, in hexadecimal and in base64, wherever in a longer text it stands.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = self.value.as_bytes();
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let mut hexadecimal = String::new();
        let mut escaped = String::new();
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(hexadecimal, "{byte:02x}");
            let _ = match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(escaped, "{}", char::from(*byte))
                }
                other => write!(escaped, "%{other:02X}"),
            };
        }
        let mut forms = vec![
            ("as it is", bytes.to_vec()),
            ("escaped", escaped.into_bytes()),
            ("as numbers", numbers.join(", ").into_bytes()),
            ("in hexadecimal", hexadecimal.into_bytes()),
        ];
        forms.extend((0..3).map(|before| ("in base64", base64_inside(bytes, before))));
        forms
    }
}

/// What is certain of the base64 of a text in which `bytes` has `before` bytes in front of it:
/// letters that its neighbours have a part in are left out.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skip = (3 - before) % 3;
    let whole = &bytes[skip.min(bytes.len())..];
    let mut letters = Vec::new();
    for three in whole.chunks_exact(3) {
        let number =
            (usize::from(three[0]) << 16) | (usize::from(three[1]) << 8) | usize::from(three[2]);
        letters.extend([18, 12, 6, 0].map(|shift| LETTERS[(number >> shift) & 63]));
    }
    letters
}

/// Where canaries were found: what it is, in which form, and the text around it.
pub fn leaks(canaries: &[Canary], bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for canary in canaries {
        for (form, wanted) in canary.forms() {
            let at = bytes
                .windows(wanted.len().max(1))
                .position(|window| window == wanted);
            if let Some(at) = at {
                let around = &bytes[at.saturating_sub(160)..bytes.len().min(at + 120)];
                let around = String::from_utf8_lossy(around);
                found.push(format!("{} {form}: ...{around}...", canary.what));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_every_form_and_not_where_it_is_not() {
        let canary = Canary::new("e-mail", "ada.canary@lovelace.example");
        for text in [
            "to ada.canary@lovelace.example now",
            "url?to=ada.canary%40lovelace.example",
            "payload: [97, 100, 97, 46, 99, 97, 110, 97, 114, 121, 64, 108, 111, 118, 101, 108, \
             97, 99, 101, 46, 101, 120, 97, 109, 112, 108, 101, 1]",
            "6164612e63616e617279406c6f76656c6163652e6578616d706c65",
            // Of the value itself, of `x` and of `xy` in front of it.
            "YWRhLmNhbmFyeUBsb3ZlbGFjZS5leGFtcGxl",
            "eGFkYS5jYW5hcnlAbG92ZWxhY2UuZXhhbXBsZQ==",
            "eHlhZGEuY2FuYXJ5QGxvdmVsYWNlLmV4YW1wbGU=",
        ] {
            let found = leaks(std::slice::from_ref(&canary), text.as_bytes());
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].starts_with("e-mail "), "{found:?}");
        }
        assert_eq!(
            leaks(&[canary], b"ada.canary of lovelace"),
            Vec::<String>::new()
        );
    }
}

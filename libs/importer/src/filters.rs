//! Filters: small text functions that a template or a field names, such as `slug` or `pad:6`.

use std::borrow::Cow;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use tierline_domain::ids::MAX_ID_LENGTH;

/// What `allowed` says about filters.
pub(crate) const FILTERS: &str = "lower, upper, squeeze, slug, hash, host, first_word, \
                                  rest_words, pad:N (N from 1 to 32)";

/// One text function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    Lower,
    Upper,
    /// Every run of white space becomes one blank.
    Squeeze,
    /// An identifier made from the text.
    Slug,
    /// The first 16 hexadecimal digits of the SHA-256 of the text.
    Hash,
    /// The host of a web address, lower case, without `www.`.
    Host,
    FirstWord,
    RestWords,
    /// Zeros before the text up to a length.
    Pad(usize),
}

impl Filter {
    /// Reads a filter as mappings write it; `None` for an unknown one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name.trim(), Some(argument.trim())),
            None => (text.trim(), None),
        };
        match (name, argument) {
            ("lower", None) => Some(Self::Lower),
            ("upper", None) => Some(Self::Upper),
            ("squeeze", None) => Some(Self::Squeeze),
            ("slug", None) => Some(Self::Slug),
            ("hash", None) => Some(Self::Hash),
            ("host", None) => Some(Self::Host),
            ("first_word", None) => Some(Self::FirstWord),
            ("rest_words", None) => Some(Self::RestWords),
            ("pad", Some(length)) => match length.parse() {
                Ok(length @ 1..=32) => Some(Self::Pad(length)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Applies the function. An empty result means "no value".
    pub(crate) fn apply(self, text: Cow<'_, str>) -> Cow<'_, str> {
        match self {
            Self::Lower => Cow::Owned(text.to_lowercase()),
            Self::Upper => Cow::Owned(text.to_uppercase()),
            Self::Squeeze => Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            Self::Slug => Cow::Owned(slug(&text)),
            Self::Hash => Cow::Owned(short_hash(&text, 16)),
            Self::Host => Cow::Owned(host(&text)),
            Self::FirstWord => Cow::Owned(
                text.split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ),
            Self::RestWords => Cow::Owned(
                text.split_whitespace()
                    .skip(1)
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            Self::Pad(length) => {
                let missing = length.saturating_sub(text.chars().count());
                if missing == 0 {
                    return text;
                }
                Cow::Owned(format!("{}{text}", "0".repeat(missing)))
            }
        }
    }
}

/// The first `digits` hexadecimal digits of the SHA-256 of a text.
pub(crate) fn short_hash(text: &str, digits: usize) -> String {
    let mut hash = hex::encode(Sha256::digest(text.as_bytes()));
    hash.truncate(digits);
    hash
}

/// An identifier made from a text: ASCII letters and digits, joined by single hyphens. Where
/// letters are lost (other scripts) or the text is too long, eight digits of its hash keep two
/// texts apart.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lost = false;
    for c in text.nfkd() {
        if is_combining_mark(c) {
            continue;
        }
        match latin(c) {
            Some(letters) => out.push_str(letters),
            None if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase()),
            None => {
                lost |= c.is_alphanumeric();
                if !out.is_empty() && !out.ends_with('-') {
                    out.push('-');
                }
            }
        }
    }
    let short = out.trim_end_matches('-');
    if !lost && short.len() <= MAX_ID_LENGTH {
        return short.to_owned();
    }
    let hash = short_hash(text, 8);
    let kept: String = short.chars().take(MAX_ID_LENGTH - 9).collect();
    match kept.trim_end_matches('-') {
        "" => hash,
        kept => format!("{kept}-{hash}"),
    }
}

// Letters that Unicode does not take apart into a base letter and a mark.
fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'Æ' | 'æ' => "ae",
        'Œ' | 'œ' => "oe",
        'Ø' | 'ø' => "o",
        'ß' | 'ẞ' => "ss",
        'Ł' | 'ł' => "l",
        'Đ' | 'đ' | 'Ð' | 'ð' => "d",
        'Þ' | 'þ' => "th",
        'ı' => "i",
        _ => return None,
    })
}

fn host(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let named = authority.rsplit('@').next().unwrap_or_default();
    let name = named
        .split(':')
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase();
    let name = name.trim_end_matches('.');
    name.strip_prefix("www.").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(filter: &str, text: &str) -> String {
        Filter::parse(filter)
            .unwrap()
            .apply(Cow::Borrowed(text))
            .into_owned()
    }

    #[test]
    fn a_slug_keeps_latin_letters_without_their_marks() {
        assert_eq!(slug("Banco de Crédito BCP"), "banco-de-credito-bcp");
        assert_eq!(slug("Ænix"), "aenix");
        assert_eq!(slug("Amoniac OÜ"), "amoniac-ou");
        assert_eq!(slug("  AT&T, Inc. "), "at-t-inc");
        assert_eq!(slug(""), "");
    }

    #[test]
    fn a_slug_of_another_script_keeps_two_names_apart() {
        let (first, second) = (slug("東京 Cloud"), slug("大阪 Cloud"));
        assert!(first.starts_with("cloud-"), "{first}");
        assert_ne!(first, second);
        assert_eq!(slug("東京").len(), 8);
    }

    #[test]
    fn a_long_slug_is_cut_to_the_length_of_an_identifier() {
        let long = "very long company name ".repeat(9);
        assert_eq!(slug(&long).len(), MAX_ID_LENGTH);
        assert_ne!(slug(&long), slug(&format!("{long}2")));
    }

    #[test]
    fn the_host_of_an_address_has_no_scheme_path_port_or_www() {
        assert_eq!(
            apply("host", "https://www.Example.org/a/b?c#d"),
            "example.org"
        );
        assert_eq!(
            apply("host", "http://example.org:8080\u{a0}"),
            "example.org"
        );
        assert_eq!(apply("host", "example.org"), "example.org");
        assert_eq!(apply("host", ""), "");
    }

    #[test]
    fn words_pads_and_case_do_what_they_say() {
        assert_eq!(apply("first_word", "Mei-Mei  Johns Lee"), "Mei-Mei");
        assert_eq!(apply("rest_words", "Mei-Mei  Johns Lee"), "Johns Lee");
        assert_eq!(
            apply("squeeze", "Gaia  Information\u{a0}Technology"),
            "Gaia Information Technology"
        );
        assert_eq!(apply("pad:4", "42"), "0042");
        assert_eq!(apply("pad:4", "12345"), "12345");
        assert_eq!(apply("upper", "eur"), "EUR");
        assert_eq!(apply("hash", "a").len(), 16);
    }

    #[test]
    fn unknown_filters_and_wrong_arguments_are_not_filters() {
        for text in ["", "slugs", "pad", "pad:0", "pad:99", "lower:2", "pad:x"] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }
}

//! Web domains and e-mail addresses in one normal form, so that the same company written two ways
//! is found to be the same.

use crate::limits;
use crate::rejection::Rejection;

/// Longest domain name (RFC 1035).
const MAX_DOMAIN: usize = 253;
/// Longest e-mail address (RFC 5321).
const MAX_EMAIL: usize = 254;

/// Takes a domain as people write it, `https://www.Example.com/about`, and gives `example.com`:
/// lower case, without scheme, `www.`, port, path and final dot.
///
/// # Errors
/// `INVALID_REQUEST` on `field` when what is left is no domain name of at least two labels.
pub fn normalize_domain(field: &str, text: &str) -> Result<String, Rejection> {
    let lower = text.trim().to_lowercase();
    let rest = lower
        .split_once("://")
        .map_or(lower.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let mut host = host.strip_suffix('.').unwrap_or(host);
    // "www.com" is a domain of its own.
    while let Some(bare) = host.strip_prefix("www.").filter(|bare| bare.contains('.')) {
        host = bare;
    }
    if is_domain(host) {
        return Ok(host.to_owned());
    }
    Err(Rejection::invalid(
        field,
        "must be a web domain like example.com; write international domains in their xn-- form",
    ))
}

fn is_domain(host: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= MAX_DOMAIN
        && host.contains('.')
        && host.split('.').all(label)
        && !last.bytes().all(|b| b.is_ascii_digit())
}

/// Takes an e-mail address and gives it in lower case.
///
/// # Errors
/// `INVALID_REQUEST` on `field` when it is no address of the form `name@example.com`.
pub fn normalize_email(field: &str, text: &str) -> Result<String, Rejection> {
    let lower = text.trim().to_lowercase();
    let sound = lower.len() <= MAX_EMAIL
        && lower.split_once('@').is_some_and(|(name, host)| {
            (1..=64).contains(&name.len())
                && !name
                    .chars()
                    .any(|c| c.is_whitespace() || c.is_control() || c == '@')
                && is_domain(host)
        });
    if sound {
        return Ok(lower);
    }
    Err(Rejection::invalid(
        field,
        "must be an e-mail address like name@example.com",
    ))
}

/// Takes a web address, `https://example.com/about`, as it is.
///
/// # Errors
/// `INVALID_REQUEST` on `field` when it is no `http` or `https` address of a web domain: other
/// schemes run code or open files, and names before an `@` deceive whoever reads the address.
pub fn checked_web_address(field: &str, text: &str) -> Result<String, Rejection> {
    let text = text.trim();
    if is_web_address(text) {
        return Ok(text.to_owned());
    }
    let most = limits::WEB_ADDRESS;
    Err(Rejection::invalid(
        field,
        format!(
            "must be a web address like https://example.com/about, of at most {most} characters \
             and without spaces"
        ),
    ))
}

fn is_web_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let digits =
        |port: &str| !port.starts_with('+') && port.parse::<u16>().is_ok_and(|number| number > 0);
    ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str())
        && text.chars().count() <= limits::WEB_ADDRESS
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '\\')
        && is_domain(&host.to_ascii_lowercase())
        && port.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_domain_written_differently_is_the_same() {
        for text in [
            "example.com",
            "Example.COM",
            " www.example.com ",
            "https://example.com",
            "http://www.example.com/about?x=1#top",
            "example.com.",
            "example.com:8443",
            "https://example.com:443/",
        ] {
            assert_eq!(
                normalize_domain("domain", text).unwrap(),
                "example.com",
                "{text}"
            );
        }
        assert_eq!(normalize_domain("domain", "www.com").unwrap(), "www.com");
        assert_eq!(
            normalize_domain("domain", "shop.example.co.uk").unwrap(),
            "shop.example.co.uk"
        );
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        let long = format!("{}.com", "a".repeat(64));
        for text in [
            "",
            " ",
            "localhost",
            "-a.com",
            "a-.com",
            "a..com",
            "127.0.0.1",
            "müller.de",
            "a b.com",
            "user@example.com",
            "https://",
            ".com",
            "exa_mple.com",
            &long,
        ] {
            let rejection = normalize_domain("domain", text).unwrap_err();
            assert_eq!(rejection.violations[0].field, "domain", "{text}");
        }
    }

    #[test]
    fn addresses_are_compared_in_lower_case() {
        assert_eq!(
            normalize_email("email", "Ann@Example.COM").unwrap(),
            "ann@example.com"
        );
        for text in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@host",
            "a b@example.com",
            "a@b@c.com",
        ] {
            assert!(normalize_email("email", text).is_err(), "{text}");
        }
    }

    #[test]
    fn web_addresses_lead_to_a_web_domain_and_nowhere_else() {
        for text in [
            "https://example.com",
            "HTTP://Example.com/About?x=1#top",
            "https://shop.example.co.uk:8443/",
            " https://example.com/ä ",
        ] {
            assert_eq!(checked_web_address("site", text).unwrap(), text.trim());
        }
        let long = format!("https://example.com/{}", "a".repeat(limits::WEB_ADDRESS));
        for text in [
            "",
            "example.com",
            "javascript://example.com/%0aalert(1)",
            "javascript:alert(1)",
            "ftp://example.com",
            "https://",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://user@example.com/",
            "https://user:secret@example.com/",
            "https://example.com:0/",
            "https://example.com:+80/",
            "https://example.com:70000/",
            "https://example.com\\@evil.example/",
            "https://example.com/a b",
            "https://example.com/\u{7}",
            &long,
        ] {
            let rejection = checked_web_address("site", text).unwrap_err();
            assert_eq!(rejection.violations[0].field, "site", "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_normal_form_is_its_own_normal_form(text in ".{0,80}") {
            if let Ok(domain) = normalize_domain("domain", &text) {
                proptest::prop_assert_eq!(normalize_domain("domain", &domain).unwrap(), domain);
            }
        }

        #[test]
        fn any_domain_like_text_is_stable(text in "(https?://)?(www\\.){0,3}[a-z]{1,3}(\\.[a-z]{1,3}){0,2}\\.?(:[0-9]{0,3})?") {
            if let Ok(domain) = normalize_domain("domain", &text) {
                proptest::prop_assert_eq!(normalize_domain("domain", &domain).unwrap(), domain);
            }
        }
    }
}

//! Credentials.

use std::sync::LazyLock;

use tierline_domain::OrgId;
use tierline_rpc::auth::api_key::{NewKey, ShownKey};
use tierline_rpc::auth::{LocalIssuer, Verifier};

use crate::{Target, text};

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let issuer = LocalIssuer::generate("k", "https://issuer.example", "tierline");
    Verifier::new(&issuer.settings()).unwrap()
});

pub(crate) const JWT: Target = Target {
    name: "jwt",
    run: jwt,
    seeds: &[
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImsifQ.eyJzdWIiOiJhIn0.AAAA",
        "eyJhbGciOiJub25lIn0.e30.",
        "e30.e30.e30",
        "..",
    ],
};

/// The key was made a moment ago and has signed nothing.
fn jwt(data: &[u8]) {
    let Some(text) = text(data) else { return };
    assert!(VERIFIER.verify(text).is_err(), "{text}");
}

pub(crate) const API_KEY: Target = Target {
    name: "api_key",
    run: api_key,
    seeds: &[
        "tlk_live_acme.0011223344556677_000000000000000000000000000000000000000000000000000000000000000000000000",
        "tlk_sandbox_a.b_c.0_",
        "tlk_",
    ],
};

fn api_key(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Some(shown) = ShownKey::parse(text) {
        assert!(text.contains(shown.org.as_str()) && text.contains(shown.id.as_str()));
        let other = NewKey::generate(&shown.org, false, Some(shown.id.clone())).unwrap();
        assert!(!shown.is_one_of([&other.hash].into_iter()));
    }
    // Every org has keys that are read again.
    if let Ok(org) = OrgId::parse(text) {
        let made = NewKey::generate(&org, true, None).unwrap();
        let shown = ShownKey::parse(&made.text).unwrap();
        assert!(shown.org == org && shown.is_one_of([&made.hash].into_iter()));
    }
}

//! Tokens that must be accepted, and a corpus of tokens that must not.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod corpus;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tierline_rpc::auth::{AuthSettings, KeyError, LocalIssuer, TokenError, TokenRequest, Verifier};
use tierline_rpc::caller::Role;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "tierline";

/// One reading of the clock, so that no second begins between two claims.
static NOW: LazyLock<u64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
});

fn now() -> u64 {
    *NOW
}

fn settings(jwks: &str) -> AuthSettings {
    AuthSettings {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks: jwks.to_owned(),
        max_lifetime: Duration::from_secs(3600),
    }
}

fn verifier() -> Verifier {
    Verifier::new(&settings(include_str!("../keys/public.json"))).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "org": "acme", "roles": ["viewer"],
        "iat": now(), "nbf": now(), "exp": now() + 600,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn header(algorithm: Algorithm, kid: &str) -> Header {
    let mut header = Header::new(algorithm);
    header.kid = Some(kid.to_owned());
    header
}

fn rsa_key() -> EncodingKey {
    EncodingKey::from_rsa_pem(include_bytes!("../keys/rs256.pem")).unwrap()
}

fn sign(header: &Header, claims: &Value) -> String {
    jsonwebtoken::encode(header, claims, &rsa_key()).unwrap()
}

fn refusal_of(claims: &Value) -> TokenError {
    verifier()
        .verify(&sign(&header(Algorithm::RS256, "rsa"), claims))
        .unwrap_err()
}

#[test]
fn tokens_of_each_allowed_algorithm_are_accepted() {
    let verifier = verifier();
    let caller = verifier
        .verify(&sign(&header(Algorithm::RS256, "rsa"), &claims()))
        .unwrap();
    assert_eq!(
        (caller.subject.as_str(), caller.org.as_str()),
        ("ada", "acme")
    );
    assert!(caller.roles.contains(&Role::Viewer));

    let key = EncodingKey::from_ec_pem(include_bytes!("../keys/es256.pem")).unwrap();
    let token = jsonwebtoken::encode(&header(Algorithm::ES256, "ec"), &claims(), &key).unwrap();
    verifier.verify(&token).unwrap();

    let local = LocalIssuer::generate("local", ISSUER, AUDIENCE);
    let mut request = TokenRequest::new("bob", "acme", [Role::PartnerContact]);
    request.partner = Some("p-1".to_owned());
    let token = local.token(&request, Duration::from_secs(60)).unwrap();
    let caller = Verifier::new(&local.settings())
        .unwrap()
        .verify(&token)
        .unwrap();
    assert_eq!(caller.partner.as_ref().unwrap().as_str(), "p-1");
}

#[test]
fn an_audience_may_be_one_of_several_and_typ_may_be_that_of_access_tokens() {
    let mut header = header(Algorithm::RS256, "rsa");
    header.typ = Some("at+jwt".to_owned());
    let claims = with("aud", json!(["other", AUDIENCE]));
    verifier().verify(&sign(&header, &claims)).unwrap();
}

#[test]
fn wrong_or_missing_claims_are_refused() {
    for (name, value, expected) in [
        ("iss", json!("https://evil.example"), TokenError::Issuer),
        ("iss", Value::Null, TokenError::Issuer),
        ("aud", json!("someone-else"), TokenError::Audience),
        ("aud", json!([]), TokenError::Audience),
        ("aud", Value::Null, TokenError::Audience),
        ("exp", json!(now() - 120), TokenError::Expired),
        ("exp", json!(now() + 100_000), TokenError::Lifetime),
        ("exp", json!(u64::MAX), TokenError::Lifetime),
        ("exp", json!("tomorrow"), TokenError::Malformed),
        ("exp", Value::Null, TokenError::Malformed),
        ("nbf", json!(now() + 300), TokenError::NotYetValid),
        ("iat", json!(now() + 300), TokenError::NotYetValid),
        ("iat", Value::Null, TokenError::Malformed),
        ("sub", Value::Null, TokenError::Malformed),
        ("sub", json!(""), TokenError::Claim("sub")),
        ("sub", json!("a\nb"), TokenError::Claim("sub")),
        ("org", Value::Null, TokenError::Claim("org")),
        ("org", json!("../other"), TokenError::Claim("org")),
        ("org", json!(["acme", "other"]), TokenError::Malformed),
        ("roles", json!([]), TokenError::Claim("roles")),
        ("roles", Value::Null, TokenError::Claim("roles")),
        ("roles", json!(["root"]), TokenError::Claim("roles")),
        ("roles", json!("admin"), TokenError::Malformed),
        (
            "roles",
            json!(["partner_contact"]),
            TokenError::Claim("partner"),
        ),
        ("partner", json!("a/b"), TokenError::Claim("partner")),
    ] {
        assert_eq!(
            refusal_of(&with(name, value.clone())),
            expected,
            "{name} = {value}"
        );
    }
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let verifier = verifier();
    for claims in [
        with("exp", json!(now() - 30)),
        with("nbf", json!(now() + 30)),
    ] {
        let mut claims = claims;
        claims["iat"] = json!(now() - 100);
        verifier
            .verify(&sign(&header(Algorithm::RS256, "rsa"), &claims))
            .unwrap();
    }
}

#[test]
fn unsafe_settings_refuse_to_start() {
    let keys = include_str!("../keys/public.json");
    let mut no_audience = settings(keys);
    no_audience.audience = "  ".to_owned();
    assert_eq!(
        Verifier::new(&no_audience).err(),
        Some(KeyError::NotSet("audience"))
    );
    let mut no_issuer = settings(keys);
    no_issuer.issuer = String::new();
    assert_eq!(
        Verifier::new(&no_issuer).err(),
        Some(KeyError::NotSet("issuer"))
    );

    let local: Value =
        serde_json::from_str(&LocalIssuer::generate("k", ISSUER, AUDIENCE).jwks()).unwrap();
    let set = |change: &dyn Fn(&mut Value)| {
        let mut set = local.clone();
        change(&mut set);
        Verifier::new(&settings(&set.to_string())).err()
    };
    assert_eq!(set(&|_| {}), None);
    for (what, problem) in [
        ("nothing", set(&|set| set["keys"] = json!([]))),
        ("no list", set(&|set| *set = json!({}))),
        ("no kid", set(&|set| set["keys"][0]["kid"] = Value::Null)),
        (
            "for encryption",
            set(&|set| set["keys"][0]["use"] = json!("enc")),
        ),
        (
            "another algorithm",
            set(&|set| set["keys"][0]["alg"] = json!("HS256")),
        ),
        (
            "another curve",
            set(&|set| set["keys"][0]["crv"] = json!("Ed448")),
        ),
        (
            "a private key",
            set(&|set| set["keys"][0]["d"] = json!("AAAA")),
        ),
        (
            "a secret",
            set(&|set| set["keys"][0] = json!({"kty":"oct","kid":"k","k":"AAAA"})),
        ),
        (
            "twice the same",
            set(&|set| set["keys"] = json!([set["keys"][0], set["keys"][0]])),
        ),
    ] {
        assert!(problem.is_some(), "{what}");
    }
    assert!(Verifier::new(&settings("nonsense")).is_err());
    let short = Verifier::new(&settings(include_str!("../keys/short.json")))
        .err()
        .unwrap();
    assert!(short.to_string().contains("2048"), "{short}");
}

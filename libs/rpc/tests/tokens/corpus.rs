//! The corpus: tokens that must be refused, each with the reason. A line is an attack or a mistake.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A token, what it tries, and how it must be refused.
struct Case {
    what: String,
    token: String,
    refusal: TokenError,
}

fn case(what: impl Into<String>, token: impl Into<String>, refusal: TokenError) -> Case {
    Case {
        what: what.into(),
        token: token.into(),
        refusal,
    }
}

/// A token of these parts, as they stand, with the signature of the RSA key over them.
fn signed_text(header: &str, claims: &str) -> String {
    let message = unsigned_text(header, claims);
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &rsa_key(), Algorithm::RS256);
    format!("{message}.{}", signature.unwrap())
}

fn unsigned_text(header: &str, claims: &str) -> String {
    let (head, body) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims),
    );
    format!("{head}.{body}")
}

const HEADER: &str = r#"{"alg":"RS256","typ":"JWT","kid":"rsa"}"#;

fn good() -> String {
    sign(&header(Algorithm::RS256, "rsa"), &claims())
}

/// Nobody signed it.
fn unsigned(cases: &mut Vec<Case>) {
    let body = claims().to_string();
    for alg in ["none", "None", "NONE", "nOnE", "", "null"] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": "rsa"}).to_string();
        for end in ["", ".", ".AA"] {
            let token = format!("{}{end}", unsigned_text(&header, &body));
            cases.push(case(
                format!("alg {alg:?} and {end:?}"),
                token,
                TokenError::Malformed,
            ));
        }
        // Even with a good signature over it.
        let token = signed_text(&header, &body);
        cases.push(case(
            format!("alg {alg:?}, signed"),
            token,
            TokenError::Malformed,
        ));
    }
    let bare = unsigned_text(HEADER, &body);
    cases.push(case(
        "no signature",
        format!("{bare}."),
        TokenError::Signature,
    ));
    cases.push(case("two parts", bare.clone(), TokenError::Malformed));
    for (what, bytes) in [
        ("zeros", vec![0; 256]),
        ("one", vec![1]),
        ("ones", vec![255; 256]),
    ] {
        let token = format!("{bare}.{}", URL_SAFE_NO_PAD.encode(bytes));
        cases.push(case(
            format!("a signature of {what}"),
            token,
            TokenError::Signature,
        ));
    }
    // A point at infinity that some verifiers took for a signature of anything.
    let header = r#"{"alg":"ES256","typ":"JWT","kid":"ec"}"#;
    let token = format!(
        "{}.{}",
        unsigned_text(header, &body),
        URL_SAFE_NO_PAD.encode([0; 64])
    );
    cases.push(case(
        "a signature of zeros on a curve",
        token,
        TokenError::Signature,
    ));
}

/// Another algorithm than that of the key, above all one for which the public key is a secret.
fn wrong_algorithms(cases: &mut Vec<Case>) {
    let set: Value = serde_json::from_str(include_str!("../keys/public.json")).unwrap();
    let modulus = set["keys"][0]["n"].as_str().unwrap();
    let secrets: [(&str, Vec<u8>); 4] = [
        (
            "the key set",
            include_bytes!("../keys/public.json").to_vec(),
        ),
        ("the key", set["keys"][0].to_string().into_bytes()),
        ("the modulus", modulus.as_bytes().to_vec()),
        ("nothing", Vec::new()),
    ];
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for (what, secret) in &secrets {
            let key = EncodingKey::from_secret(secret);
            let token = jsonwebtoken::encode(&header(algorithm, "rsa"), &claims(), &key);
            let what = format!("{algorithm:?} with {what} as the secret");
            cases.push(case(what, token.unwrap(), TokenError::Signature));
        }
    }
    for algorithm in [
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS512,
    ] {
        let token = jsonwebtoken::encode(&header(algorithm, "rsa"), &claims(), &rsa_key());
        let what = format!("{algorithm:?} with the right key");
        cases.push(case(what, token.unwrap(), TokenError::Signature));
    }
    let token = sign(&header(Algorithm::RS256, "ec"), &claims());
    cases.push(case(
        "the name of another key",
        token,
        TokenError::Signature,
    ));
    let ec = EncodingKey::from_ec_pem(include_bytes!("../keys/es256.pem")).unwrap();
    let token = jsonwebtoken::encode(&header(Algorithm::ES256, "rsa"), &claims(), &ec).unwrap();
    cases.push(case(
        "another key under this name",
        token,
        TokenError::Signature,
    ));
    for alg in ["rs256", "RS256 ", "RS1", "A256GCM", "dir"] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": "rsa"}).to_string();
        let token = signed_text(&header, &claims().to_string());
        cases.push(case(format!("alg {alg:?}"), token, TokenError::Malformed));
    }
}

/// A key that is not in the set, or is to be fetched from somewhere.
fn foreign_keys(cases: &mut Vec<Case>) {
    for kid in [
        "",
        "RSA",
        "rsa ",
        "rsa\0",
        "other",
        "../../keys/rsa",
        "/dev/null",
        "../../../../dev/null",
        "file:///etc/passwd",
        "https://evil.example/keys",
        "rsa' OR '1'='1",
        "rsa|id",
        "*",
        "0",
    ] {
        let token = sign(&header(Algorithm::RS256, kid), &claims());
        cases.push(case(format!("kid {kid:?}"), token, TokenError::UnknownKey));
    }
    let token = sign(&Header::new(Algorithm::RS256), &claims());
    cases.push(case("no kid", token, TokenError::UnknownKey));
    for kid in [json!(["rsa"]), json!({"rsa": 1}), json!(7)] {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid}).to_string();
        let token = signed_text(&header, &claims().to_string());
        cases.push(case(format!("kid {kid}"), token, TokenError::Malformed));
    }
    let set: Value = serde_json::from_str(include_str!("../keys/public.json")).unwrap();
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("jwk", set["keys"][0].clone()),
        ("crit", json!(["exp"])),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        let mut header: Value = serde_json::from_str(HEADER).unwrap();
        header[name] = value;
        let token = signed_text(&header.to_string(), &claims().to_string());
        cases.push(case(
            format!("{name} in the header"),
            token,
            TokenError::Header,
        ));
    }
    for typ in ["id+jwt", "logout+jwt", "JWE", "", "jwt+x"] {
        let header = json!({"alg": "RS256", "typ": typ, "kid": "rsa"}).to_string();
        let token = signed_text(&header, &claims().to_string());
        cases.push(case(format!("typ {typ:?}"), token, TokenError::Type));
    }
}

/// The same thing said twice, in two ways.
fn duplicates(cases: &mut Vec<Case>) {
    let text = claims().to_string();
    for (name, other) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!("other")),
        ("sub", json!("eve")),
        ("org", json!("other")),
        ("roles", json!(["admin"])),
        ("exp", json!(now() + 60)),
        ("nbf", json!(now())),
        ("iat", json!(now())),
    ] {
        let field = format!("\"{name}\":");
        for (order, twice) in [
            (
                "first",
                text.replacen(&field, &format!("{field}{other},{field}"), 1),
            ),
            (
                "last",
                format!("{},{field}{other}}}", &text[..text.len() - 1]),
            ),
        ] {
            let token = signed_text(HEADER, &twice);
            let what = format!("{name} twice, the other one {order}");
            cases.push(case(what, token, TokenError::Malformed));
        }
    }
    for (name, other) in [("alg", "none"), ("kid", "other"), ("typ", "id+jwt")] {
        let twice = HEADER.replacen('{', &format!("{{\"{name}\":\"{other}\","), 1);
        let token = signed_text(&twice, &text);
        cases.push(case(
            format!("{name} twice in the header"),
            token,
            TokenError::Malformed,
        ));
    }
}

/// Claims that are absent, wrong, or of another type.
fn wrong_claims(cases: &mut Vec<Case>) {
    use TokenError as E;
    for (name, value, refusal) in [
        ("iss", json!("https://issuer.example/"), E::Issuer),
        ("iss", json!([ISSUER, "https://evil.example"]), E::Malformed),
        ("iss", json!(7), E::Malformed),
        ("aud", json!("Tierline"), E::Audience),
        ("aud", json!({"tierline": 1}), E::Audience),
        ("aud", json!([["tierline"]]), E::Audience),
        ("exp", json!(now() - 61), E::Expired),
        ("exp", json!(0), E::Expired),
        ("exp", json!(-1), E::Malformed),
        ("exp", json!(1e18), E::Malformed),
        ("exp", json!(true), E::Malformed),
        ("exp", json!(now() + 3_601), E::Lifetime),
        ("nbf", json!(now() + 120), E::NotYetValid),
        ("nbf", json!("soon"), E::Malformed),
        ("iat", json!(now() + 120), E::NotYetValid),
        ("iat", json!(0), E::Lifetime),
        ("sub", json!("x".repeat(201)), E::Claim("sub")),
        ("sub", json!("a\u{0}b"), E::Claim("sub")),
        ("sub", json!(7), E::Malformed),
        ("org", json!("acme/other"), E::Claim("org")),
        ("org", json!("*"), E::Claim("org")),
        ("org", json!("acme "), E::Claim("org")),
        ("org", json!("x".repeat(65)), E::Claim("org")),
        ("roles", json!(["Admin"]), E::Claim("roles")),
        ("roles", json!(["viewer", "root"]), E::Claim("roles")),
        ("roles", json!(vec!["viewer"; 100]), E::Claim("roles")),
        ("roles", json!({"admin": true}), E::Malformed),
        ("roles", json!(["partner_contact"]), E::Claim("partner")),
        ("partner", json!("*"), E::Claim("partner")),
        ("partner", json!(["nova"]), E::Malformed),
    ] {
        let token = signed_text(HEADER, &with(name, value.clone()).to_string());
        let value: String = value.to_string().chars().take(40).collect();
        cases.push(case(format!("{name} = {value}"), token, refusal));
    }
    for name in ["iss", "aud", "sub", "exp", "iat", "org", "roles"] {
        let refusal = match name {
            "iss" => E::Issuer,
            "aud" => E::Audience,
            "org" => E::Claim("org"),
            "roles" => E::Claim("roles"),
            _ => E::Malformed,
        };
        let token = signed_text(HEADER, &with(name, Value::Null).to_string());
        cases.push(case(format!("no {name}"), token, refusal));
    }
}

/// What is no token of this form at all.
fn misshapen(cases: &mut Vec<Case>) {
    let good = good();
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = [parts[0], parts[1], parts[2]];
    let other = URL_SAFE_NO_PAD.encode(with("org", json!("other")).to_string());
    cases.push(case(
        "other claims under the signature",
        format!("{head}.{other}.{signature}"),
        TokenError::Signature,
    ));
    let inner = URL_SAFE_NO_PAD.encode(&good);
    for (what, token) in [
        ("a token in an unsigned one", format!("{head}.{inner}.")),
        ("a token in a token", signed_text(HEADER, &good)),
        ("five parts, as if encrypted", format!("{good}.AA.AA")),
        ("four parts", format!("{good}.AA")),
        (
            "the JSON form",
            json!({"payload": body, "signature": signature}).to_string(),
        ),
        ("a space in front", format!(" {good}")),
        ("a line break at the end", format!("{good}\n")),
        ("padding", format!("{head}==.{body}.{signature}")),
        (
            "claims in the other alphabet",
            format!("{head}.{}.{signature}", STANDARD.encode(">>>???")),
        ),
        ("a list of claims", signed_text(HEADER, "[1]")),
        ("no claims", signed_text(HEADER, "")),
        ("null", signed_text(HEADER, "null")),
        ("claims that do not end", signed_text(HEADER, "{")),
        (
            "claims too deep",
            signed_text(HEADER, &format!("{{\"x\":{}", "[".repeat(3_000))),
        ),
        (
            "a header that is a list",
            signed_text("[]", &claims().to_string()),
        ),
        (
            "bytes that are no text",
            format!("{}.{body}.{signature}", URL_SAFE_NO_PAD.encode([255])),
        ),
        ("nothing", String::new()),
        ("points", "..".to_owned()),
        ("crabs", "🦀.🦀.🦀".to_owned()),
    ] {
        let refusal = match what {
            "a token in an unsigned one" | "claims in the other alphabet" => TokenError::Signature,
            _ => TokenError::Malformed,
        };
        cases.push(case(what, token, refusal));
    }
    let huge = with("note", json!("x".repeat(8_000)));
    let token = signed_text(HEADER, &huge.to_string());
    cases.push(case(
        "a signed token beyond the bound",
        token,
        TokenError::TooLong,
    ));
    cases.push(case("a megabyte", "a".repeat(1 << 20), TokenError::TooLong));
}

fn corpus() -> Vec<Case> {
    let mut cases = Vec::new();
    unsigned(&mut cases);
    wrong_algorithms(&mut cases);
    foreign_keys(&mut cases);
    duplicates(&mut cases);
    wrong_claims(&mut cases);
    misshapen(&mut cases);
    cases
}

#[test]
fn every_token_of_the_corpus_is_refused_for_its_reason() {
    let verifier = verifier();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    let cases = corpus();
    for case in &cases {
        let verdict = verifier.verify(&case.token);
        if verdict.as_ref().err() != Some(&case.refusal) {
            wrong.push(format!(
                "{}: {verdict:?}, not {:?}",
                case.what, case.refusal
            ));
        }
        // And again, in case it was remembered.
        let again = verifier.verify(&case.token);
        let text = again.map_or_else(|refusal| refusal.to_string(), |_| String::new());
        let repeats = case.token.len() > 20 && text.contains(&case.token);
        if text.is_empty() || repeats {
            wrong.push(format!("{}, again: {text:?}", case.what));
        }
        seen.insert(case.refusal.label());
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        cases.len()
    );
    verifier.verify(&good()).unwrap();
    println!("{} tokens refused", cases.len());

    let every = [
        TokenError::TooLong,
        TokenError::Malformed,
        TokenError::Type,
        TokenError::Header,
        TokenError::UnknownKey,
        TokenError::Signature,
        TokenError::Issuer,
        TokenError::Audience,
        TokenError::Expired,
        TokenError::NotYetValid,
        TokenError::Lifetime,
        TokenError::Claim("org"),
    ];
    let every: BTreeSet<_> = every.iter().map(TokenError::label).collect();
    assert_eq!(seen, every, "a reason to refuse is not in the corpus");
}

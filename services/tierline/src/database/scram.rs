//! The form in which PostgreSQL keeps a password (RFC 5802 with SHA-256). Made here, so that the
//! password itself is in no statement and in no log of the server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// Rounds, as PostgreSQL takes them.
const ROUNDS: u32 = 4096;

/// What `ALTER ROLE ... PASSWORD` takes instead of the password, which has to be ASCII: then it
/// is its own normal form.
pub fn verifier(password: &str, salt: [u8; 16]) -> String {
    let salted = salted(password.as_bytes(), &salt);
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    format!(
        "SCRAM-SHA-256${ROUNDS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    )
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn salted(password: &[u8], salt: &[u8; 16]) -> [u8; 32] {
    let mut last = hmac(password, &[salt.as_slice(), &1_u32.to_be_bytes()].concat());
    let mut sum = last;
    for _ in 1..ROUNDS {
        last = hmac(password, &last);
        for (total, byte) in sum.iter_mut().zip(last) {
            *total ^= byte;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_comes_out() {
        // RFC 7677, section 3: user "user", password "pencil", salt and 4096 rounds as there. The
        // server's signature of that exchange follows from the server key.
        let salt: [u8; 16] = STANDARD
            .decode("W22ZaJ0SNY7soEsUEjb6gQ==")
            .unwrap()
            .try_into()
            .unwrap();
        let text = verifier("pencil", salt);
        let server = STANDARD.decode(text.rsplit(':').next().unwrap()).unwrap();
        let exchange = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = STANDARD.encode(hmac(&server, exchange.as_bytes()));
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
    }
}

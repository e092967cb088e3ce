//! Requests that nobody meant to send: for every method valid, extreme, random, wrongly typed and
//! unknown fields, made from the descriptors. Whatever comes, the answer is no accident: never
//! INTERNAL, UNKNOWN or DATA_LOSS, and every refusal says why in a stable word.
//!
//! `FUZZ_SECONDS` makes it longer, `FUZZ_SEED` repeats a run; `./dev fuzz` sets both.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use prost::Message as _;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tierline_rpc::Role;
use tierline_rpc::access::TABLE;

use crate::call::{Answer, call, message, methods, name_of};
use crate::examples::EXAMPLES;
use crate::values::{self, Values};
use crate::world::World;

/// Requests of each method in the run that is part of every test run.
const ROUNDS: usize = 12;
/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(40);
/// A client still sends when the server has read so many bytes of a call.
const STILL_SENDING: usize = 16 * 1024;
/// Failures that are described; more are counted.
const SHOWN: usize = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
    )
}

/// One call: its messages as they go over the wire.
fn bodies(rng: &mut ChaCha8Rng, method: &MethodDescriptor) -> Vec<Vec<u8>> {
    let messages = if method.is_client_streaming() {
        rng.random_range(0..=3)
    } else {
        1
    };
    (0..messages).map(|_| body(rng, method)).collect()
}

fn body(rng: &mut ChaCha8Rng, method: &MethodDescriptor) -> Vec<u8> {
    let input = method.input();
    let made = |rng: &mut ChaCha8Rng| Values::new(rng).message(&input, 0);
    match rng.random_range(0..100) {
        0..45 => made(rng).encode_to_vec(),
        45..70 => changed(rng, method).encode_to_vec(),
        70..80 => {
            let whole = changed(rng, method).encode_to_vec();
            values::damaged(rng, whole)
        }
        80..87 => values::wrongly_typed(rng, &input),
        87..94 => {
            let known = made(rng).encode_to_vec();
            values::with_unknown_fields(rng, known)
        }
        94..97 => values::deeply_nested(rng, &input),
        _ => values::random_bytes(rng, 200),
    }
}

/// The example of the method with some of its fields made anew.
fn changed(rng: &mut ChaCha8Rng, method: &MethodDescriptor) -> DynamicMessage {
    let name = name_of(method);
    let example = EXAMPLES.iter().find(|example| example.method == name);
    let request = example
        .unwrap()
        .request
        .replace('$', "a")
        .replace(['<', '>'], "");
    let mut example = message(&method.input(), &request);
    Values::new(rng).change(&mut example);
    example
}

/// What is wrong with an answer, if anything is.
fn accident(answer: &Answer) -> Option<String> {
    let refusal = answer.refusal.as_ref()?;
    if matches!(answer.code(), "INTERNAL" | "UNKNOWN" | "DATA_LOSS") {
        return Some(format!("{}: {}", answer.code(), refusal.message()));
    }
    let stable = |reason: &String| {
        let word = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        !reason.is_empty() && reason.chars().all(word)
    };
    if answer.reason().as_ref().is_some_and(stable) {
        return None;
    }
    Some(format!(
        "no reason: {} {}",
        answer.code(),
        refusal.message()
    ))
}

/// The server refused a call while the client was still sending, and the client of this test
/// noticed the end of the stream before the answer. That is between the two of them.
fn cut_off(answer: &Answer, bodies: &[Vec<u8>]) -> bool {
    let sent: usize = bodies.iter().map(Vec::len).sum();
    let transport = answer.refusal.as_ref().is_some_and(|refusal| {
        refusal.details().is_empty() && refusal.message().starts_with("h2 protocol error")
    });
    transport && sent > STILL_SENDING
}

struct Fuzzer {
    world: World,
    seed: u64,
    tokens: BTreeMap<Role, String>,
    codes: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

impl Fuzzer {
    async fn start(seed: u64) -> Self {
        let world = World::start().await;
        let token = |role: Role| (role, world.node.token("a", role, None));
        let tokens = [Role::Admin, Role::Operator].map(token).into();
        Self {
            world,
            seed,
            tokens,
            codes: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// The request of a number; the same for the same seed.
    async fn try_one(&mut self, number: u64, method: &MethodDescriptor) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9e37_79b9));
        let bodies = bodies(&mut rng, method);
        let name = name_of(method);
        let row = TABLE.iter().find(|(known, _)| *known == name);
        let token = &self.tokens[&row.unwrap().1[0]];
        let asked = call(&self.world.channel, Some(token), method, bodies.clone());
        let Ok(answer) = tokio::time::timeout(PATIENCE, asked).await else {
            self.failed(&name, number, &bodies, "no answer in time");
            return;
        };
        if cut_off(&answer, &bodies) {
            *self.codes.entry("cut off").or_default() += 1;
            return;
        }
        *self.codes.entry(answer.code()).or_default() += 1;
        if let Some(accident) = accident(&answer) {
            self.failed(&name, number, &bodies, &accident);
        }
    }

    fn failed(&mut self, method: &str, number: u64, bodies: &[Vec<u8>], what: &str) {
        let shown = |body: &Vec<u8>| {
            let escaped = body.escape_ascii().to_string();
            escaped.chars().take(600).collect::<String>()
        };
        let sent: Vec<String> = bodies.iter().map(shown).collect();
        let failure = format!(
            "{method} request {number}: {what}\n    {}",
            sent.join("\n    ")
        );
        self.failures.push(failure);
    }

    /// The process is well, and noticed no accident itself.
    async fn check_the_process(&mut self) {
        let admin = &self.tokens[&Role::Admin];
        let get = "tierline.program.v1.OrgService/GetOrg";
        let answer = self.world.ask(Some(admin), get, "", "a").await;
        assert_eq!(answer.code(), "OK", "{}", answer.text());
        for line in self.world.node.log() {
            if line["level"] == "ERROR" || line.is_string() {
                self.failures.push(format!("the log says: {line}"));
            }
        }
        if self.world.node.printed().contains("panicked at") {
            self.failures.push("a thread panicked".to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_is_answered_with_a_reason_and_never_an_accident() {
    let seed = number("FUZZ_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    let longer = number("FUZZ_SECONDS").map(Duration::from_secs);
    println!("FUZZ_SEED={seed}");
    let mut fuzzer = Fuzzer::start(seed).await;
    let methods = methods();
    let begin = Instant::now();
    let enough = |round| match longer {
        Some(time) => begin.elapsed() >= time,
        None => round >= ROUNDS,
    };
    let (mut round, mut number) = (0, 0);
    while !enough(round) {
        for method in &methods {
            fuzzer.try_one(number, method).await;
            number += 1;
        }
        round += 1;
    }
    fuzzer.check_the_process().await;
    println!(
        "{number} requests in {:?}: {:?}",
        begin.elapsed(),
        fuzzer.codes
    );
    let cut_off = fuzzer.codes.get("cut off").copied().unwrap_or_default();
    assert!(
        cut_off * 20 <= number,
        "{cut_off} of {number} calls were cut off"
    );
    assert!(
        fuzzer.codes.len() > 3,
        "the requests all end alike: {:?}",
        fuzzer.codes
    );
    let (count, shown) = (fuzzer.failures.len(), fuzzer.failures.iter().take(SHOWN));
    let shown: Vec<&String> = shown.collect();
    assert_eq!(count, 0, "FUZZ_SEED={seed}: {count} accidents\n{shown:#?}");
}

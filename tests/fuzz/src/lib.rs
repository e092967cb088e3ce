//! Every reader of text and bytes from outside, fed with anything: none of them stops the process,
//! and what they accept means the same when it is written and read again.
//!
//! [`TARGETS`] is the list. The tests here run each for a moment in every test run; the programs in
//! `fuzz/` run the same functions guided by coverage, by `./dev fuzz`. A reader of messages of a
//! broker belongs into this list as soon as there is one.

#![allow(clippy::unwrap_used, reason = "a finding is a panic")]

mod business;
mod files;
mod requests;
mod tokens;

/// A reader under test.
pub struct Target {
    /// Its name, which is that of the program in `fuzz/`.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: &'static [&'static str],
}

/// Every reader.
pub const TARGETS: &[Target] = &[
    requests::FILTER,
    requests::ORDER_BY,
    requests::PAGE_TOKEN,
    requests::CONSISTENCY_TOKEN,
    requests::FIELD_MASK,
    requests::ETAG,
    tokens::JWT,
    tokens::API_KEY,
    business::MONEY,
    business::PROGRAM,
    business::DATE,
    business::DOMAIN_NAME,
    files::MAPPING,
    files::CSV,
];

/// The reader of this name.
///
/// # Panics
/// When there is none.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target
        .unwrap_or_else(|| panic!("there is no target {name}"))
        .run)(data);
}

/// The input as text; what is no text is passed over.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Time of each reader in a test run.
    const TIME: Duration = Duration::from_secs(2);
    /// Bytes that mean something to readers.
    const MARKS: &[u8] = b"\0 \"'\\()[]{}:,.-_=%&*|>#\n";
    /// Longest input.
    const LONGEST: usize = 4_096;
    /// No input keeps a reader busy for longer, on the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// One of the seeds with some of its bytes exchanged, repeated, cut or mixed with another.
    fn mutated(rng: &mut ChaCha8Rng, seeds: &[&str]) -> Vec<u8> {
        let seed = |rng: &mut ChaCha8Rng| seeds[rng.random_range(0..seeds.len())].as_bytes();
        let mut input = seed(rng).to_vec();
        for _ in 0..rng.random_range(0..8) {
            let at = rng.random_range(0..=input.len());
            let end = rng.random_range(at..=input.len());
            match rng.random_range(0..6) {
                0 => input.truncate(at),
                1 => input.insert(at, rng.random()),
                2 => input.insert(at, MARKS[rng.random_range(0..MARKS.len())]),
                3 => {
                    input.drain(at..end);
                }
                4 => {
                    let part = input[at..end].to_vec();
                    let times = rng.random_range(1..20);
                    input.splice(at..at, part.repeat(times));
                }
                _ => {
                    let other = seed(rng);
                    input.splice(at..end, other.iter().copied());
                }
            }
            input.truncate(LONGEST);
        }
        input
    }

    fn try_for_a_moment(target: &Target) {
        let seed: u64 = rand::random();
        println!("{}: seed {seed}", target.name);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for input in target.seeds {
            (target.run)(input.as_bytes());
        }
        let begin = Instant::now();
        let mut inputs = 0;
        while begin.elapsed() < TIME {
            let input = mutated(&mut rng, target.seeds);
            let since = Instant::now();
            // Printed only where it fails.
            println!("{}", input.escape_ascii());
            (target.run)(&input);
            assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
            inputs += 1;
        }
        assert!(inputs > 10, "only {inputs} inputs in {TIME:?}");
    }

    macro_rules! readers {
        ($($name:ident),+ $(,)?) => {
            $(
                #[test]
                fn $name() {
                    let name = stringify!($name);
                    let target = TARGETS.iter().find(|target| target.name == name);
                    try_for_a_moment(target.unwrap());
                }
            )+

            #[test]
            fn every_target_is_tried_here_and_has_a_program() {
                let here = [$(stringify!($name)),+];
                let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
                assert_eq!(here.as_slice(), all);
                let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz");
                let manifest = std::fs::read_to_string(format!("{folder}/Cargo.toml")).unwrap();
                for name in all {
                    let program = format!("{folder}/fuzz_targets/{name}.rs");
                    let text = std::fs::read_to_string(&program).unwrap();
                    assert!(text.contains(&format!("\"{name}\"")), "{program}");
                    assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
                }
            }
        };
    }

    readers!(
        filter,
        order_by,
        page_token,
        consistency_token,
        field_mask,
        etag,
        jwt,
        api_key,
        money,
        program,
        date,
        domain_name,
        mapping,
        csv,
    );
}

//! What was sent and what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tonic::Status;

use super::Call;

/// What became of a call.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Not answered yet.
    Open,
    /// Carried out; the encoded answer.
    Done(Vec<u8>),
    /// Refused.
    Refused(Status),
    /// Given up after the service itself had said, each time, that nothing happened.
    NotDone,
    /// Given up without knowing.
    Unknown,
}

/// One command under one request id.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The org.
    pub org: String,
    /// The command.
    pub call: Call,
    /// How often it was sent without an answer that says what happened.
    pub unknowns: u32,
    /// How often the service said that it cannot at the moment.
    pub not_done: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was answered for good.
    pub closed: Option<Instant>,
}

/// All commands of a load.
#[derive(Debug, Default)]
pub struct History {
    entries: Mutex<Vec<Entry>>,
    /// How often each status came that was no final answer.
    statuses: Mutex<BTreeMap<String, u64>>,
}

impl History {
    pub(super) fn sent(&self, org: &str, call: &Call) -> usize {
        let mut entries = self.lock();
        entries.push(Entry {
            org: org.to_owned(),
            call: call.clone(),
            unknowns: 0,
            not_done: 0,
            outcome: Outcome::Open,
            closed: None,
        });
        entries.len() - 1
    }

    pub(super) fn again(&self, number: usize, status: &Status, unknown: bool) {
        let entry = &mut self.lock()[number];
        if unknown {
            entry.unknowns += 1;
        } else {
            entry.not_done += 1;
        }
        let reason = tierline_rpc::status::reason_of(status);
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        let key = format!("{:?} ({reason})", status.code());
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        *statuses.entry(key).or_default() += 1;
    }

    pub(super) fn close(&self, number: usize, outcome: Outcome) {
        let entry = &mut self.lock()[number];
        entry.outcome = outcome;
        entry.closed = Some(Instant::now());
    }

    pub(super) fn abandon(&self, number: usize) {
        let unknown = self.lock()[number].unknowns > 0;
        let outcome = if unknown {
            Outcome::Unknown
        } else {
            Outcome::NotDone
        };
        self.close(number, outcome);
    }

    /// All of them, as of now.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// How many were carried out.
    pub fn done(&self) -> usize {
        let entries = self.lock();
        let done = |entry: &&Entry| matches!(entry.outcome, Outcome::Done(_));
        entries.iter().filter(done).count()
    }

    /// How often a status like `Unavailable (UNAVAILABLE)` came that was no final answer.
    pub fn count(&self, status: &str) -> u64 {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses.get(status).copied().unwrap_or_default()
    }

    /// The longest time after `begin` in which no call of these was answered.
    pub fn longest_silence(&self, begin: Instant, of: impl Fn(&Call) -> bool) -> Duration {
        let mut answered: Vec<Instant> = self
            .lock()
            .iter()
            .filter(|entry| matches!(entry.outcome, Outcome::Done(_)) && of(&entry.call))
            .filter_map(|entry| entry.closed)
            .filter(|closed| *closed >= begin)
            .collect();
        answered.sort();
        let mut last = begin;
        let mut longest = Duration::ZERO;
        for at in answered {
            longest = longest.max(at - last);
            last = at;
        }
        longest
    }

    /// In a line: how many of what.
    pub fn summary(&self) -> String {
        let (mut done, mut again, mut not_done, mut unknown, mut refused) = (0, 0, 0, 0, 0);
        for entry in self.lock().iter() {
            match &entry.outcome {
                Outcome::Done(_) if entry.unknowns > 0 => again += 1,
                Outcome::Done(_) => done += 1,
                Outcome::Refused(_) => refused += 1,
                Outcome::NotDone => not_done += 1,
                Outcome::Unknown | Outcome::Open => unknown += 1,
            }
        }
        let mut text = format!(
            "{} commands: {done} answered, {again} resolved by their id after an unknown outcome, \
             {refused} refused, {not_done} given up as not done, {unknown} given up as unknown",
            done + again + not_done + unknown + refused
        );
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        for (status, count) in statuses.iter() {
            let _ = write!(text, "; {count} x {status}");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Bulk calls from the side of the caller: rows go in as batches, every row is answered once.

use tierline_proto::common::v1::{RowOutcome, RowResult, RowResults};
use tonic::{Response, Status, Streaming};

/// Rows in one message; the services take at most 1,000.
const BATCH: usize = 500;
/// Refused rows that are kept to be shown.
const SHOWN: usize = 20;

/// The answer to a bulk call.
pub type Call = Result<Response<Streaming<RowResults>>, Status>;

/// What became of the rows of a bulk call.
#[derive(Debug, Default)]
pub struct Sent {
    /// New things.
    pub created: u64,
    /// Things that differed.
    pub updated: u64,
    /// Things that were just so already.
    pub unchanged: u64,
    /// Refused rows.
    pub rejected: u64,
    /// The first refused rows.
    pub refusals: Vec<RowResult>,
    /// Tokens that together cover every row.
    pub tokens: Vec<String>,
}

impl Sent {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.created + self.updated + self.unchanged + self.rejected
    }

    fn take(&mut self, answer: RowResults) {
        for result in answer.results {
            match result.outcome() {
                RowOutcome::Created => self.created += 1,
                RowOutcome::Updated => self.updated += 1,
                RowOutcome::Unchanged => self.unchanged += 1,
                RowOutcome::Rejected | RowOutcome::Unspecified => {
                    self.rejected += 1;
                    if self.refusals.len() < SHOWN {
                        self.refusals.push(result);
                    }
                }
            }
        }
        if !answer.consistency_token.is_empty() {
            self.tokens.push(answer.consistency_token);
        }
    }
}

/// The messages of a bulk call.
pub fn batches<R: Clone, M>(rows: &[R], message: impl Fn(Vec<R>) -> M) -> Vec<M> {
    rows.chunks(BATCH)
        .map(|rows| message(rows.to_vec()))
        .collect()
}

/// Reads all answers; `done` hears after each how many rows it was about.
pub async fn answers(call: Call, mut done: impl FnMut(u64)) -> Result<Sent, Status> {
    let mut stream = call?.into_inner();
    let mut sent = Sent::default();
    while let Some(answer) = stream.message().await? {
        done(u64::try_from(answer.results.len()).unwrap_or_default());
        sent.take(answer);
    }
    Ok(sent)
}

/// A refused row in one line.
pub fn refusal(row: &RowResult) -> String {
    let Some(error) = &row.error else {
        return format!("{}: refused", row.id);
    };
    let mut text = format!("{}: {} [{}]", row.id, error.message, error.reason);
    for violation in &error.violations {
        text.push_str(&format!(
            "\n  {}: {}",
            violation.field, violation.description
        ));
    }
    text
}

//! Sending the batches of a file and settling their answers in the order of the file.
//!
//! A few batches are in flight at a time. A stream that breaks is opened again and whatever it left
//! unanswered is sent again; how often is bounded.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::bail;
use futures::StreamExt as _;
use jiff::civil::Date;
use tierline_importer::{ImportError, Kind};
use tierline_proto::common::v1::RowResults;
use tierline_proto::program::v1::AdvanceClockRequest;
use tierline_proto::program::v1::advance_clock_request::To;
use tierline_proto::program::v1::org_service_client::OrgServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use super::answers::{Answer, may_repeat};
use super::batches::{Batch, Batches};
use super::ledger::Ledger;
use super::progress::Progress;
use super::wire::{Link, Request, Wire};
use crate::client::{Authorized, refused};

/// Failures one after the other, without an answer between them, after which an import gives up;
/// with the waiting between them that is more than half a minute.
const MAX_FAILURES: u32 = 8;
/// Attempts to have a row taken that the server says may be sent again.
const MAX_ATTEMPTS: u32 = 6;
/// The first wait; it doubles up to [`LONGEST_WAIT`].
pub(super) const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A stream without an answer for so long is taken for broken.
const SILENCE: Duration = Duration::from_secs(120);

/// How sending ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Every record was answered.
    Complete,
    /// Somebody asked to stop; what was sent is answered.
    Interrupted,
}

/// A batch that was sent and not settled yet.
struct InFlight<R> {
    batch: Batch<R>,
    first: u64,
    request_id: String,
    answers: Vec<Option<Answer>>,
    /// Rows that were sent and not answered.
    waiting: Vec<bool>,
    attempts: u32,
}

impl<R> InFlight<R> {
    fn new(batch: Batch<R>) -> Self {
        let count = batch.rows.len();
        let request_id = batch.items().next().map(|item| item.request_id.to_string());
        Self {
            first: batch.first_ordinal().unwrap_or_default(),
            request_id: request_id.unwrap_or_default(),
            answers: vec![None; count],
            waiting: vec![true; count],
            attempts: 1,
            batch,
        }
    }

    fn is_answered(&self) -> bool {
        !self.waiting.contains(&true)
    }

    /// The place of a row of this batch.
    fn place(&self, row: u64) -> Option<usize> {
        usize::try_from(row.checked_sub(self.first)?).ok()
    }

    fn is_waiting_for(&self, row: u64) -> bool {
        let waiting = self.place(row).and_then(|at| self.waiting.get(at));
        waiting.is_some_and(|waiting| *waiting)
    }

    fn take(&mut self, row: u64, answer: Answer) {
        let Some(at) = self.place(row) else { return };
        if let (Some(waiting), Some(slot)) = (self.waiting.get_mut(at), self.answers.get_mut(at)) {
            *waiting = false;
            *slot = Some(answer);
        }
    }

    /// Rows that are answered and may be sent again.
    fn retryable(&self) -> impl Iterator<Item = (usize, &Answer)> {
        let answers = self.answers.iter().enumerate();
        answers.filter_map(|(at, answer)| Some((at, answer.as_ref().filter(|a| a.again)?)))
    }
}

/// Sends the records of one file.
pub(super) struct Sender<'a, W: Wire, C: Clock> {
    pub(super) wire: W,
    pub(super) kind: Kind,
    pub(super) clock: C,
    /// The wait after a first failure.
    pub(super) first_wait: Duration,
    pub(super) ledger: &'a mut Ledger,
    pub(super) progress: Progress,
    /// Records in the file.
    pub(super) total: u64,
    /// Cancelled when nothing more is to be sent.
    pub(super) stop: &'a CancellationToken,
}

/// A sender at work.
struct Work<'a, W: Wire, C: Clock> {
    sender: Sender<'a, W, C>,
    link: Option<Link<W::Row>>,
    queue: VecDeque<InFlight<W::Row>>,
    failures: u32,
    stopping: bool,
    /// Stopped while the server was away: what is in flight will not be answered.
    abandoned: bool,
}

impl<W: Wire, C: Clock> Sender<'_, W, C> {
    /// Sends everything.
    ///
    /// # Errors
    /// The server refuses the call or stays away, the file changed, or the results cannot be
    /// written. What was settled until then stands in the ledger.
    pub(super) async fn run(self, batches: Batches<W::Row>) -> anyhow::Result<Ended> {
        let mut work = Work {
            sender: self,
            link: None,
            queue: VecDeque::new(),
            failures: 0,
            stopping: false,
            abandoned: false,
        };
        work.run(batches).await
    }
}

impl<W: Wire, C: Clock> Work<'_, W, C> {
    async fn run(&mut self, mut batches: Batches<W::Row>) -> anyhow::Result<Ended> {
        let stop = self.sender.stop;
        let mut held: Option<Batch<W::Row>> = None;
        let mut ended: Option<Option<ImportError>> = None;
        loop {
            self.settle().await?;
            if self.abandoned {
                return Ok(Ended::Interrupted);
            }
            if self.queue.is_empty() {
                match &mut ended {
                    Some(None) => return Ok(Ended::Complete),
                    Some(error) => return Err(error.take().map_or_else(unsaid, Into::into)),
                    None if self.stopping => return Ok(Ended::Interrupted),
                    None => {}
                }
                if let Some(mut batch) = held.take() {
                    if let Some(day) = batch.advance_to.take() {
                        self.sender.clock.advance_to(day).await?;
                    }
                    self.begin(batch).await?;
                    continue;
                }
            }
            let open = ended.is_none() && held.is_none() && !self.stopping;
            let room = open && self.queue.len() < W::IN_FLIGHT;
            // A wish to stop comes first, whatever else there is to do.
            tokio::select! {
                biased;
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    held = None;
                    if !self.queue.is_empty() {
                        self.sender.progress.say("stopping: waiting for the batches in hand");
                    }
                }
                answer = next(&mut self.link), if !self.queue.is_empty() => {
                    self.take(answer).await?;
                }
                batch = batches.recv(), if room => match batch {
                    None => ended = Some(None),
                    Some(Err(error)) => ended = Some(Some(error)),
                    Some(Ok(batch)) if batch.advance_to.is_some() => held = Some(batch),
                    Some(Ok(batch)) => self.begin(batch).await?,
                },
            }
        }
    }

    async fn begin(&mut self, batch: Batch<W::Row>) -> anyhow::Result<()> {
        let nothing_to_send = batch.rows.is_empty();
        self.queue.push_back(InFlight::new(batch));
        if nothing_to_send {
            return Ok(());
        }
        if self.link.is_none() {
            return self.open().await;
        }
        let last = self.queue.len() - 1;
        self.transmit(last).await;
        Ok(())
    }

    /// Sends the rows of a batch that wait for an answer.
    async fn transmit(&self, at: usize) {
        let (Some(link), Some(one)) = (&self.link, self.queue.get(at)) else {
            return;
        };
        let rows = one.batch.rows.iter().zip(&one.waiting);
        let rows: Vec<W::Row> = rows
            .filter(|(_, waiting)| **waiting)
            .map(|(row, _)| row.clone())
            .collect();
        if rows.is_empty() {
            return;
        }
        let id = one.request_id.clone();
        // A stream that takes nothing more says why among its answers.
        link.requests.send(Request { id, rows }).await.ok();
    }

    /// Opens the stream and sends whatever waits for an answer.
    async fn open(&mut self) -> anyhow::Result<()> {
        loop {
            match self.sender.wire.open().await {
                Ok(link) => {
                    self.link = Some(link);
                    for at in 0..self.queue.len() {
                        self.transmit(at).await;
                    }
                    return Ok(());
                }
                Err(status) => self.failed(status).await?,
            }
            if self.abandoned {
                return Ok(());
            }
        }
    }

    /// Waits after a failure that may pass.
    async fn failed(&mut self, status: Status) -> anyhow::Result<()> {
        self.link = None;
        if !may_repeat(&status) {
            return Err(refused(status));
        }
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            return Err(refused(status).context(format!(
                "the server did not answer in {MAX_FAILURES} attempts"
            )));
        }
        let wait = wait_after(self.sender.first_wait, self.failures);
        self.sender.progress.say(&format!(
            "the connection failed ({}); attempt {} of {MAX_FAILURES} in {:.1} s",
            first_line(status.message()),
            self.failures,
            wait.as_secs_f32()
        ));
        self.pause(wait).await;
        Ok(())
    }

    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            () = self.sender.stop.cancelled() => self.abandoned = true,
            () = tokio::time::sleep(wait) => {}
        }
    }

    async fn take(&mut self, answer: Heard) -> anyhow::Result<()> {
        let broken = match answer {
            Heard::Answer(results) => {
                self.note(&results);
                return self.repeat_rows().await;
            }
            Heard::Failure(status) => status,
            Heard::End => Status::unavailable("the server ended the stream"),
            Heard::Silence => Status::unavailable("the server is silent"),
        };
        self.failed(broken).await?;
        if self.abandoned {
            return Ok(());
        }
        self.open().await
    }

    fn note(&mut self, results: &RowResults) {
        for result in &results.results {
            let mut queue = self.queue.iter_mut();
            // Only an answer to a row that waits for one shows that things go on.
            if let Some(one) = queue.find(|one| one.is_waiting_for(result.row)) {
                one.take(result.row, Answer::of(self.sender.kind, result));
                self.failures = 0;
            }
        }
    }

    /// Sends rows again that the server could not take at that moment.
    async fn repeat_rows(&mut self) -> anyhow::Result<()> {
        for at in 0..self.queue.len() {
            let one = &mut self.queue[at];
            if !one.is_answered() {
                continue;
            }
            let Some((_, example)) = one.retryable().next() else {
                continue;
            };
            let text = example.text().to_owned();
            if one.attempts >= MAX_ATTEMPTS {
                if let Some((_, outage)) = one.retryable().find(|(_, answer)| answer.is_outage()) {
                    bail!(
                        "the server could not take rows in {MAX_ATTEMPTS} attempts: {}",
                        outage.text()
                    );
                }
                // Refusals for other reasons stand as they are.
                for answer in one.answers.iter_mut().flatten() {
                    answer.again = false;
                }
                continue;
            }
            let again: Vec<usize> = one.retryable().map(|(at, _)| at).collect();
            for at in &again {
                one.waiting[*at] = true;
            }
            let wait = wait_after(self.sender.first_wait, one.attempts);
            one.attempts += 1;
            self.sender.progress.say(&format!(
                "{} rows were not taken ({}); again in {:.1} s",
                again.len(),
                first_line(&text),
                wait.as_secs_f32()
            ));
            self.pause(wait).await;
            if self.abandoned {
                return Ok(());
            }
            self.transmit(at).await;
        }
        Ok(())
    }

    /// Settles the batches at the front that are answered.
    async fn settle(&mut self) -> anyhow::Result<()> {
        while self.queue.front().is_some_and(InFlight::is_answered) {
            let Some(done) = self.queue.pop_front() else {
                break;
            };
            let answers: Vec<Answer> = done.answers.into_iter().flatten().collect();
            self.sender.ledger.settle(&done.batch.entries, &answers)?;
            let settled = self.sender.ledger.done();
            self.sender
                .progress
                .show(settled, self.sender.total, settled);
            // Writing results does not wait; others shall have their turn all the same.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// The clock of a sandbox org.
pub(super) trait Clock {
    /// Moves it to the beginning of a day.
    async fn advance_to(&mut self, day: Date) -> anyhow::Result<()>;
}

impl Clock for OrgServiceClient<Authorized> {
    async fn advance_to(&mut self, day: Date) -> anyhow::Result<()> {
        let request = AdvanceClockRequest {
            to: Some(To::ToDate(day.to_string())),
            etag: String::new(),
            request_id: Uuid::new_v4().to_string(),
            validate_only: false,
        };
        let mut failures = 0;
        loop {
            match self.advance_clock(request.clone()).await {
                Ok(_) => return Ok(()),
                Err(status) if may_repeat(&status) && failures < MAX_FAILURES => {
                    failures += 1;
                    tokio::time::sleep(wait_after(FIRST_WAIT, failures)).await;
                }
                Err(status) => {
                    let problem = format!("the clock of the org could not be moved to {day}");
                    return Err(refused(status).context(problem));
                }
            }
        }
    }
}

/// What came from the stream.
enum Heard {
    Answer(RowResults),
    Failure(Status),
    End,
    Silence,
}

async fn next<R>(link: &mut Option<Link<R>>) -> Heard {
    let Some(link) = link else {
        return Heard::End;
    };
    match tokio::time::timeout(SILENCE, link.answers.next()).await {
        Ok(Some(Ok(results))) => Heard::Answer(results),
        Ok(Some(Err(status))) => Heard::Failure(status),
        Ok(None) => Heard::End,
        Err(_) => Heard::Silence,
    }
}

fn wait_after(first: Duration, failures: u32) -> Duration {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LONGEST_WAIT)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("no reason given")
}

fn unsaid() -> anyhow::Error {
    anyhow::anyhow!("reading the file failed")
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;

//! The runner: load, decide, append, retry a lost race, answer from the folded state.

mod bulk;
mod context;
pub(crate) mod fold;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tierline_domain::{Entity, Kind, OrgId, Rejection, Routing, StreamId};
use tierline_telemetry::metrics::{self, CommandOutcome};
use tierline_telemetry::trace;
use tokio::time::{Instant, timeout_at};

pub use bulk::{BulkItem, RequestKey};
pub use context::{CommandContext, ConsistencyPoint};

use crate::append::{AppendFailure, AppendItem, NewReceipt, StoredReceipt};
use crate::store::EventStore;
use crate::{CommandError, keys, lineage};

/// How long to look for the receipt of a command whose commit was not answered.
const RECEIPT_PATIENCE: Duration = Duration::from_millis(1_500);
/// Pause between two looks.
const RECEIPT_PAUSE: Duration = Duration::from_millis(250);

/// What a command led to, as the folded state tells it.
#[derive(Debug, Clone)]
pub struct Outcome<A: Entity> {
    /// The stream.
    pub stream: StreamId,
    /// The state after the command.
    pub state: Arc<A>,
    /// The version after the command, which is the etag. 0: the aggregate does not exist.
    pub version: u64,
    /// The events that the command wrote; none when there was nothing to change.
    pub events: Vec<A::Event>,
    /// The last event of the stream; `None` when the stream has none.
    pub last_event: Option<ConsistencyPoint>,
}

/// A command that was carried out, now or at an earlier time under the same request id.
#[derive(Debug, Clone)]
pub struct Committed<A: Entity> {
    /// What `respond` made of the outcome, or what was answered the first time.
    pub response: Vec<u8>,
    /// The outcome; `None` when the answer comes from a receipt.
    pub outcome: Option<Outcome<A>>,
}

impl<A: Entity> Committed<A> {
    /// True when the request had been carried out before.
    pub fn is_replay(&self) -> bool {
        self.outcome.is_none()
    }
}

/// Runs commands.
#[derive(Clone)]
pub struct Runner {
    store: EventStore,
}

/// The end of one attempt.
enum Attempt<A: Entity> {
    Done(Committed<A>),
    Lost,
}

impl Runner {
    /// A runner on a store.
    pub fn new(store: EventStore) -> Self {
        Self { store }
    }

    /// The store.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// Loads the aggregate, lets it decide, and appends what it decided.
    ///
    /// `respond` makes the answer out of the outcome before it is committed; with a request id
    /// the answer is stored beside the events and given again to a repeated request.
    ///
    /// # Errors
    /// See [`CommandError`]. A lost race is retried a few times, unless the caller named an
    /// expected version.
    pub async fn execute<A, R>(
        &self,
        context: &CommandContext,
        stream: &StreamId,
        command: A::Command,
        respond: R,
    ) -> Result<Committed<A>, CommandError>
    where
        A: Entity,
        A::Command: Clone,
        R: Fn(&Outcome<A>) -> Vec<u8> + Send + Sync,
    {
        let started = Instant::now();
        let span = trace::command(A::TYPE, context.org.as_str());
        let done = span
            .run(self.carry_out(context, stream, command, respond))
            .await;
        span.ended(ending(&done));
        metrics::command_finished(A::TYPE, ending(&done), started.elapsed());
        done
    }

    async fn carry_out<A, R>(
        &self,
        context: &CommandContext,
        stream: &StreamId,
        command: A::Command,
        respond: R,
    ) -> Result<Committed<A>, CommandError>
    where
        A: Entity,
        A::Command: Clone,
        R: Fn(&Outcome<A>) -> Vec<u8> + Send + Sync,
    {
        let options = &self.store.inner.options;
        let limit = Instant::now() + options.load_timeout + options.commit_timeout;
        let deadline = context
            .deadline
            .map_or(limit, |deadline| deadline.min(limit));
        check_org(context, stream)?;
        let _turn = timeout_at(deadline, self.store.inner.turns.wait(A::TYPE, stream))
            .await
            .map_err(|_| CommandError::Unavailable(None))?;
        for _ in 0..options.attempts.max(1) {
            let command = command.clone();
            match self
                .attempt(context, stream, command, &respond, deadline)
                .await?
            {
                Attempt::Done(committed) => return Ok(committed),
                Attempt::Lost if context.expected_version.is_some() => break,
                Attempt::Lost => {}
            }
        }
        self.refuse(context, conflict::<A>(stream), deadline).await
    }

    async fn attempt<A, R>(
        &self,
        context: &CommandContext,
        stream: &StreamId,
        command: A::Command,
        respond: &R,
        deadline: Instant,
    ) -> Result<Attempt<A>, CommandError>
    where
        A: Entity,
        R: Fn(&Outcome<A>) -> Vec<u8> + Send + Sync,
    {
        let inner = &self.store.inner;
        let generation = lineage::generation();
        let baseline = inner.baselines.take::<A>(stream);
        let mut folded = self
            .store
            .fold_from::<A>(stream, baseline, deadline)
            .await?;
        if generation != lineage::generation() {
            // The baseline may be of a database that was lost meanwhile.
            return Err(CommandError::Unavailable(None));
        }
        if folded.unknown {
            return Err(fold::unknown_event::<A>(stream).into());
        }
        let version = folded.version;
        if context
            .expected_version
            .is_some_and(|expected| expected != version)
        {
            let state = Arc::new(folded.state);
            inner.baselines.put(stream, version, state, generation);
            let refused = self.refuse(context, conflict::<A>(stream), deadline).await;
            return refused.map(Attempt::Done);
        }
        let routing_before = folded.state.routing();
        let decision = match fold::decide(&mut folded.state, command).await {
            Ok(decision) => decision,
            Err((rejection, clean)) => {
                if clean.0 {
                    let state = Arc::new(folded.state);
                    inner.baselines.put(stream, version, state, generation);
                }
                let refused = self.refuse(context, rejection, deadline).await;
                return refused.map(Attempt::Done);
            }
        };
        let span = trace::append(A::TYPE);
        let origin = Origin {
            org: &context.org,
            metadata: context.metadata_in(&span),
        };
        let before = (version, routing_before);
        let Prepared { outcome, item } = prepare(&origin, stream, before, folded.state, decision)?;
        let item = AppendItem { generation, ..item };
        let response = respond(&outcome);
        let item = match &context.request_id {
            Some(id) => item.with_receipt(NewReceipt {
                request_id: id.clone(),
                request_hash: context.request_hash,
                response: response.clone(),
            }),
            None => item,
        };
        let appended = if item.is_empty() {
            Ok(())
        } else {
            span.run(inner.appender.append(item, deadline)).await
        };
        match appended {
            Ok(()) => {
                inner.baselines.put(
                    stream,
                    outcome.version,
                    Arc::clone(&outcome.state),
                    generation,
                );
                Ok(Attempt::Done(Committed {
                    response,
                    outcome: Some(outcome),
                }))
            }
            Err(AppendFailure::LostRace) => Ok(Attempt::Lost),
            Err(failure) => self
                .explain(context, failure, deadline)
                .await
                .map(Attempt::Done),
        }
    }

    /// What the caller is told about an append that failed and is not tried again.
    async fn explain<A: Entity>(
        &self,
        context: &CommandContext,
        failure: AppendFailure,
        deadline: Instant,
    ) -> Result<Committed<A>, CommandError> {
        match failure {
            AppendFailure::DuplicateRequest(receipt) => replay(receipt, &context.request_hash),
            AppendFailure::ClaimTaken(claim) => self.refuse(context, claim.taken(), deadline).await,
            AppendFailure::LostRace => {
                Err(Rejection::new(Kind::Conflict, "CONCURRENT_CHANGE", CHANGED).into())
            }
            AppendFailure::Unavailable(error) => Err(CommandError::Unavailable(error)),
            AppendFailure::Refused(error) => Err(CommandError::Internal(Box::new(error))),
            AppendFailure::Unknown => self.ask_receipt(context).await,
        }
    }

    /// A refusal, unless the request was carried out before: the state that refuses now may be
    /// the one that the request itself led to.
    async fn refuse<A: Entity>(
        &self,
        context: &CommandContext,
        rejection: Rejection,
        deadline: Instant,
    ) -> Result<Committed<A>, CommandError> {
        let Some(id) = context.request_id.clone() else {
            return Err(rejection.into());
        };
        let asked = timeout_at(deadline, self.store.receipts(&context.org, &[id])).await;
        match asked.map_err(|_| CommandError::Unavailable(None))? {
            Ok(found) => match found.into_values().next() {
                Some(receipt) => replay(receipt, &context.request_hash),
                None => Err(rejection.into()),
            },
            Err(error) => Err(CommandError::Unavailable(Some(error))),
        }
    }

    async fn ask_receipt<A: Entity>(
        &self,
        context: &CommandContext,
    ) -> Result<Committed<A>, CommandError> {
        let Some(id) = context.request_id.clone() else {
            return Err(CommandError::UnknownOutcome { request_id: None });
        };
        let found = self
            .ask_receipts(&context.org, std::slice::from_ref(&id))
            .await;
        match found.into_values().next() {
            Some(receipt) => replay(receipt, &context.request_hash),
            None => Err(CommandError::UnknownOutcome {
                request_id: Some(id),
            }),
        }
    }

    /// Looks for the receipts of commands that were sent and not answered. The server may still
    /// be at work on them, so that finding nothing proves nothing.
    async fn ask_receipts(&self, org: &OrgId, ids: &[String]) -> HashMap<String, StoredReceipt> {
        let until = Instant::now() + RECEIPT_PATIENCE;
        let mut found = HashMap::new();
        while !ids.is_empty() {
            match timeout_at(until, self.store.receipts(org, ids)).await {
                Ok(Ok(receipts)) => found = receipts,
                Ok(Err(error)) => tracing::warn!(%error, "receipts cannot be read: {error}"),
                Err(_) => break,
            }
            if found.len() == ids.len() || Instant::now() + RECEIPT_PAUSE >= until {
                break;
            }
            tokio::time::sleep(RECEIPT_PAUSE).await;
        }
        let open = ids.len() - found.len();
        if open > 0 {
            tracing::warn!(
                org = org.as_str(),
                open,
                "the outcome of {open} commands is unknown"
            );
        }
        found
    }
}

fn ending<A: Entity>(done: &Result<Committed<A>, CommandError>) -> CommandOutcome {
    match done {
        Ok(committed) if committed.is_replay() => CommandOutcome::Repeated,
        Ok(_) => CommandOutcome::Done,
        Err(CommandError::Rejected(rejection)) if rejection.kind == Kind::Conflict => {
            CommandOutcome::LostRace
        }
        Err(CommandError::Rejected(_)) => CommandOutcome::Rejected,
        Err(CommandError::UnknownOutcome { .. }) => CommandOutcome::Unknown,
        Err(_) => CommandOutcome::Failed,
    }
}

const CHANGED: &str = "somebody else changed it at the same time; reload and try again";

fn conflict<A: Entity>(stream: &StreamId) -> Rejection {
    Rejection::new(
        Kind::Conflict,
        "CONCURRENT_CHANGE",
        format!(
            "{} {} was changed meanwhile: {CHANGED}",
            A::TYPE,
            stream.id()
        ),
    )
}

fn check_org(context: &CommandContext, stream: &StreamId) -> Result<(), CommandError> {
    if stream.org() == context.org.as_str() {
        return Ok(());
    }
    // Another org's things do not exist for this caller.
    Err(Rejection::not_found("resource", stream.id()).into())
}

/// The stored answer, if it belongs to the same request.
fn replay<A: Entity>(
    receipt: StoredReceipt,
    request_hash: &[u8; 32],
) -> Result<Committed<A>, CommandError> {
    if receipt.request_hash == request_hash {
        return Ok(Committed {
            response: receipt.response,
            outcome: None,
        });
    }
    let mut rejection = Rejection::invalid(
        "request_id",
        "was used before for a request with other content; a new request needs a new id",
    );
    rejection.reason = "REQUEST_ID_REUSED".to_owned();
    Err(rejection.into())
}

/// A decided command, ready to be written.
struct Prepared<A: Entity> {
    outcome: Outcome<A>,
    item: AppendItem,
}

/// Where events come from.
struct Origin<'a> {
    org: &'a OrgId,
    metadata: Arc<str>,
}

/// `before`: version and routing of the stream before the command.
fn prepare<A: Entity>(
    origin: &Origin<'_>,
    stream: &StreamId,
    before: (u64, Option<Routing>),
    state: A,
    decision: fold::Decision<A>,
) -> Result<Prepared<A>, CommandError> {
    let (version, routing_before) = before;
    let routing = match (
        state.routing().or(routing_before),
        decision.events.is_empty(),
    ) {
        (Some(routing), _) => routing,
        // Nothing is written, so that it goes nowhere.
        (None, true) => Routing::EveryPartition,
        (None, false) => {
            let text = format!("{} {stream} has events and no routing", A::TYPE);
            return Err(CommandError::Internal(text.into()));
        }
    };
    let fold::Decision {
        events,
        taken,
        released,
    } = decision;
    let (org, metadata) = (origin.org.clone(), &origin.metadata);
    let item = AppendItem::of::<A>(stream.clone(), org, &routing, version, &events, metadata)
        .map_err(|error| CommandError::Internal(Box::new(error)))?
        .with_claims(taken, released);
    let outcome = Outcome {
        stream: stream.clone(),
        last_event: point(&item),
        version: item.version(),
        state: Arc::new(state),
        events,
    };
    Ok(Prepared { outcome, item })
}

fn point(item: &AppendItem) -> Option<ConsistencyPoint> {
    let event_id = match item.rows.last() {
        Some(row) => row.event_id,
        None => {
            let sequence = i64::try_from(item.version())
                .ok()
                .filter(|sequence| *sequence > 0)?;
            keys::event_id(item.aggregate_type, item.stream.as_str(), sequence)
        }
    };
    Some(ConsistencyPoint {
        org: item.org.clone(),
        event_id,
        partition: u8::try_from(item.partition).ok(),
    })
}

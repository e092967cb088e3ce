//! Many commands at once: one load, one append, a result for each command.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt;
use tierline_domain::{Entity, Rejection, StreamId};
use tierline_telemetry::metrics;
use tierline_telemetry::trace::{self, Span};
use tokio::time::Instant;

use super::{
    CommandContext, Committed, Origin, Outcome, Prepared, Runner, check_org, conflict, ending,
    fold, prepare, replay,
};
use crate::append::{AppendFailure, AppendItem, NewReceipt};
use crate::codec::RawEvent;
use crate::lineage;
use crate::load::{Tail, read_tails};
use crate::pool::bounded;
use crate::{CommandError, DbError};

/// Streams loaded and appended together; a larger bulk is cut into pieces of this size.
const PIECE: usize = 2_000;
/// Commands of a bulk that run one by one at the same time, after their batch failed them.
const SINGLE_RUNS: usize = 16;

/// A request id and the SHA-256 of the request's content.
#[derive(Debug, Clone)]
pub struct RequestKey {
    /// The caller's id of the request.
    pub id: String,
    /// What it stands for.
    pub hash: [u8; 32],
}

/// One command of a bulk.
pub struct BulkItem<A: Entity> {
    /// The stream.
    pub stream: StreamId,
    /// The command.
    pub command: A::Command,
    /// Its own request id, if it has one. That of the context is not used in a bulk.
    pub request: Option<RequestKey>,
    /// The version the caller has seen, if any. That of the context is not used in a bulk.
    pub expected_version: Option<u64>,
}

impl<A: Entity> BulkItem<A> {
    /// A command without request id and expected version.
    pub fn new(stream: StreamId, command: A::Command) -> Self {
        Self {
            stream,
            command,
            request: None,
            expected_version: None,
        }
    }
}

type Answer<A> = Result<Committed<A>, CommandError>;

/// The commands of one stream within a bulk, in their order.
struct Group<A: Entity> {
    stream: StreamId,
    members: Vec<usize>,
    /// The answers, should the append succeed.
    ready: Vec<(usize, Committed<A>)>,
    append: Option<AppendItem>,
    /// The cached baseline was taken out and has to be put back, under this life of the database.
    cached: Option<u64>,
}

/// What the bulk is for, and the answers so far.
struct Bulk<'a, A: Entity, R> {
    runner: &'a Runner,
    context: &'a CommandContext,
    /// In which everything is appended.
    span: Span,
    /// The metadata of commands without a request id of their own.
    metadata: Arc<str>,
    items: &'a [BulkItem<A>],
    respond: R,
    answers: Vec<Option<Answer<A>>>,
    /// Commands that have to run by themselves, by stream.
    alone: Vec<Vec<usize>>,
    refused: Vec<(usize, Rejection)>,
    unknown: Vec<usize>,
}

impl Runner {
    /// Runs many commands of one kind of aggregate: loads all their streams in one statement,
    /// lets each decide, and appends everything in one statement. Commands on the same stream
    /// follow on each other in their order. Answers come in the order of the items; what fails
    /// one command does not fail another.
    ///
    /// `respond` gets the index of the item beside its outcome.
    pub async fn execute_many<A, R>(
        &self,
        context: &CommandContext,
        items: Vec<BulkItem<A>>,
        respond: R,
    ) -> Vec<Result<Committed<A>, CommandError>>
    where
        A: Entity,
        A::Command: Clone + Sync,
        R: Fn(usize, &Outcome<A>) -> Vec<u8> + Send + Sync,
    {
        let span = trace::bulk(A::TYPE, context.org.as_str(), items.len());
        span.run(self.many(context, items, respond, span.clone()))
            .await
    }

    async fn many<A, R>(
        &self,
        context: &CommandContext,
        items: Vec<BulkItem<A>>,
        respond: R,
        span: Span,
    ) -> Vec<Result<Committed<A>, CommandError>>
    where
        A: Entity,
        A::Command: Clone + Sync,
        R: Fn(usize, &Outcome<A>) -> Vec<u8> + Send + Sync,
    {
        let started = Instant::now();
        let mut without_request = context.clone();
        without_request.request_id = None;
        let mut bulk = Bulk {
            runner: self,
            context,
            metadata: without_request.metadata_in(&span),
            span,
            answers: items.iter().map(|_| None).collect(),
            items: &items,
            respond,
            alone: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
        };
        let mut groups = bulk.groups();
        while !groups.is_empty() {
            let rest = groups.split_off(groups.len().min(PIECE));
            bulk.piece(groups).await;
            groups = rest;
        }
        bulk.settle_refused().await;
        bulk.settle_unknown().await;
        for answer in bulk.answers.iter().flatten() {
            metrics::command_finished(A::TYPE, ending(answer), started.elapsed());
        }
        bulk.run_alone().await;
        let missing = || Err(CommandError::Internal("a command was left out".into()));
        bulk.answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(missing))
            .collect()
    }
}

impl<A, R> Bulk<'_, A, R>
where
    A: Entity,
    A::Command: Clone + Sync,
    R: Fn(usize, &Outcome<A>) -> Vec<u8> + Send + Sync,
{
    fn groups(&mut self) -> Vec<Group<A>> {
        let mut groups: Vec<Group<A>> = Vec::new();
        let mut by_stream: HashMap<&StreamId, usize> = HashMap::with_capacity(self.items.len());
        for (index, item) in self.items.iter().enumerate() {
            if let Err(error) = check_org(self.context, &item.stream) {
                self.answers[index] = Some(Err(error));
                continue;
            }
            let group = *by_stream.entry(&item.stream).or_insert_with(|| {
                groups.push(Group {
                    stream: item.stream.clone(),
                    members: Vec::new(),
                    ready: Vec::new(),
                    append: None,
                    cached: None,
                });
                groups.len() - 1
            });
            groups[group].members.push(index);
        }
        groups
    }

    async fn piece(&mut self, mut groups: Vec<Group<A>>) {
        let generation = lineage::generation();
        let baselines: Vec<Option<(u64, Arc<A>)>> = groups
            .iter()
            .map(|group| self.runner.store.inner.baselines.take::<A>(&group.stream))
            .collect();
        let loaded = match self.load(&groups, &baselines).await {
            // The baselines may be of a database that was lost meanwhile.
            Ok(_) if generation != lineage::generation() => Err(DbError::Deadline),
            loaded => loaded,
        };
        let tails = match loaded {
            Ok(tails) => tails,
            Err(error) => {
                let error = Arc::new(error);
                for index in groups.iter().flat_map(|group| &group.members) {
                    let shared = DbError::Shared(Arc::clone(&error));
                    self.answers[*index] = Some(Err(CommandError::Unavailable(Some(shared))));
                }
                return;
            }
        };
        for ((group, baseline), events) in groups.iter_mut().zip(baselines).zip(tails) {
            group.cached = baseline.as_ref().map(|_| generation);
            let codec = &self.runner.store.inner.codec;
            match fold::fold(codec, &group.stream, baseline, &events) {
                Ok(folded) if !folded.unknown => self.decide(group, folded).await,
                Ok(_) => self.fail(group, fold::unknown_event::<A>(&group.stream)),
                Err(rejection) => self.fail(group, rejection),
            }
        }
        self.append(groups).await;
    }

    async fn load(
        &self,
        groups: &[Group<A>],
        baselines: &[Option<(u64, Arc<A>)>],
    ) -> Result<Vec<Vec<RawEvent>>, DbError> {
        let tails: Vec<Tail> = groups
            .iter()
            .zip(baselines)
            .map(|(group, baseline)| Tail {
                aggregate_type: A::TYPE,
                stream: group.stream.clone(),
                after: baseline.as_ref().map_or(0, |(version, _)| *version),
            })
            .collect();
        let inner = &self.runner.store.inner;
        let deadline = Instant::now() + inner.options.load_timeout;
        bounded(&inner.pool, deadline, move |connection| {
            Box::pin(async move {
                let tails: Vec<&Tail> = tails.iter().collect();
                read_tails(connection, &tails).await
            })
        })
        .await
    }

    fn fail(&mut self, group: &Group<A>, rejection: Rejection) {
        for index in &group.members {
            self.answers[*index] = Some(Err(rejection.clone().into()));
        }
    }

    /// Lets the commands of one stream decide, each on the state that the one before led to.
    async fn decide(&mut self, group: &mut Group<A>, folded: fold::Folded<A>) {
        let mut version = folded.version;
        let mut state = Arc::new(folded.state);
        let claims_before = state.claims();
        let mut claims = claims_before.clone();
        let members = group.members.clone();
        for (place, index) in members.iter().copied().enumerate() {
            let item = &self.items[index];
            if item
                .expected_version
                .is_some_and(|expected| expected != version)
            {
                self.refused.push((index, conflict::<A>(&group.stream)));
                continue;
            }
            let routing = state.routing();
            let mut next = if place + 1 == members.len() {
                // Nobody needs the state before the last command.
                Arc::unwrap_or_clone(std::mem::take(&mut state))
            } else {
                A::clone(&state)
            };
            let decision = match fold::decide(&mut next, item.command.clone()).await {
                Ok(decision) => decision,
                Err((rejection, _)) => {
                    self.refused.push((index, rejection));
                    continue;
                }
            };
            let origin = self.origin(item);
            match prepare(&origin, &group.stream, (version, routing), next, decision) {
                Ok(Prepared { outcome, item }) => {
                    state = Arc::clone(&outcome.state);
                    claims = state.claims();
                    version = outcome.version;
                    self.take(group, index, outcome, item);
                }
                Err(error) => self.answers[index] = Some(Err(error)),
            }
        }
        if let Some(append) = group.append.take() {
            let (taken, released) = fold::difference(claims_before, claims);
            group.append = Some(append.with_claims(taken, released));
        }
    }

    fn origin(&self, item: &BulkItem<A>) -> Origin<'_> {
        let metadata = match item.request {
            Some(_) => self.context_of(item).metadata_in(&self.span),
            None => Arc::clone(&self.metadata),
        };
        Origin {
            org: &self.context.org,
            metadata,
        }
    }

    fn context_of(&self, item: &BulkItem<A>) -> CommandContext {
        let mut context = self.context.clone();
        context.request_id = item.request.as_ref().map(|request| request.id.clone());
        context.request_hash = item
            .request
            .as_ref()
            .map_or([0; 32], |request| request.hash);
        context.expected_version = item.expected_version;
        context
    }

    fn take(
        &mut self,
        group: &mut Group<A>,
        index: usize,
        outcome: Outcome<A>,
        mut item: AppendItem,
    ) {
        let response = (self.respond)(index, &outcome);
        if let Some(request) = &self.items[index].request {
            item = item.with_receipt(NewReceipt {
                request_id: request.id.clone(),
                request_hash: request.hash,
                response: response.clone(),
            });
        }
        let outcome = Some(outcome);
        group.ready.push((index, Committed { response, outcome }));
        group.append = match group.append.take() {
            Some(before) => Some(before.join(item)),
            None => Some(item),
        };
    }

    async fn append(&mut self, groups: Vec<Group<A>>) {
        let inner = &self.runner.store.inner;
        let deadline = Instant::now() + inner.options.commit_timeout;
        let items: Vec<&AppendItem> = groups
            .iter()
            .filter_map(|g| g.append.as_ref())
            .filter(|i| !i.is_empty())
            .collect();
        let outcomes = match items.is_empty() {
            true => Vec::new(),
            false => inner.appender.append_many(&items, deadline).await,
        };
        let mut outcomes = outcomes.into_iter();
        for group in groups {
            let sent = group.append.as_ref().is_some_and(|item| !item.is_empty());
            let outcome = if sent { outcomes.next() } else { None };
            self.conclude(group, outcome.unwrap_or(Ok(())));
        }
    }

    fn conclude(&mut self, group: Group<A>, outcome: Result<(), AppendFailure>) {
        let members = || group.ready.iter().map(|(index, _)| *index);
        match outcome {
            Ok(()) => {
                let last = group.ready.last().and_then(|(_, c)| c.outcome.as_ref());
                if let Some((last, generation)) = last.zip(group.cached) {
                    let state = Arc::clone(&last.state);
                    self.runner.store.inner.baselines.put(
                        &group.stream,
                        last.version,
                        state,
                        generation,
                    );
                }
                for (index, committed) in group.ready {
                    self.answers[index] = Some(Ok(committed));
                }
            }
            Err(AppendFailure::Unavailable(error)) => {
                let error = error.map(Arc::new);
                for index in members() {
                    let shared = error
                        .as_ref()
                        .map(|error| DbError::Shared(Arc::clone(error)));
                    self.answers[index] = Some(Err(CommandError::Unavailable(shared)));
                }
            }
            Err(AppendFailure::Unknown) => {
                self.unknown.extend(members());
            }
            // One of them is to blame, or the stream moved on: each decides for itself.
            Err(_) => self.alone.push(members().collect()),
        }
    }

    /// Refused commands with a request id: the refusing state may be what this very request led
    /// to at an earlier time.
    async fn settle_refused(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        let ids = self.requests(refused.iter().map(|(index, _)| *index));
        let found = match ids.is_empty() {
            true => Ok(HashMap::new()),
            false => self.runner.store.receipts(&self.context.org, &ids).await,
        };
        let found = found.map_err(Arc::new);
        for (index, rejection) in refused {
            let request = self.items[index].request.as_ref();
            let answer = match (request, &found) {
                (None, _) => Err(rejection.into()),
                (Some(request), Ok(found)) => match found.get(&request.id) {
                    Some(receipt) => replay(receipt.clone(), &request.hash),
                    None => Err(rejection.into()),
                },
                (Some(_), Err(error)) => {
                    let shared = DbError::Shared(Arc::clone(error));
                    Err(CommandError::Unavailable(Some(shared)))
                }
            };
            self.answers[index] = Some(answer);
        }
    }

    /// Commands that were sent and not answered.
    async fn settle_unknown(&mut self) {
        let unknown = std::mem::take(&mut self.unknown);
        let ids = self.requests(unknown.iter().copied());
        let found = self.runner.ask_receipts(&self.context.org, &ids).await;
        for index in unknown {
            let request = self.items[index].request.as_ref();
            let receipt = request.and_then(|r| Some((found.get(&r.id)?.clone(), &r.hash)));
            let answer = match receipt {
                Some((receipt, hash)) => replay(receipt, hash),
                None => Err(CommandError::UnknownOutcome {
                    request_id: request.map(|request| request.id.clone()),
                }),
            };
            self.answers[index] = Some(answer);
        }
    }

    fn requests(&self, indexes: impl Iterator<Item = usize>) -> Vec<String> {
        let request = |index: usize| Some(self.items[index].request.as_ref()?.id.clone());
        indexes.filter_map(request).collect()
    }

    /// Runs what is left one by one, streams side by side.
    async fn run_alone(&mut self) {
        let alone = std::mem::take(&mut self.alone);
        let answers: Vec<Vec<(usize, Answer<A>)>> = {
            let this = &*self;
            futures::stream::iter(alone)
                .map(|members| async move {
                    let mut answers = Vec::with_capacity(members.len());
                    for index in members {
                        answers.push((index, this.single(index).await));
                    }
                    answers
                })
                .buffer_unordered(SINGLE_RUNS)
                .collect()
                .await
        };
        for (index, answer) in answers.into_iter().flatten() {
            self.answers[index] = Some(answer);
        }
    }

    async fn single(&self, index: usize) -> Answer<A> {
        let item = &self.items[index];
        let context = self.context_of(item);
        let respond = |outcome: &Outcome<A>| (self.respond)(index, outcome);
        self.runner
            .execute(&context, &item.stream, item.command.clone(), respond)
            .await
    }
}

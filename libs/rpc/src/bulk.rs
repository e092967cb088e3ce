//! Bulk calls: batches of rows come in, results go out while more come in.
//!
//! A batch is done as a whole or not at all, as far as the connection is concerned: when the
//! stream breaks, the batches in hand are finished and nothing else is begun. Rows describe a
//! state, so that sending them again is harmless.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::pin::Pin;

use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, Stream};
use tierline_domain::{Decide, Decider, OrgId, PartnerId, Rejection, StreamId};
use tierline_eventstore::{
    BulkItem, CommandContext, CommandError, Committed, ConsistencyPoint, Outcome,
};
use tierline_proto::common::v1 as pb;
use tierline_proto::{activity, enrollment, partner};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::{Request, Response, Status};

use crate::command::{bulk_context, check_request_id};
use crate::consistency;
use crate::dispatch::{Commands, renamed};
use crate::limits::MAX_BATCH_ROWS;
use crate::status;

/// Batches of one stream that are worked on at the same time.
const IN_HAND: usize = 2;
/// Answers that wait for the caller to take them.
const ANSWERS: usize = 4;

/// The answers of a bulk call.
pub type Answers = Pin<Box<dyn Stream<Item = Result<pb::RowResults, Status>> + Send>>;

/// One message of a bulk call.
pub trait Batch: prost::Message + Default + 'static {
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Calls `each` with the identifier of every row.
    fn ids(&self, each: &mut dyn FnMut(&str));
    /// True when nothing is to be stored.
    fn validate_only(&self) -> bool;
    /// The caller's id of the request; empty: none.
    fn request_id(&self) -> &str;
}

macro_rules! batches {
    ($($type:ty: |$row:ident| $id:expr),+ $(,)?) => { $(
        impl Batch for $type {
            fn rows(&self) -> usize { self.rows.len() }
            fn ids(&self, each: &mut dyn FnMut(&str)) {
                for $row in &self.rows { each($id); }
            }
            fn validate_only(&self) -> bool { self.validate_only }
            fn request_id(&self) -> &str { &self.request_id }
        }
    )+ };
}

batches!(
    partner::v1::RecordPartnersRequest: |row|
        row.partner.as_ref().map_or("", |partner| &partner.partner_id),
    // Rows without an identifier are told apart by the partner, which is in their identifier.
    enrollment::v1::EnrollPartnersRequest: |row| &row.partner_id,
    activity::v1::RecordDealsRequest: |row| &row.deal_id,
    activity::v1::RecordCertificationsRequest: |row| &row.certification_id,
    activity::v1::RecordActivitiesRequest: |row| &row.record_id,
);

/// What surrounds every batch of a call.
#[derive(Debug, Clone)]
pub struct BulkCall {
    /// For the runner. `org_time` is left to the service.
    pub context: CommandContext,
    /// True when nothing is to be stored.
    pub validate_only: bool,
}

/// Works on a bulk call: at most a few batches at a time, and never two at once that share an
/// identifier, so that rows about the same thing take effect in the order in which they came.
///
/// # Errors
/// UNAUTHENTICATED without a caller. What is wrong later ends the stream of answers.
pub fn serve<M, S, H, F>(request: Request<S>, work: H) -> Result<Response<Answers>, Status>
where
    M: Batch,
    S: Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
    H: Fn(BulkCall, M) -> F + Send + Sync + 'static,
    F: Future<Output = Result<pb::RowResults, Status>> + Send + 'static,
{
    let (_, context) = bulk_context(&request)?;
    let (answers, taken) = mpsc::channel(ANSWERS);
    let mut driver = Driver {
        call: BulkCall {
            context,
            validate_only: false,
        },
        begun: false,
        work,
        answers,
        in_hand: FuturesUnordered::new(),
        ids: HashMap::new(),
        batches: 0,
    };
    let messages = request.into_inner();
    tokio::spawn(async move { driver.drive(messages).await });
    let stream = futures::stream::unfold(taken, |mut taken| async move {
        let answer = taken.recv().await?;
        Some((answer, taken))
    });
    Ok(Response::new(Box::pin(stream)))
}

type Done = (u64, Result<pb::RowResults, Status>);

struct Driver<H> {
    call: BulkCall,
    begun: bool,
    work: H,
    answers: mpsc::Sender<Result<pb::RowResults, Status>>,
    in_hand: FuturesUnordered<JoinHandle<Done>>,
    /// Hashes of the identifiers of the batches in hand.
    ids: HashMap<u64, HashSet<u64>>,
    batches: u64,
}

/// The stream is over: nobody listens, or an error was answered.
struct Over;

impl<H> Driver<H> {
    async fn drive<M, S, F>(&mut self, mut messages: S)
    where
        M: Batch,
        S: Stream<Item = Result<M, Status>> + Unpin,
        H: Fn(BulkCall, M) -> F,
        F: Future<Output = Result<pb::RowResults, Status>> + Send + 'static,
    {
        loop {
            let message = tokio::select! {
                biased;
                done = self.in_hand.next(), if !self.in_hand.is_empty() => {
                    if self.answer(done).await.is_err() { break }
                    continue;
                }
                message = messages.next() => message,
                () = self.answers.closed() => break,
            };
            let begun = match message {
                None => break,
                // The caller is gone, or sent what cannot be read.
                Some(Err(broken)) => self.refuse(status::below_services(&broken)).await,
                Some(Ok(batch)) => self.begin(batch).await,
            };
            if begun.is_err() {
                break;
            }
        }
        while let Some(done) = self.in_hand.next().await {
            // Even if nobody listens any more, what was begun is finished.
            self.answer(Some(done)).await.ok();
        }
    }

    async fn refuse(&self, refusal: Status) -> Result<(), Over> {
        // An answer that nobody takes is lost with the stream.
        self.answers.send(Err(refusal)).await.ok();
        Err(Over)
    }

    async fn begin<M, F>(&mut self, batch: M) -> Result<(), Over>
    where
        M: Batch,
        H: Fn(BulkCall, M) -> F,
        F: Future<Output = Result<pb::RowResults, Status>> + Send + 'static,
    {
        if batch.rows() > MAX_BATCH_ROWS {
            let text = format!("a batch has at most {MAX_BATCH_ROWS} rows");
            return self
                .refuse(status::from_rejection(&Rejection::invalid("rows", text)))
                .await;
        }
        if let Err(rejection) = check_request_id(batch.request_id()) {
            return self.refuse(status::from_rejection(&rejection)).await;
        }
        if !self.begun {
            self.begun = true;
            self.call.validate_only = batch.validate_only();
        }
        let mut ids = HashSet::with_capacity(batch.rows());
        batch.ids(&mut |id| {
            ids.insert(hash_of(id));
        });
        while self.in_hand.len() >= IN_HAND || self.shares(&ids) {
            let done = self.in_hand.next().await;
            self.answer(done).await?;
        }
        let mut call = self.call.clone();
        if !batch.request_id().is_empty() {
            call.context.correlation_id = Some(batch.request_id().to_owned());
        }
        let number = self.batches;
        self.batches += 1;
        self.ids.insert(number, ids);
        let work = (self.work)(call, batch);
        self.in_hand
            .push(tokio::spawn(work.map(move |answer| (number, answer))));
        Ok(())
    }

    fn shares(&self, ids: &HashSet<u64>) -> bool {
        self.ids.values().any(|others| !others.is_disjoint(ids))
    }

    async fn answer(
        &mut self,
        done: Option<Result<Done, tokio::task::JoinError>>,
    ) -> Result<(), Over> {
        match done {
            None => Ok(()),
            Some(Ok((number, answer))) => {
                self.ids.remove(&number);
                let failed = answer.is_err();
                match self.answers.send(answer).await {
                    Ok(()) if !failed => Ok(()),
                    _ => Err(Over),
                }
            }
            Some(Err(panicked)) => self.refuse(status::internal(&panicked)).await,
        }
    }
}

fn hash_of(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// A row on its way to the runner: a command, or why there is none.
pub struct Row<C> {
    /// The ordinal that the caller gave.
    pub row: u64,
    /// Identifier of the thing.
    pub id: String,
    /// A partner that has to exist for it.
    pub needs: Option<PartnerId>,
    /// What to do.
    pub task: Task<C>,
}

/// What to do for a row.
pub enum Task<C> {
    /// Carry this out.
    Run(C),
    /// Refuse the row.
    Refuse(Rejection),
    /// It could not be found out what to do.
    Fail(CommandError),
    /// Nothing: everything is as the row says already.
    Leave,
}

impl<C> From<Result<C, Rejection>> for Task<C> {
    fn from(read: Result<C, Rejection>) -> Self {
        read.map_or_else(Self::Refuse, Self::Run)
    }
}

impl<C> Row<C> {
    /// True when there is something to carry out.
    pub fn runs(&self) -> bool {
        matches!(self.task, Task::Run(_))
    }
}

/// Refuses the rows whose partner does not exist, with the refusal that `refuse` makes. Every
/// partner is looked up once.
///
/// # Errors
/// UNAVAILABLE when the partners cannot be looked up.
pub async fn refuse_strangers<C>(
    commands: &Commands,
    org: &OrgId,
    rows: &mut [Row<C>],
    refuse: fn(&PartnerId) -> Rejection,
) -> Result<(), Status> {
    let missing: HashSet<PartnerId> = {
        let ids = rows.iter().filter(|row| row.runs());
        let missing = commands
            .partners()
            .missing(org, ids.filter_map(|row| row.needs.as_ref()));
        let missing = missing
            .await
            .map_err(|error| status::from_command_error(&error))?;
        missing.into_iter().cloned().collect()
    };
    for row in rows {
        if let Some(partner) = row.needs.as_ref().filter(|id| missing.contains(*id))
            && row.runs()
        {
            row.task = Task::Refuse(refuse(partner));
        }
    }
    Ok(())
}

/// The refusal of a row of a partner that does not exist.
pub fn no_such_partner(partner: &PartnerId) -> Rejection {
    Rejection::not_found("partner", partner)
}

/// Runs the commands of a batch, one for each row on the stream that the row's identifier names,
/// and answers every row.
///
/// `rename` maps the field paths of the domain to those of the row; `settle` gets the index of a
/// refused row and may turn the refusal into a success, for a row that only asks for what is there
/// already.
pub async fn run_rows<A>(
    commands: &Commands,
    call: &BulkCall,
    rows: Vec<Row<<A as Decide>::Command>>,
    rename: fn(&str) -> String,
    settle: impl Fn(usize, &Rejection) -> Option<pb::RowOutcome>,
) -> pb::RowResults
where
    A: Decider,
    <A as Decide>::Command: Clone + Sync,
{
    let org = &call.context.org;
    let mut results = Vec::with_capacity(rows.len());
    let mut places = Vec::with_capacity(rows.len());
    let mut items: Vec<BulkItem<A>> = Vec::with_capacity(rows.len());
    for row in rows {
        let mut result = pb::RowResult {
            row: row.row,
            id: row.id,
            ..pb::RowResult::default()
        };
        match row.task {
            Task::Run(command) => {
                items.push(BulkItem::new(StreamId::new(org, &result.id), command));
                places.push(results.len());
            }
            Task::Refuse(rejection) => fail(&mut result, status::row_error(&rejection)),
            Task::Fail(error) => fail(&mut result, status::row_failure(&error)),
            Task::Leave => result.outcome = pb::RowOutcome::Unchanged.into(),
        }
        results.push(result);
    }
    let answers = if call.validate_only {
        check_items(commands, &call.context, items).await
    } else {
        let answers = commands
            .runner()
            .execute_many(&call.context, items, |_, _| Vec::new());
        answers.await.into_iter().map(outcome_of).collect()
    };
    let mut points = Points::default();
    for (place, answer) in places.into_iter().zip(answers) {
        let result = &mut results[place];
        match answer {
            Ok(outcome) => {
                result.outcome = kind_of(&outcome).into();
                points.note(outcome);
            }
            Err(CommandError::Rejected(rejection)) => match settle(place, &rejection) {
                Some(outcome) => result.outcome = outcome.into(),
                None => fail(result, status::row_error(&renamed(rejection, rename))),
            },
            Err(error) => fail(result, status::row_failure(&error)),
        }
    }
    pb::RowResults {
        results,
        consistency_token: points.token(org),
    }
}

fn fail(result: &mut pb::RowResult, error: pb::RowError) {
    result.outcome = pb::RowOutcome::Rejected.into();
    result.error = Some(error);
}

fn kind_of<A: Decider>(outcome: &Outcome<A>) -> pb::RowOutcome {
    let written = outcome.events.len() as u64;
    match written {
        0 => pb::RowOutcome::Unchanged,
        _ if outcome.version == written => pb::RowOutcome::Created,
        _ => pb::RowOutcome::Updated,
    }
}

/// Rows have no request id, so that every answer is a fresh one.
fn outcome_of<A: Decider>(
    answer: Result<Committed<A>, CommandError>,
) -> Result<Outcome<A>, CommandError> {
    answer?
        .outcome
        .ok_or_else(|| CommandError::Internal("a row was answered by a receipt".into()))
}

/// The dry run of a batch. A unique name that two rows of the batch want is refused to the later
/// one; rows of other batches are not seen.
async fn check_items<A>(
    commands: &Commands,
    context: &CommandContext,
    items: Vec<BulkItem<A>>,
) -> Vec<Result<Outcome<A>, CommandError>>
where
    A: Decider,
{
    let checks = items.into_iter().map(|item| async move {
        commands
            .check::<A>(context, &item.stream, item.command)
            .await
    });
    let mut answers: Vec<_> = futures::stream::iter(checks)
        .buffered(CHECKS)
        .collect()
        .await;
    let mut wanted = HashMap::new();
    for answer in &mut answers {
        let Ok(outcome) = answer else { continue };
        let mut taken = None;
        for claim in outcome.state.claims() {
            let holder = wanted
                .entry(claim.clone())
                .or_insert_with(|| outcome.stream.clone());
            if *holder != outcome.stream {
                taken = Some(claim.taken());
            }
        }
        if let Some(rejection) = taken {
            *answer = Err(rejection.into());
        }
    }
    answers
}

/// Rows of a dry run that are looked at together.
const CHECKS: usize = 32;

/// For each partition the last trace that a batch left. The store writes streams in the order in
/// which they first appear in the batch, so that the latest is that of the last such stream.
#[derive(Default)]
struct Points {
    first_seen: HashMap<StreamId, usize>,
    changed: HashMap<Option<u8>, (usize, ConsistencyPoint)>,
    unchanged: HashMap<Option<u8>, ConsistencyPoint>,
}

impl Points {
    fn note<A: Decider>(&mut self, outcome: Outcome<A>) {
        let Some(point) = outcome.last_event else {
            return;
        };
        if outcome.events.is_empty() {
            self.unchanged.insert(point.partition, point);
            return;
        }
        let next = self.first_seen.len();
        let order = *self.first_seen.entry(outcome.stream).or_insert(next);
        match self.changed.get(&point.partition) {
            Some((latest, _)) if *latest > order => {}
            _ => {
                self.changed.insert(point.partition, (order, point));
            }
        }
    }

    fn token(self, org: &OrgId) -> String {
        let mut points: Vec<_> = self.changed.into_values().map(|(_, point)| point).collect();
        points.extend(self.unchanged.into_values());
        consistency::encode_all(org, &points)
    }
}

/// Keeps every refusal a refusal.
pub fn keep(_: usize, _: &Rejection) -> Option<pb::RowOutcome> {
    None
}

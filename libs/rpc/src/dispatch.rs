//! From a checked request to a command and back: what every command service does the same way.

use prost::Message;
use tierline_domain::rejection::Violations;
use tierline_domain::{Claim, Decide, Decider, Entity, Kind, Rejection, StreamId};
use tierline_eventstore::{CommandContext, CommandError, EventStore, Loaded, Outcome, Runner};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::bulk::BulkCall;
use crate::caller::Caller;
use crate::command::{Call, Mutation};
use crate::convert::{Reader, fields};
use crate::org_clock::{OrgClock, OrgTime};
use crate::partners::Partners;
use crate::status;

/// What the command services of one process share.
#[derive(Clone)]
pub struct Commands {
    runner: Runner,
    clock: OrgClock,
    partners: Partners,
}

impl Commands {
    /// On a runner, with the clocks of its orgs.
    pub fn new(runner: Runner) -> Self {
        let clock = OrgClock::new(runner.store().clone());
        Self::with_clock(runner, clock)
    }

    /// On a runner, with clocks of the caller's choice.
    pub fn with_clock(runner: Runner, clock: OrgClock) -> Self {
        let partners = Partners::new(runner.store().clone());
        Self {
            runner,
            clock,
            partners,
        }
    }

    /// Runs commands.
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The store behind the runner.
    pub fn store(&self) -> &EventStore {
        self.runner.store()
    }

    /// The clocks of the orgs.
    pub fn clock(&self) -> &OrgClock {
        &self.clock
    }

    /// Looks partners up.
    pub fn partners(&self) -> &Partners {
        &self.partners
    }

    /// The time in the org of a call, noted in the context of its command.
    ///
    /// # Errors
    /// FAILED_PRECONDITION with `ORG_NOT_FOUND` while the org has not been created.
    pub async fn time_of<M>(&self, call: &mut Call<M>) -> Result<OrgTime, Status> {
        let time = self.clock.at(&call.context.org).await;
        let time = time.map_err(|error| status::from_command_error(&error))?;
        time.stamp(&mut call.context);
        Ok(time)
    }

    /// Reads a request on an aggregate that it names, and runs the command that it stands for.
    /// `read` gives the identifier and the command; what it notes as wrong refuses the request.
    ///
    /// # Errors
    /// The refusal or failure as a status.
    pub async fn change<A, M, P>(
        &self,
        request: Request<M>,
        read: impl FnOnce(&mut Reader, &M, &OrgTime) -> (String, <A as Decide>::Command),
        rename: fn(&str) -> String,
        respond: impl Fn(&Outcome<A>) -> P + Send + Sync,
    ) -> Result<Response<P>, Status>
    where
        A: Decider,
        <A as Decide>::Command: Clone,
        M: Mutation,
        P: Message + Default,
    {
        let mut call = Call::new(request)?;
        let time = self.time_of(&mut call).await?;
        let mut reader = Reader::new();
        let (id, command) = read(&mut reader, &call.message, &time);
        let command = checked::<A>(reader, command, rename);
        let command = command.map_err(|rejection| status::from_rejection(&rejection))?;
        let stream = StreamId::new(&call.context.org, id);
        self.run(&call, &stream, command, rename, respond).await
    }

    /// Runs a command and answers from the folded state; with `validate_only` everything is
    /// checked and nothing stored. `rename` maps the field paths of the domain to those of the
    /// request.
    ///
    /// # Errors
    /// The refusal or failure as a status.
    pub async fn run<A, M, P>(
        &self,
        call: &Call<M>,
        stream: &StreamId,
        command: <A as Decide>::Command,
        rename: fn(&str) -> String,
        respond: impl Fn(&Outcome<A>) -> P + Send + Sync,
    ) -> Result<Response<P>, Status>
    where
        A: Decider,
        <A as Decide>::Command: Clone,
        P: Message + Default,
    {
        let outcome = if call.validate_only {
            self.check::<A>(&call.context, stream, command)
                .await
                .map(|outcome| respond(&outcome))
        } else {
            let bytes = |outcome: &Outcome<A>| respond(outcome).encode_to_vec();
            let committed = self
                .runner
                .execute(&call.context, stream, command, bytes)
                .await;
            match committed.map(|committed| P::decode(committed.response.as_slice())) {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(CommandError::Internal(Box::new(error))),
                Err(error) => Err(error),
            }
        };
        outcome
            .map(Response::new)
            .map_err(|error| refused::<A>(error, stream, rename))
    }

    /// Refuses a request that a look-up does not allow, unless it was carried out before: then the
    /// look-up may show what the request itself led to, and its answer is given again.
    ///
    /// # Errors
    /// The refusal, or that the receipts cannot be read.
    pub async fn refuse_or_repeat<M, P: Message + Default>(
        &self,
        call: &Call<M>,
        rejection: &Rejection,
    ) -> Result<Response<P>, Status> {
        let Some(id) = call.context.request_id.clone() else {
            return Err(status::from_rejection(rejection));
        };
        let found = self
            .store()
            .receipts(&call.context.org, std::slice::from_ref(&id))
            .await;
        let found = found
            .map_err(|error| status::from_command_error(&CommandError::Unavailable(Some(error))))?;
        match found.get(&id) {
            Some(receipt) if receipt.request_hash == call.context.request_hash => {
                let answer = P::decode(receipt.response.as_slice());
                answer
                    .map(Response::new)
                    .map_err(|error| status::internal(&error))
            }
            _ => Err(status::from_rejection(rejection)),
        }
    }

    /// What a command would lead to, with nothing stored.
    ///
    /// # Errors
    /// What running it would be refused with at this moment.
    pub async fn check<A>(
        &self,
        context: &CommandContext,
        stream: &StreamId,
        command: <A as Decide>::Command,
    ) -> Result<Outcome<A>, CommandError>
    where
        A: Decider,
    {
        let Loaded { state, version } = self.store().load::<A>(stream).await?;
        if context
            .expected_version
            .is_some_and(|expected| expected != version)
        {
            let text = "it was changed meanwhile; reload and try again";
            return Err(Rejection::new(Kind::Conflict, "CONCURRENT_CHANGE", text).into());
        }
        let events = state.decide(command)?;
        let mut next = A::clone(&state);
        for event in &events {
            next.evolve(event);
        }
        let held = state.claims();
        let taken: Vec<Claim> = next
            .claims()
            .into_iter()
            .filter(|claim| !held.contains(claim))
            .collect();
        self.must_be_free(context, stream, &taken).await?;
        Ok(Outcome {
            stream: stream.clone(),
            state: next.into(),
            version: version + events.len() as u64,
            events,
            last_event: None,
        })
    }

    async fn must_be_free(
        &self,
        context: &CommandContext,
        stream: &StreamId,
        claims: &[Claim],
    ) -> Result<(), CommandError> {
        if claims.is_empty() {
            return Ok(());
        }
        let holders = self.store().claim_holders(&context.org, claims).await;
        let holders = holders.map_err(|error| CommandError::Unavailable(Some(error)))?;
        let other = |holder: &Option<StreamId>| holder.as_ref().is_some_and(|h| h != stream);
        match claims
            .iter()
            .zip(&holders)
            .find(|(_, holder)| other(holder))
        {
            Some((claim, _)) => Err(claim.taken().into()),
            None => Ok(()),
        }
    }

    /// The thing that a request asks for, from its stream. `what` is its name in the singular.
    ///
    /// # Errors
    /// UNAUTHENTICATED without a caller, INVALID_ARGUMENT for a malformed identifier, NOT_FOUND;
    /// otherwise as a load.
    pub async fn get<A: Entity, T>(
        &self,
        request: &Request<T>,
        what: &str,
        id: Result<impl AsRef<str>, Rejection>,
    ) -> Result<(StreamId, Loaded<A>), Status> {
        let caller = Caller::of(request)?;
        let id = id.map_err(|rejection| status::from_rejection(&rejection))?;
        let stream = StreamId::new(&caller.org, id);
        let loaded = self.existing::<A>(&stream, what).await?;
        Ok((stream, loaded))
    }

    /// An aggregate that has to exist. `what` is its name in the singular.
    ///
    /// # Errors
    /// NOT_FOUND; otherwise as a load.
    pub async fn existing<A: Entity>(
        &self,
        stream: &StreamId,
        what: &str,
    ) -> Result<Loaded<A>, Status> {
        let loaded = self.store().load::<A>(stream).await;
        let loaded = loaded.map_err(|error| status::from_command_error(&error))?;
        if loaded.version == 0 {
            return Err(status::from_rejection(&Rejection::not_found(
                what,
                stream.id(),
            )));
        }
        Ok(loaded)
    }

    /// The time in the org of a bulk call, noted in the context of its commands.
    ///
    /// # Errors
    /// FAILED_PRECONDITION with `ORG_NOT_FOUND` while the org has not been created.
    pub async fn stamp(&self, call: &mut BulkCall) -> Result<OrgTime, Status> {
        let time = self.clock.at(&call.context.org).await;
        let time = time.map_err(|error| status::from_command_error(&error))?;
        time.stamp(&mut call.context);
        Ok(time)
    }
}

/// The token that covers an outcome.
pub fn token<A: Entity>(outcome: &Outcome<A>) -> String {
    outcome
        .last_event
        .as_ref()
        .map(crate::consistency::encode)
        .unwrap_or_default()
}

/// Field paths that are the same in the domain and in the request.
pub fn same(field: &str) -> String {
    field.to_owned()
}

/// A failed command as a status, with the field paths of the request and the name of the thing.
fn refused<A: Decider>(
    error: CommandError,
    stream: &StreamId,
    rename: fn(&str) -> String,
) -> Status {
    match error {
        CommandError::Rejected(rejection) => {
            let mut rejection = renamed(rejection, rename);
            if rejection.resource.is_none()
                && matches!(rejection.kind, Kind::NotFound | Kind::AlreadyExists)
            {
                rejection.resource = Some(format!("{}/{}", A::TYPE.to_lowercase(), stream.id()));
            }
            status::from_rejection(&rejection)
        }
        other => status::from_command_error(&other),
    }
}

/// The identifier of a new thing: what the caller gave, or one made here. With a request id the
/// made one is always the same, so that a repetition meets the thing that it made before.
pub fn new_id<T: Default>(
    reader: &mut Reader,
    field: &str,
    given: &str,
    context: &CommandContext,
    parse: impl FnOnce(String) -> Result<T, Rejection>,
) -> T {
    let text = match (&context.request_id, given.is_empty()) {
        (_, false) => given.to_owned(),
        (Some(request), true) => {
            let name = format!("{}/{field}/{request}", context.org);
            Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
        }
        (None, true) => Uuid::now_v7().to_string(),
    };
    fields::id(reader, field, parse(text))
}

/// A refusal with the field paths of the request instead of those of the domain.
pub fn renamed(mut rejection: Rejection, rename: fn(&str) -> String) -> Rejection {
    if rejection.violations.is_empty() {
        return rejection;
    }
    let mut violations = Violations::default();
    for violation in rejection.violations {
        violations.add(rename(&violation.field), violation.description);
    }
    let reason = rejection.reason;
    rejection = violations.into_rejection();
    rejection.reason = reason;
    rejection
}

/// The command that was read, or everything that is wrong with the request: what reading it found,
/// and what the domain finds on the rest of it. A field is named once.
///
/// # Errors
/// `INVALID_REQUEST` naming every field.
pub fn checked<A: Decide>(
    reader: Reader,
    command: A::Command,
    rename: fn(&str) -> String,
) -> Result<A::Command, Rejection> {
    let Err(mut all) = reader.finish(Some(())) else {
        return Ok(command);
    };
    if let Err(more) = A::default().decide(command)
        && more.kind == Kind::Invalid
    {
        for violation in renamed(more, rename).violations {
            let within = |known: &str| {
                let rest = violation.field.strip_prefix(known);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            if !all.violations.iter().any(|known| within(&known.field)) {
                all.violations.push(violation);
            }
        }
        let mut violations = Violations::default();
        for violation in all.violations {
            violations.add(violation.field, violation.description);
        }
        all = violations.into_rejection();
    }
    Err(all)
}

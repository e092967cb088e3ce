//! Given, when, then: what the tests of aggregates are written in.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;

use crate::aggregate::{Decide, Entity};
use crate::rejection::Rejection;

/// The state that the events lead to.
pub(crate) fn given<A: Decide>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::default();
    for event in events {
        state.evolve(&event);
    }
    Given { state }
}

/// A state, waiting for a command.
#[derive(Clone)]
pub(crate) struct Given<A> {
    /// The state.
    pub state: A,
}

impl<A: Decide> Given<A> {
    /// The answer to a command.
    pub fn when(self, command: A::Command) -> Answer<A> {
        let result = self.state.decide(command);
        Answer {
            before: self.state,
            result,
        }
    }
}

/// The answer to a command.
pub(crate) struct Answer<A: Decide> {
    before: A,
    result: Result<Vec<A::Event>, Rejection>,
}

impl<A: Decide> Answer<A> {
    /// Exactly these facts came out. Gives the state after them, for the next command.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Given<A>
    where
        A::Event: PartialEq + Debug,
    {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(self.result.as_ref(), Ok(&expected));
        self.accepted()
    }

    /// The command was taken. Gives the state afterwards.
    #[track_caller]
    pub fn accepted(self) -> Given<A> {
        let mut state = self.before;
        match self.result {
            Ok(events) => events.iter().for_each(|event| state.evolve(event)),
            Err(rejection) => panic!("refused: {rejection:?}"),
        }
        Given { state }
    }

    /// There was nothing to do.
    #[track_caller]
    pub fn nothing(self) -> Given<A> {
        match &self.result {
            Ok(events) => assert!(events.is_empty(), "events: {}", events.len()),
            Err(rejection) => panic!("refused: {rejection:?}"),
        }
        Given { state: self.before }
    }

    /// The command was refused for this reason.
    #[track_caller]
    pub fn refused(self, reason: &str) -> Rejection {
        let rejection = self.result.expect_err("the command was taken");
        assert_eq!(rejection.reason, reason, "{rejection:?}");
        rejection
    }

    /// The command was refused, and exactly these fields are named.
    #[track_caller]
    pub fn invalid(self, fields: &[&str]) {
        let rejection = self.refused("INVALID_REQUEST");
        let named: Vec<_> = rejection
            .violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(named, fields, "{rejection:?}");
    }
}

/// Runs any commands through the aggregate as the event store does, and proves that the state
/// folded from the stored form of the events is the live one. Gives that state and the events.
pub(crate) fn run_and_replay<A>(
    commands: impl IntoIterator<Item = <A as Decide>::Command>,
) -> (A, Vec<<A as Decide>::Event>)
where
    A: Decide
        + Entity
        + cqrs_es::Aggregate<Command = <A as Decide>::Command, Event = <A as Decide>::Event>
        + PartialEq
        + Debug,
    <A as Decide>::Event: PartialEq + Debug,
{
    let mut live = A::default();
    let mut events = Vec::new();
    for command in commands {
        let before = live.clone();
        let sink = EventSink::default();
        match ready(live.handle(command, &(), &sink)) {
            Ok(()) => events.extend(ready(sink.collect())),
            Err(_) => assert_eq!(live, before, "a refused command changed the state"),
        }
    }
    let mut replayed = A::default();
    for event in &events {
        let stored = serde_json::to_string(event).unwrap();
        let read: <A as Decide>::Event = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, *event, "{stored}");
        assert_ne!(read.event_version(), "unknown");
        replayed.evolve(&read);
    }
    assert_eq!(replayed, live);
    let stored = serde_json::to_string(&live).unwrap();
    assert_eq!(
        serde_json::from_str::<A>(&stored).unwrap(),
        live,
        "{stored}"
    );
    (live, events)
}

/// The value of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a decision waited for something"),
    }
}

//! From stored events to a state, and from a state and a command to the next events.

use std::sync::Arc;

use cqrs_es::event_sink::EventSink;
use tierline_domain::{Claim, Entity, Kind, Rejection, StreamId};

use crate::codec::{Codec, RawEvent};

/// A state with its version.
#[derive(Debug)]
pub(crate) struct Folded<A> {
    pub(crate) state: A,
    pub(crate) version: u64,
    /// The stream holds an event that this release does not know.
    pub(crate) unknown: bool,
}

/// Folds `events` onto the baseline, or onto the default state.
pub(crate) fn fold<A: Entity>(
    codec: &Codec,
    stream: &StreamId,
    baseline: Option<(u64, Arc<A>)>,
    events: &[RawEvent],
) -> Result<Folded<A>, Rejection> {
    let (mut version, mut state) = match baseline {
        Some((version, state)) => (version, Arc::unwrap_or_clone(state)),
        None => (0, A::default()),
    };
    let mut unknown = false;
    for raw in events {
        if u64::try_from(raw.sequence) != Ok(version + 1) {
            return Err(Rejection::new(
                Kind::DataLoss,
                "STREAM_HOLE",
                format!("{} {stream} lacks the event {}", A::TYPE, version + 1),
            ));
        }
        let decoded = codec.decode::<A::Event>(A::TYPE, stream.as_str(), raw)?;
        unknown |= !decoded.known;
        state.apply(decoded.event);
        version += 1;
    }
    Ok(Folded {
        state,
        version,
        unknown,
    })
}

/// The refusal of an aggregate whose history this release cannot fully understand.
pub(crate) fn unknown_event<A: Entity>(stream: &StreamId) -> Rejection {
    Rejection::precondition(
        "UNKNOWN_EVENT",
        format!(
            "{} {} holds an event that this release does not know; use the release that wrote it, \
             or a newer one",
            A::TYPE,
            stream.id()
        ),
    )
}

/// What a command leads to.
pub(crate) struct Decision<A: Entity> {
    pub(crate) events: Vec<A::Event>,
    pub(crate) taken: Vec<Claim>,
    pub(crate) released: Vec<Claim>,
}

/// Lets the aggregate decide. On success `state` has the events applied; a refusal that comes
/// after the aggregate has written events leaves it in between, which the caller is told.
pub(crate) async fn decide<A: Entity>(
    state: &mut A,
    command: A::Command,
) -> Result<Decision<A>, (Rejection, Clean)> {
    let before = state.claims();
    let sink = EventSink::default();
    let outcome = state.handle(command, &(), &sink).await;
    let events = sink.collect().await;
    match outcome {
        Err(rejection) => Err((rejection, Clean(events.is_empty()))),
        Ok(()) => {
            let (taken, released) = difference(before, state.claims());
            Ok(Decision {
                events,
                taken,
                released,
            })
        }
    }
}

/// Whether a state is still what it was before the refused command.
pub(crate) struct Clean(pub(crate) bool);

/// The names that are new and those that are gone.
pub(crate) fn difference(before: Vec<Claim>, after: Vec<Claim>) -> (Vec<Claim>, Vec<Claim>) {
    let taken = after
        .iter()
        .filter(|claim| !before.contains(claim))
        .cloned()
        .collect();
    let released = before
        .into_iter()
        .filter(|claim| !after.contains(claim))
        .collect();
    (taken, released)
}

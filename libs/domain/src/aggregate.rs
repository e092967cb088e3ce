//! The shape of every aggregate: two pure functions, `decide` and `evolve`, plus what the log has
//! to know about it (where its events are routed and which unique names it holds).
//!
//! `aggregate!` makes such a decider a `cqrs_es::Aggregate`; `stored_events!` gives an event
//! enum its permanent type strings. Nothing here awaits anything: the `async` of the trait is
//! required by cqrs-es and is always ready.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ids::PartnerId;
use crate::rejection::{Kind, Rejection};

/// A decision and a fold; both pure.
pub trait Decide: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What may be asked of it. Clock, actor and looked-up data are fields of the command.
    type Command: Send;
    /// The facts that it writes.
    type Event: StoredEvent;

    /// The facts that the command leads to in the present state, or why it is refused.
    /// No events means: nothing to change, and that is a success.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Rejection>;

    /// Takes one fact into the state. Total: never fails, never refuses.
    fn evolve(&mut self, event: &Self::Event);
}

/// Refuses every command once an event was met that this release does not know: a decision on
/// half-understood facts would be worse than none.
///
/// # Errors
/// `UNKNOWN_EVENT` when `unreadable`.
pub fn refuse_unreadable(unreadable: bool) -> Result<(), Rejection> {
    if !unreadable {
        return Ok(());
    }
    Err(Rejection::precondition(
        "UNKNOWN_EVENT",
        "a newer release wrote facts about this that the present release does not know; use the \
         newer release to change it",
    ))
}

/// An event enum whose variants have permanent type strings.
pub trait StoredEvent: cqrs_es::DomainEvent {
    /// Every `(event_type, current event_version)` this release can write.
    const KNOWN: &'static [(&'static str, &'static str)];

    /// Stands in for an event type or version that this release does not know.
    fn unknown(event_type: String, payload: serde_json::Value) -> Self;
}

/// To which partitions of the log an event goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// To the partition of this partner, in order with everything else about it.
    Partner(PartnerId),
    /// To the partition of a thing that belongs to no partner, in order with everything else about
    /// that thing.
    Alone {
        /// What kind of thing, such as `form`. Permanent, and without the characters `/` and `:`.
        kind: &'static str,
        /// Its identifier in the org.
        id: String,
    },
    /// To every partition: the event concerns all partners of the org.
    EveryPartition,
}

/// A name that at most one aggregate of an org may hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// What kind of name, such as `partner_domain`. Permanent.
    pub scope: &'static str,
    /// The name, normalized.
    pub key: String,
}

impl Claim {
    /// The refusal when somebody else holds the name.
    pub fn taken(&self) -> Rejection {
        Rejection::new(
            Kind::AlreadyExists,
            format!("{}_TAKEN", self.scope.to_uppercase()),
            format!("{} \"{}\" is taken", self.scope.replace('_', " "), self.key),
        )
    }
}

/// What the log needs to know of an aggregate, beyond what cqrs-es asks.
pub trait Entity:
    cqrs_es::Aggregate<Event: StoredEvent, Error = Rejection, Services = (), Command: Send>
    + Clone
    + 'static
{
    /// Where the next events go. `None` only while the aggregate does not exist yet.
    fn routing(&self) -> Option<Routing>;

    /// The unique names that the aggregate holds in this state. The store takes the new ones and
    /// frees the dropped ones in the append itself.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }
}

/// An entity made by [`aggregate!`](crate::aggregate!): its two faces have the same commands and
/// events, so that a command can be tried without the store.
pub trait Decider:
    Entity
    + Decide<
        Command = <Self as cqrs_es::Aggregate>::Command,
        Event = <Self as cqrs_es::Aggregate>::Event,
    >
{
}

impl<A> Decider for A where
    A: Entity
        + Decide<
            Command = <A as cqrs_es::Aggregate>::Command,
            Event = <A as cqrs_es::Aggregate>::Event,
        >
{
}

/// Makes a [`Decide`] a `cqrs_es::Aggregate` under the given permanent type name.
#[macro_export]
macro_rules! aggregate {
    ($type:ty, $name:literal) => {
        impl cqrs_es::Aggregate for $type {
            const TYPE: &'static str = $name;
            type Command = <$type as $crate::Decide>::Command;
            type Event = <$type as $crate::Decide>::Event;
            type Error = $crate::Rejection;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &Self::Services,
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::Decide::decide(self, command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::Decide::evolve(self, &event);
            }
        }
    };
}

/// Gives an event enum its permanent type strings and versions.
///
/// The enum is externally tagged (`{"DealWon": {…}}`), has one payload struct or fields per
/// variant, and an `Unknown { event_type: String, payload: serde_json::Value }` variant.
#[macro_export]
macro_rules! stored_events {
    ($enum:ident, $prefix:literal, { $($variant:ident = $version:literal),+ $(,)? }) => {
        impl cqrs_es::DomainEvent for $enum {
            fn event_type(&self) -> String {
                match self {
                    $( Self::$variant { .. } => concat!($prefix, ".", stringify!($variant)).to_owned(), )+
                    Self::Unknown { event_type, .. } => event_type.clone(),
                }
            }

            fn event_version(&self) -> String {
                match self {
                    $( Self::$variant { .. } => $version.to_owned(), )+
                    Self::Unknown { .. } => "unknown".to_owned(),
                }
            }
        }

        impl $crate::StoredEvent for $enum {
            const KNOWN: &'static [(&'static str, &'static str)] = &[
                $( (concat!($prefix, ".", stringify!($variant)), $version), )+
            ];

            fn unknown(event_type: String, payload: serde_json::Value) -> Self {
                Self::Unknown { event_type, payload }
            }
        }
    };
}

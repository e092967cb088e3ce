//! Writes down that an enrollment has ended by its end date.
//!
//! The tier evaluator closes the standing on that day, since it has the timers; this consumer then
//! ends the enrollment itself. It decides nothing: whether the enrollment is over is for the rules
//! to say, and an event that comes twice finds it ended.

use async_trait::async_trait;
use sqlx::PgConnection;
use tierline_bus::{ConsumerId, Handler, HandlerError, decode};
use tierline_domain::any_event::AnyEvent;
use tierline_domain::enrollment::{Enrollment, EnrollmentCommand};
use tierline_domain::standing::StandingEvent;
use tierline_domain::standing::events::{Closed, Ending};
use tierline_domain::{Kind, OrgId, Rejection, StreamId};
use tierline_eventstore::{CommandContext, CommandError, LogEvent};
use tierline_rpc::Commands;

/// The consumer that ends enrollments by their end date.
pub const ENROLLMENT_EXPIRER: ConsumerId = ConsumerId {
    name: "enrollment-expirer",
    version: 1,
};

/// Who acts.
const ACTOR: &str = "service:enrollment-expirer";
/// The only events that are looked at.
const STANDING_CLOSED: &str = "tierline.standing.v1.StandingClosed";

/// Ends enrollments whose standing was closed by date.
///
/// Its commands go through a store with a pool of its own: the consumer holds a connection while
/// they run, and nothing may hold one while it waits for another of the same pool.
pub struct Expirer {
    commands: Commands,
}

impl Expirer {
    /// Ends enrollments through these commands.
    pub fn new(commands: Commands) -> Self {
        Self { commands }
    }

    async fn take(&self, event: &LogEvent) -> Result<(), Failure> {
        let read = decode(self.commands.store().codec(), event);
        let closed = match read.map_err(|rejection| Failure::Poison(rejection.message))? {
            AnyEvent::Standing(StandingEvent::StandingClosed(closed)) => closed,
            _ => return Ok(()),
        };
        if closed.cause != Ending::Expired {
            return Ok(());
        }
        match self.expire(event, &closed).await {
            Ok(()) => Ok(()),
            Err(CommandError::Rejected(rejection)) => refused(event, rejection),
            Err(error @ CommandError::Internal(_)) => Err(Failure::Poison(error.to_string())),
            Err(error) => Err(Failure::Again(error)),
        }
    }

    async fn expire(&self, event: &LogEvent, closed: &Closed) -> Result<(), CommandError> {
        let org = OrgId::parse(event.org_id.as_str())?;
        let time = self.commands.clock().at(&org).await?;
        let mut context = CommandContext::new(org, ACTOR);
        let id = event.event_id.to_string();
        // The same event leads to the same request, so that a repetition adds nothing.
        context = context.with_request(format!("expire:{id}"), id.as_bytes());
        context.causation_id = Some(id);
        time.stamp(&mut context);
        let stream = StreamId::from(event.aggregate_id.clone());
        // The evaluator's clock may be a moment ahead of the one here.
        let today = time.today.max(closed.as_of);
        let command = EnrollmentCommand::Expire { today };
        let run =
            self.commands
                .runner()
                .execute::<Enrollment, _>(&context, &stream, command, |_| Vec::new());
        run.await.map(|_| ())
    }
}

enum Failure {
    /// The event cannot be applied.
    Poison(String),
    /// Trying again may help.
    Again(CommandError),
}

/// What the rules refuse is over already, or goes on since it was extended in the same moment;
/// what cannot be understood waits for an operator.
fn refused(event: &LogEvent, rejection: Rejection) -> Result<(), Failure> {
    if rejection.kind == Kind::DataLoss || rejection.reason == "UNKNOWN_EVENT" {
        return Err(Failure::Poison(rejection.message));
    }
    tracing::info!(
        enrollment = %event.aggregate_id, reason = %rejection.reason,
        "an enrollment was not expired: {rejection}"
    );
    Ok(())
}

#[async_trait]
impl Handler for Expirer {
    fn wants(&self, event: &LogEvent) -> bool {
        event.event_type == STANDING_CLOSED
    }

    fn is_leisurely(&self) -> bool {
        true
    }

    fn is_transactional(&self) -> bool {
        false
    }

    async fn start(&mut self, _: &mut PgConnection, _: &[u8]) -> Result<(), HandlerError> {
        // Nothing is kept in memory.
        Ok(())
    }

    async fn apply(
        &mut self,
        _: &mut PgConnection,
        batch: &[LogEvent],
    ) -> Result<(), HandlerError> {
        for (index, event) in batch.iter().enumerate() {
            if !self.wants(event) {
                continue;
            }
            match self.take(event).await {
                Ok(()) => {}
                Err(Failure::Poison(reason)) => {
                    return Err(HandlerError::Poison { index, reason });
                }
                Err(Failure::Again(error)) => {
                    let error = std::io::Error::other(error);
                    return Err(HandlerError::Database(sqlx::Error::Io(error)));
                }
            }
        }
        Ok(())
    }
}

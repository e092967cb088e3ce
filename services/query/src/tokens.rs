//! Waiting until the read models hold what a command wrote or led to.

use std::time::Duration;

use futures::future::try_join_all;
use tierline_bus::{Behind, ConsumerId, TIER_EVALUATOR};
use tierline_domain::OrgId;
use tierline_readmodel::PROGRAMS;
use tierline_rpc::{consistency, status};
use tokio::time::Instant;

use crate::Query;
use crate::fault::Fault;

/// Longest wait of one call.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has to be there before a query reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holds {
    /// What the command itself wrote.
    Written(ConsumerId),
    /// Also what the evaluator made of it.
    Evaluated(ConsumerId),
}

impl Query {
    /// Waits until everything of the token is where it is needed; no time at all for no token.
    pub(crate) async fn wait_for(
        &self,
        token: &str,
        org: &OrgId,
        needed: &[Holds],
    ) -> Result<(), Fault> {
        let points = consistency::decode(token, org)?;
        let deadline = Instant::now() + PATIENCE;
        for point in points {
            // Programs are built from partition 0 alone, and only from events that are in every
            // partition.
            let concerned = |holds: &&Holds| {
                !matches!(holds, Holds::Written(PROGRAMS)) || point.partition.is_none()
            };
            let mut needed = needed.iter().filter(concerned).peekable();
            if needed.peek().is_none() {
                continue;
            }
            let waiter = &self.inner.waiter;
            let places = waiter.numbered(point.event_id, deadline).await;
            let places = places.map_err(behind)?;
            let waits = needed.map(async |holds| match *holds {
                Holds::Written(PROGRAMS) => waiter.applied_in(0, &places, PROGRAMS, deadline).await,
                Holds::Written(consumer) => waiter.applied(&places, None, consumer, deadline).await,
                Holds::Evaluated(consumer) => {
                    let through = Some(TIER_EVALUATOR);
                    waiter.applied(&places, through, consumer, deadline).await
                }
            });
            try_join_all(waits).await.map_err(behind)?;
        }
        Ok(())
    }
}

fn behind(error: Behind) -> Fault {
    match error {
        Behind::Database(error) => Fault::Database(error),
        // An event that is not numbered yet and one that never was look the same from here.
        Behind::Late | Behind::UnknownEvent => Fault::Status(status::read_model_behind()),
    }
}

//! Waiting until the read models hold what a command led to.

use std::time::{Duration, Instant};

use anyhow::bail;
use tierline_proto::query::v1::audit_service_client::AuditServiceClient;
use tierline_proto::query::v1::operations_service_client::OperationsServiceClient;
use tierline_proto::query::v1::standing_query_service_client::StandingQueryServiceClient;
use tierline_proto::query::v1::{GetStatusRequest, ListStandingsRequest, ListTierHistoryRequest};
use tierline_rpc::status::{READ_MODEL_BEHIND, reason_of};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::client::{Authorized, refused};
use crate::output;

/// Longest wait; a large org takes minutes to be evaluated for a new date.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Waits until partners, standings and their history hold what the token covers.
///
/// # Errors
/// A refused query, or nothing moved for a very long time.
pub async fn wait_for(channel: &Authorized, token: &str) -> anyhow::Result<()> {
    if token.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    while !caught_up(channel, token).await.map_err(refused)? {
        if Instant::now() >= deadline {
            bail!(
                "what was done is stored, but after {} minutes not everything follows from it \
                 yet; `tierline doctor` tells where it waits",
                PATIENCE.as_secs() / 60
            );
        }
    }
    Ok(())
}

/// Pause between two looks at how far the consumers are.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until every consumer has taken in everything that is in the log, so that what is looked
/// at next shows what follows from it. Returns at once for callers who may not see the state of
/// the system.
///
/// # Errors
/// A refused query, or nothing moved for a very long time.
pub async fn wait_until_idle(channel: &Authorized, stop: &CancellationToken) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut client = OperationsServiceClient::new(channel.clone());
    let mut told = false;
    while !stop.is_cancelled() && Instant::now() < deadline {
        let status = match client.get_status(GetStatusRequest {}).await {
            Ok(status) => status.into_inner(),
            Err(status) if status.code() == Code::PermissionDenied => return Ok(()),
            Err(status) => return Err(refused(status)),
        };
        let behind: u64 = status
            .consumers
            .iter()
            .map(|consumer| consumer.lag_events)
            .sum();
        if behind == 0 && status.unsequenced_events == 0 {
            return Ok(());
        }
        if !told {
            output::note("waiting until everything that was sent is taken in and decided");
            told = true;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// One round; the server itself waits for some seconds before it says no.
async fn caught_up(channel: &Authorized, token: &str) -> Result<bool, Status> {
    let standings = ListStandingsRequest {
        page_size: 1,
        without_progress: true,
        consistency_token: token.to_owned(),
        ..ListStandingsRequest::default()
    };
    let mut client = StandingQueryServiceClient::new(channel.clone());
    if behind(client.list_standings(standings).await)? {
        return Ok(false);
    }
    let history = ListTierHistoryRequest {
        page_size: 1,
        consistency_token: token.to_owned(),
        ..ListTierHistoryRequest::default()
    };
    let mut client = AuditServiceClient::new(channel.clone());
    Ok(!behind(client.list_tier_history(history).await)?)
}

fn behind<T>(answer: Result<T, Status>) -> Result<bool, Status> {
    match answer {
        Ok(_) => Ok(false),
        Err(status) if reason_of(&status).as_deref() == Some(READ_MODEL_BEHIND) => Ok(true),
        Err(status) => Err(status),
    }
}

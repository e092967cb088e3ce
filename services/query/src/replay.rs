//! Proof: every decision of a scope decided again from the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row;
use tierline_bus::TIER_EVALUATOR;
use tierline_domain::standing::replay::{self, Replayed};
use tierline_domain::standing::{OrgHistory, PartnerHistory};
use tierline_domain::{EnrollmentId, Kind, OrgId, PartnerId, ProgramId, Rejection, StreamId};
use tierline_eventstore::{PARTITIONS, partition_of};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::audit_service_server::AuditService;
use tierline_proto::query::v1::replay_decisions_request::Scope;
use tierline_proto::query::v1::replay_decisions_response::Kind as Message;
use tierline_rpc::Caller;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::fault::Fault;
use crate::long::{Answers, Stop, off_threads, streamed};
use crate::past::routing_key;

/// Messages that wait for a slow caller before the replay pauses.
const QUEUE: usize = 64;
/// How long to wait for committed events to get their numbers.
const SETTLE: Duration = Duration::from_secs(5);

type Answer = Result<pb::ReplayDecisionsResponse, Status>;

#[tonic::async_trait]
impl AuditService for Query {
    async fn list_tier_history(
        &self,
        request: Request<pb::ListTierHistoryRequest>,
    ) -> Result<Response<pb::ListTierHistoryResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.tier_history(&caller, request.into_inner()).await?,
        ))
    }

    async fn explain_decision(
        &self,
        request: Request<pb::ExplainDecisionRequest>,
    ) -> Result<Response<pb::ExplainDecisionResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.explain(&caller, request.into_inner()).await?,
        ))
    }

    type ReplayDecisionsStream = ReceiverStream<Answer>;

    async fn replay_decisions(
        &self,
        request: Request<pb::ReplayDecisionsRequest>,
    ) -> Result<Response<Self::ReplayDecisionsStream>, Status> {
        let caller = Caller::of(&request)?;
        let permit = Arc::clone(&self.inner.replays)
            .try_acquire_owned()
            .map_err(|_| busy())?;
        let work = self.work(&caller, request.into_inner().scope).await?;
        let query = self.clone();
        Ok(Response::new(streamed(
            QUEUE,
            permit,
            |answers| async move { query.replay_all(&caller.org, work, &answers).await },
        )))
    }
}

fn busy() -> Fault {
    let message = "other replays are at work; try again in a moment";
    Rejection::new(Kind::Exhausted, "REPLAYS_BUSY", message).into()
}

/// What is to be replayed: partners by partition, each with its enrollments.
struct Work {
    partners: BTreeMap<(u8, PartnerId), Vec<EnrollmentId>>,
    /// Of these partners only the enrollments named, not all of them.
    only_named: bool,
}

impl Query {
    async fn work(&self, caller: &Caller, scope: Option<Scope>) -> Result<Work, Fault> {
        let (column, id, what) = match scope {
            None => ("org_id", caller.org.to_string(), "org"),
            Some(Scope::PartnerId(id)) => {
                ("partner_id", PartnerId::parse(id)?.to_string(), "partner")
            }
            Some(Scope::ProgramId(id)) => ("program", ProgramId::parse(id)?.to_string(), "program"),
            Some(Scope::EnrollmentId(id)) => {
                ("key", EnrollmentId::parse(id)?.to_string(), "enrollment")
            }
        };
        let rows = sqlx::query(&format!(
            "SELECT partner_id, key FROM read.standings WHERE org_id = $1 AND {column} = $2"
        ))
        .bind(caller.org.as_str())
        .bind(&id)
        .fetch_all(self.pool())
        .await?;
        if rows.is_empty() && matches!(what, "partner" | "enrollment") {
            return Err(Rejection::not_found(what, id).into());
        }
        let mut partners: BTreeMap<_, Vec<EnrollmentId>> = BTreeMap::new();
        for row in rows {
            let partner = PartnerId::parse(row.try_get::<String, _>(0)?)?;
            caller.check_partner(&partner)?;
            let partition = partition_of(&routing_key(&caller.org, &partner));
            let enrollment = EnrollmentId::parse(row.try_get::<String, _>(1)?)?;
            partners
                .entry((partition, partner))
                .or_default()
                .push(enrollment);
        }
        Ok(Work {
            partners,
            only_named: matches!(what, "program" | "enrollment"),
        })
    }

    async fn replay_all(
        &self,
        org: &OrgId,
        work: Work,
        answers: &Answers<pb::ReplayDecisionsResponse>,
    ) -> Result<(), Stop> {
        let evaluated = self.evaluated().await?;
        let position = self.settled().await?;
        let total: usize = work.partners.values().map(Vec::len).sum();
        let mut summary = pb::ReplaySummary {
            log_position: position.unsigned_abs(),
            ..Default::default()
        };
        let mut shared: Option<(u8, Arc<OrgHistory>)> = None;
        for ((partition, partner), enrollments) in work.partners {
            let history = match &shared {
                Some((at, history)) if *at == partition => Arc::clone(history),
                other => {
                    let (history, events) = match other {
                        Some((_, other)) => {
                            self.org_history_beside(org, other, partition, position)
                                .await?
                        }
                        None => self.org_history(org, partition, position).await?,
                    };
                    summary.events += events;
                    let history = Arc::new(history);
                    shared = Some((partition, Arc::clone(&history)));
                    history
                }
            };
            let up_to = self
                .assessed_up_to(org, &partner, evaluated[usize::from(partition)])
                .await?;
            let (past, events) = self.partner_history(org, &partner, position).await?;
            summary.events += events;
            summary.enrollments += enrollments.len() as u64;
            let only = work.only_named.then_some(enrollments);
            let found = decide_again(history, past, only, up_to).await?;
            summary.decisions += found.decisions;
            summary.progress_records += found.progress;
            summary.differences += found.differences.len() as u64;
            for difference in found.differences {
                tell(
                    answers,
                    Message::Difference(message(org, &partner, difference)),
                )
                .await?;
            }
            let progress = pb::ReplayProgress {
                done_enrollments: summary.enrollments,
                total_enrollments: total as u64,
                compared_decisions: summary.decisions,
            };
            tell(answers, Message::Progress(progress)).await?;
        }
        tell(answers, Message::Summary(summary)).await
    }

    /// How far the evaluator is in each partition. What it has not seen yet it has not decided.
    async fn evaluated(&self) -> Result<[u64; PARTITIONS as usize], Fault> {
        let rows: Vec<(i16, i64)> = sqlx::query_as(
            "SELECT partition, number FROM bus.checkpoints WHERE consumer = $1 AND version = $2",
        )
        .bind(TIER_EVALUATOR.name)
        .bind(TIER_EVALUATOR.version)
        .fetch_all(self.pool())
        .await?;
        let mut numbers = [0; PARTITIONS as usize];
        for (partition, number) in rows {
            if let Some(slot) = usize::try_from(partition)
                .ok()
                .and_then(|at| numbers.get_mut(at))
            {
                *slot = number.unsigned_abs();
            }
        }
        Ok(numbers)
    }

    /// The last input of a partner that the evaluator took: nothing from the first one on that it
    /// has set aside.
    async fn assessed_up_to(
        &self,
        org: &OrgId,
        partner: &PartnerId,
        checkpoint: u64,
    ) -> Result<u64, Fault> {
        let key = routing_key(org, partner);
        let first: Option<i64> = sqlx::query_scalar(
            "SELECT min(partition_number) FROM bus.parked
             WHERE consumer = $1 AND version = $2 AND org_id = $3 AND partition = $4
               AND routing_key IN ($5, $6)",
        )
        .bind(TIER_EVALUATOR.name)
        .bind(TIER_EVALUATOR.version)
        .bind(org.as_str())
        .bind(i16::from(partition_of(&key)))
        .bind(&key)
        .bind(format!("{org}/*"))
        .fetch_one(self.pool())
        .await?;
        let before = first.map(|first| first.unsigned_abs().saturating_sub(1));
        Ok(before.map_or(checkpoint, |before| before.min(checkpoint)))
    }

    /// The head of the log once everything has a number that was committed before this call, so
    /// that no decision is missed that the evaluator has made.
    pub(crate) async fn settled(&self) -> Result<i64, Fault> {
        let deadline = Instant::now() + SETTLE;
        let reader = &self.inner.reader;
        for partition in 0..PARTITIONS {
            let Some(mark) = reader.pending(partition).await? else {
                continue;
            };
            while reader.is_pending(partition, mark).await? {
                if Instant::now() >= deadline {
                    return Err(Fault::Status(tierline_rpc::status::read_model_behind()));
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(reader.heads().await?.position)
    }
}

/// Decides everything about a partner again, off the threads that serve calls.
async fn decide_again(
    org: Arc<OrgHistory>,
    partner: PartnerHistory,
    only: Option<Vec<EnrollmentId>>,
    up_to: u64,
) -> Result<Replayed, Fault> {
    off_threads(move || match only {
        None => replay::replay(&org, &partner, None, up_to),
        Some(enrollments) => {
            let mut all = Replayed::default();
            for enrollment in &enrollments {
                all.add(replay::replay(&org, &partner, Some(enrollment), up_to)?);
            }
            Ok(all)
        }
    })
    .await
}

async fn tell(answers: &Answers<pb::ReplayDecisionsResponse>, kind: Message) -> Result<(), Stop> {
    let message = pb::ReplayDecisionsResponse { kind: Some(kind) };
    answers.tell(message).await
}

fn message(org: &OrgId, partner: &PartnerId, found: replay::Difference) -> pb::ReplayDifference {
    let stream = StreamId::new(org, &found.enrollment);
    let recorded = i64::try_from(found.sequence)
        .ok()
        .filter(|sequence| *sequence > 0);
    let id = recorded.map(|sequence| {
        tierline_eventstore::event_id("Standing", stream.as_str(), sequence).to_string()
    });
    let at = |value: Option<String>| value.map(|value| format!("{}: {value}", found.path));
    pb::ReplayDifference {
        enrollment_id: found.enrollment.to_string(),
        partner_id: partner.to_string(),
        sequence: found.sequence,
        decision_id: id.unwrap_or_default(),
        recorded: at(found.recorded).unwrap_or_default(),
        recomputed: at(found.recomputed).unwrap_or_default(),
    }
}

//! The state of the system, for operators: about the cell, not about one org.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row};
use tierline_bus::parked::{GivenUp, GivingUp, give_up, retry_key};
use tierline_domain::rejection::Violations;
use tierline_domain::{Kind, Rejection};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::operations_service_server::OperationsService;
use tierline_rpc::Caller;
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::convert::instant;
use crate::fault::Fault;

/// Longest reason of a skip, in characters.
const MAX_REASON: usize = 1_000;

/// Where a page of set-aside events ended: time, consumer, version, partition, number.
type ParkedKey = (String, String, i32, i16, i64);

#[tonic::async_trait]
impl OperationsService for Query {
    async fn get_status(
        &self,
        _request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        Ok(Response::new(self.status().await?))
    }

    async fn list_parked(
        &self,
        request: Request<pb::ListParkedRequest>,
    ) -> Result<Response<pb::ListParkedResponse>, Status> {
        Ok(Response::new(self.parked(request.into_inner()).await?))
    }

    async fn retry_parked(
        &self,
        request: Request<pb::RetryParkedRequest>,
    ) -> Result<Response<pb::RetryParkedResponse>, Status> {
        let actor = Caller::of(&request)?.actor();
        Ok(Response::new(
            self.retry(&actor, request.into_inner()).await?,
        ))
    }

    async fn skip_parked(
        &self,
        request: Request<pb::SkipParkedRequest>,
    ) -> Result<Response<pb::SkipParkedResponse>, Status> {
        let actor = Caller::of(&request)?.actor();
        Ok(Response::new(
            self.skip(&actor, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn status(&self) -> Result<pb::GetStatusResponse, Fault> {
        // One snapshot: what a consumer wrote is either still without a number or counted behind,
        // and whoever waits for both to be nothing is not told so in between.
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        let mut snapshot = self.pool().begin_with(begin).await?;
        let row = sqlx::query(
            "SELECT s.position, (SELECT count(*) FROM outbox),
                (SELECT (extract(epoch FROM clock_timestamp() - e.recorded_at) * 1000)::bigint
                 FROM (SELECT * FROM outbox ORDER BY id LIMIT 1) o
                 JOIN events e USING (aggregate_type, aggregate_id, sequence)),
                (SELECT (extract(epoch FROM clock_timestamp() - min(a.xact_start)) * 1000)::bigint
                 FROM pg_stat_activity a
                 WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()),
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
             FROM sequencer s WHERE s.id = 1",
        )
        .fetch_one(&mut *snapshot)
        .await?;
        let consumers = consumers(&mut snapshot).await?;
        snapshot.commit().await?;
        let micros: i64 = row.try_get(4)?;
        Ok(pb::GetStatusResponse {
            log_head: count(row.try_get(0)?),
            unsequenced_events: count(row.try_get(1)?),
            oldest_unsequenced_age_ms: count(row.try_get::<Option<i64>, _>(2)?.unwrap_or_default()),
            consumers,
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            oldest_transaction_age_ms: count(row.try_get::<Option<i64>, _>(3)?.unwrap_or_default()),
            read_time: Timestamp::from_microsecond(micros).ok().and_then(instant),
        })
    }

    async fn parked(
        &self,
        request: pb::ListParkedRequest,
    ) -> Result<pb::ListParkedResponse, Fault> {
        let only = match request.consumer.as_str() {
            "" => None,
            name => Some(split_name(name)?),
        };
        let binding = ["ListParked", request.consumer.as_str()];
        let page = Page::<ParkedKey>::new(request.page_size, &request.page_token, &binding)?;
        let mut query = QueryBuilder::<Postgres>::new(
            "SELECT parked_at::text, consumer, version, partition, partition_number, routing_key,
                    event_type, event_id::text, error,
                    (extract(epoch FROM parked_at) * 1000000)::bigint
             FROM bus.parked WHERE TRUE",
        );
        if let Some((name, version)) = only {
            query.push(" AND consumer = ").push_bind(name.to_owned());
            query.push(" AND version = ").push_bind(version);
        }
        if let Some((at, name, version, partition, number)) = &page.after {
            query.push(" AND (parked_at, consumer, version, partition, partition_number) > ((");
            query
                .push_bind(at.clone())
                .push("::text)::timestamptz, ")
                .push_bind(name.clone());
            query
                .push(", ")
                .push_bind(*version)
                .push(", ")
                .push_bind(*partition);
            query.push(", ").push_bind(*number).push(")");
        }
        query.push(" ORDER BY parked_at, consumer, version, partition, partition_number LIMIT ");
        query.push_bind(page.limit());
        let rows = query.build().fetch_all(self.pool()).await?;
        let mut found: Vec<(ParkedKey, pb::ParkedEvent)> = Vec::with_capacity(rows.len());
        for row in rows {
            let key: ParkedKey = (
                row.try_get(0)?,
                row.try_get(1)?,
                row.try_get(2)?,
                row.try_get(3)?,
                row.try_get(4)?,
            );
            let event = pb::ParkedEvent {
                consumer: full_name(&key.1, key.2),
                partition: u32::try_from(key.3).unwrap_or_default(),
                number: count(key.4),
                routing_key: row.try_get(5)?,
                event_type: row.try_get(6)?,
                event_id: row.try_get(7)?,
                error: row.try_get(8)?,
                park_time: Timestamp::from_microsecond(row.try_get(9)?)
                    .ok()
                    .and_then(instant),
            };
            found.push((key, event));
        }
        let next_page_token = page.finish(&mut found, |(key, _)| key.clone());
        let events = found.into_iter().map(|(_, event)| event).collect();
        Ok(pb::ListParkedResponse {
            events,
            next_page_token,
        })
    }

    async fn retry(
        &self,
        actor: &str,
        request: pb::RetryParkedRequest,
    ) -> Result<pb::RetryParkedResponse, Fault> {
        let consumer = split_name(&request.consumer)?;
        if request.routing_key.contains(char::is_control) {
            let text = "must not contain control characters";
            return Err(Rejection::invalid("routing_key", text).into());
        }
        let released_events = retry_key(self.pool(), consumer, &request.routing_key).await?;
        if released_events == 0 {
            let key = format!("{} {}", request.consumer, request.routing_key);
            return Err(Rejection::not_found("parked event", key).into());
        }
        let (consumer, key) = (&request.consumer, &request.routing_key);
        tracing::info!(actor, %consumer, %key, "{actor} asked {consumer} to retry {key}");
        Ok(pb::RetryParkedResponse { released_events })
    }

    async fn skip(
        &self,
        actor: &str,
        request: pb::SkipParkedRequest,
    ) -> Result<pb::SkipParkedResponse, Fault> {
        let mut violations = Violations::default();
        let consumer = violations.take("", split_name(&request.consumer));
        let reason = request.reason.trim();
        let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if reason.is_empty() || reason.chars().count() > MAX_REASON {
            violations.add("reason", format!("must be 1 to {MAX_REASON} characters"));
        } else if reason.contains(control) {
            violations.add("reason", "must not contain control characters");
        }
        let partition = i16::try_from(request.partition).unwrap_or(-1);
        let number = i64::try_from(request.number).unwrap_or(-1);
        violations.check()?;
        let Some(consumer) = consumer else {
            return Err(no_such_name().into());
        };
        let why = GivingUp { actor, reason };
        match give_up(self.pool(), consumer, (partition, number), why).await? {
            GivenUp::Done(released_events) => {
                let consumer = &request.consumer;
                tracing::warn!(
                    actor, %consumer, partition, number, reason,
                    "{actor} gave up event {number} of partition {partition} for {consumer}"
                );
                Ok(pb::SkipParkedResponse { released_events })
            }
            GivenUp::NotFirst(first) => Err(Rejection::new(
                Kind::Precondition,
                "EARLIER_EVENT_PARKED",
                format!("event {first} of the same routing key has to be skipped first"),
            )
            .into()),
            GivenUp::NotParked => {
                let key = format!("{}/{partition}/{number}", request.consumer);
                Err(Rejection::not_found("parked event", key).into())
            }
        }
    }
}

/// How far each consumer is.
async fn consumers(database: &mut PgConnection) -> Result<Vec<pb::ConsumerStatus>, Fault> {
    let rows = sqlx::query(
        "SELECT c.consumer, c.version, c.partition, c.number, s.heads[c.partition + 1],
                l.owner::text,
                (SELECT count(*) FROM bus.parked p WHERE p.consumer = c.consumer
                     AND p.version = c.version AND p.partition = c.partition)
         FROM bus.checkpoints c CROSS JOIN sequencer s
         LEFT JOIN bus.leases l ON l.consumer = c.consumer AND l.version = c.version
             AND l.partition = c.partition AND l.expires_at > clock_timestamp()
         ORDER BY 1, 2, 3",
    )
    .fetch_all(database)
    .await?;
    let mut consumers: BTreeMap<String, pb::ConsumerStatus> = BTreeMap::new();
    for row in rows {
        let name = full_name(row.try_get(0)?, row.try_get(1)?);
        let partition: i16 = row.try_get(2)?;
        let (checkpoint, head): (i64, i64) = (row.try_get(3)?, row.try_get(4)?);
        let entry = consumers
            .entry(name.clone())
            .or_insert_with(|| pb::ConsumerStatus {
                consumer: name,
                ..Default::default()
            });
        entry.lag_events += count(head - checkpoint);
        entry.parked_events += count(row.try_get(6)?);
        entry.partitions.push(pb::PartitionStatus {
            partition: u32::try_from(partition).unwrap_or_default(),
            checkpoint: count(checkpoint),
            head: count(head),
            owner: row.try_get::<Option<String>, _>(5)?.unwrap_or_default(),
        });
    }
    Ok(consumers.into_values().collect())
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn full_name(name: &str, version: i32) -> String {
    format!("{name}-v{version}")
}

/// Name and version out of `projector-partners-v1`.
fn split_name(full: &str) -> Result<(&str, i32), Rejection> {
    full.rsplit_once("-v")
        .and_then(|(name, version)| Some((name, version.parse().ok()?)))
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(no_such_name)
}

fn no_such_name() -> Rejection {
    let description = "must be the name of a consumer with its version, like projector-partners-v1";
    Rejection::invalid("consumer", description)
}

//! Programs.

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::sync::Cache;
use sqlx::Row;
use sqlx::types::Json;
use tierline_domain::OrgId;
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::program_query_service_server::ProgramQueryService;
use tierline_readmodel::{PROGRAMS, ProgramRow, STANDINGS};
use tierline_rpc::Caller;
use tierline_rpc::paging::Page;
use tonic::{Request, Response, Status};

use crate::Query;
use crate::fault::Fault;
use crate::tokens::Holds;

/// Programs kept in memory: a row holds every version and is asked for with every standing.
const CACHED: usize = 1_000;

/// Programs by org and id, each with the position at which its row was last changed.
pub(crate) struct ProgramCache(Cache<(String, String), (i64, Arc<ProgramRow>)>);

impl Default for ProgramCache {
    fn default() -> Self {
        Self(Cache::new(CACHED))
    }
}

#[tonic::async_trait]
impl ProgramQueryService for Query {
    async fn list_programs(
        &self,
        request: Request<pb::ListProgramsRequest>,
    ) -> Result<Response<pb::ListProgramsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.programs(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    async fn programs(
        &self,
        caller: &Caller,
        request: pb::ListProgramsRequest,
    ) -> Result<pb::ListProgramsResponse, Fault> {
        let org = &caller.org;
        let binding = ["ListPrograms", org.as_str()];
        let page = Page::<String>::new(request.page_size, &request.page_token, &binding)?;
        // The counts by tier are what the evaluator made of enrollments.
        let needed = [Holds::Written(PROGRAMS), Holds::Evaluated(STANDINGS)];
        self.wait_for(&request.consistency_token, org, &needed)
            .await?;
        let mut keys: Vec<String> = sqlx::query_scalar(
            "SELECT key FROM read.programs WHERE org_id = $1 AND key > $2 ORDER BY key LIMIT $3",
        )
        .bind(org.as_str())
        .bind(page.after.as_deref().unwrap_or_default())
        .bind(page.limit())
        .fetch_all(self.pool())
        .await?;
        let next_page_token = page.finish(&mut keys, Clone::clone);
        let rows = self.programs_by_key(org, &keys).await?;
        let mut tiers = self.tier_counts(org, &keys).await?;
        let programs = keys
            .iter()
            .filter_map(|key| rows.get(key).map(|row| (key, row)))
            .map(|(key, row)| summary(row, tiers.remove(key).unwrap_or_default()))
            .collect();
        Ok(pb::ListProgramsResponse {
            programs,
            next_page_token,
        })
    }

    /// Running enrollments by program, track and tier.
    async fn tier_counts(
        &self,
        org: &OrgId,
        programs: &[String],
    ) -> Result<HashMap<String, Vec<pb::TierCount>>, Fault> {
        let rows = sqlx::query(
            "SELECT program, track, tier, tier_name, tier_rank, count(*) FROM read.standings
             WHERE org_id = $1 AND program = ANY($2) AND NOT closed AND tier IS NOT NULL
             GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 5, 3",
        )
        .bind(org.as_str())
        .bind(programs)
        .fetch_all(self.pool())
        .await?;
        let mut counts: HashMap<String, Vec<pb::TierCount>> = HashMap::new();
        for row in rows {
            let (rank, count): (i32, i64) = (row.try_get(4)?, row.try_get(5)?);
            counts
                .entry(row.try_get(0)?)
                .or_default()
                .push(pb::TierCount {
                    track_id: row.try_get(1)?,
                    tier_id: row.try_get(2)?,
                    tier_name: row.try_get(3)?,
                    tier_rank: u32::try_from(rank).unwrap_or_default(),
                    count: u64::try_from(count).unwrap_or_default(),
                });
        }
        Ok(counts)
    }

    pub(crate) async fn programs_by_key(
        &self,
        org: &OrgId,
        keys: &[String],
    ) -> Result<HashMap<String, Arc<ProgramRow>>, Fault> {
        let present: Vec<(String, i64)> = sqlx::query_as(
            "SELECT key, position FROM read.programs WHERE org_id = $1 AND key = ANY($2)",
        )
        .bind(org.as_str())
        .bind(keys)
        .fetch_all(self.pool())
        .await?;
        self.programs_at(org, present).await
    }

    /// Programs as of the positions at which their rows are; they are read only when they are not
    /// known yet.
    pub(crate) async fn programs_at(
        &self,
        org: &OrgId,
        present: impl IntoIterator<Item = (String, i64)>,
    ) -> Result<HashMap<String, Arc<ProgramRow>>, Fault> {
        let mut found = HashMap::new();
        let mut missing = Vec::new();
        for (key, position) in present {
            match self.inner.programs.0.get(&(org.to_string(), key.clone())) {
                Some((at, row)) if at == position => {
                    found.insert(key, row);
                }
                _ => missing.push(key),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let rows = sqlx::query(
            "SELECT key, position, state FROM read.programs WHERE org_id = $1 AND key = ANY($2)",
        )
        .bind(org.as_str())
        .bind(&missing)
        .fetch_all(self.pool())
        .await?;
        for row in rows {
            let key: String = row.try_get(0)?;
            let Json(program): Json<ProgramRow> = row.try_get(2)?;
            let program = Arc::new(program);
            let cached = (row.try_get(1)?, Arc::clone(&program));
            self.inner
                .programs
                .0
                .insert((org.to_string(), key.clone()), cached);
            found.insert(key, program);
        }
        Ok(found)
    }
}

fn summary(row: &ProgramRow, tiers: Vec<pb::TierCount>) -> pb::ProgramSummary {
    let newest = row.newest();
    pb::ProgramSummary {
        program_id: row.program.to_string(),
        name: row.name.clone(),
        newest_version: newest.map_or(0, |version| version.number),
        effective_date: newest
            .map(|v| v.effective_date.to_string())
            .unwrap_or_default(),
        currency_code: newest
            .map(|v| v.definition.currency.to_string())
            .unwrap_or_default(),
        archived: row.archived,
        tiers,
    }
}

//! Reading: partners, programs, standings, the history of tiers, proof, forms and submissions,
//! segments, benefits, and the state of the system, over gRPC.
//!
//! Lists come from the tables of schema `read`; evidence and replay come from the log itself. The
//! org is always that of the caller, in every condition. Nothing here changes anything but what
//! an operator does with events that were set aside.

mod applications;
mod benefits;
mod convert;
mod evidence;
mod explain;
mod fault;
mod history;
mod listing;
mod long;
mod membership;
mod operations;
mod partners;
mod past;
mod programs;
mod replay;
mod segments;
mod standings;
mod tokens;
mod what_if;

use std::sync::Arc;

use sqlx::PgPool;
use tierline_bus::Waiter;
use tierline_eventstore::{Codec, LogReader};
use tierline_proto::query::v1::application_query_service_server::ApplicationQueryServiceServer;
use tierline_proto::query::v1::audit_service_server::AuditServiceServer;
use tierline_proto::query::v1::benefit_query_service_server::BenefitQueryServiceServer;
use tierline_proto::query::v1::operations_service_server::OperationsServiceServer;
use tierline_proto::query::v1::partner_query_service_server::PartnerQueryServiceServer;
use tierline_proto::query::v1::program_query_service_server::ProgramQueryServiceServer;
use tierline_proto::query::v1::segment_query_service_server::SegmentQueryServiceServer;
use tierline_proto::query::v1::standing_query_service_server::StandingQueryServiceServer;
use tierline_proto::query::v1::what_if_service_server::WhatIfServiceServer;
use tierline_rpc::limits::{MAX_RESPONSE_BYTES, MAX_SMALL_REQUEST_BYTES};
use tokio::sync::Semaphore;

use crate::programs::ProgramCache;
use crate::what_if::Trials;

/// Replays at work at the same time in one process; more are refused.
const MAX_REPLAYS: usize = 2;
/// Trials of programs at work at the same time in one process; more are refused.
const MAX_TRIALS: usize = 2;

/// The read services. Cheap to clone; all clones share caches and limits.
#[derive(Clone)]
pub struct Query {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    reader: LogReader,
    codec: Codec,
    waiter: Waiter,
    programs: ProgramCache,
    replays: Arc<Semaphore>,
    trials: Trials,
}

impl Query {
    /// Read services on a pool. `codec` reads the stored events; `waiter` knows how far the
    /// consumers are.
    pub fn new(pool: PgPool, codec: Codec, waiter: Waiter) -> Self {
        let inner = Inner {
            reader: LogReader::new(pool.clone()),
            programs: ProgramCache::default(),
            replays: Arc::new(Semaphore::new(MAX_REPLAYS)),
            trials: Trials::new(MAX_TRIALS),
            pool,
            codec,
            waiter,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The partners table.
    pub fn partner_service(&self) -> PartnerQueryServiceServer<Self> {
        PartnerQueryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
    }

    /// Programs.
    pub fn program_service(&self) -> ProgramQueryServiceServer<Self> {
        ProgramQueryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
    }

    /// Forms and submissions.
    pub fn application_service(&self) -> ApplicationQueryServiceServer<Self> {
        ApplicationQueryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
    }

    /// Segments and their members.
    pub fn segment_service(&self) -> SegmentQueryServiceServer<Self> {
        SegmentQueryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// The benefits library, and what programs and partners have of it.
    pub fn benefit_service(&self) -> BenefitQueryServiceServer<Self> {
        BenefitQueryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// Standings.
    pub fn standing_service(&self) -> StandingQueryServiceServer<Self> {
        StandingQueryServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// Proof.
    pub fn audit_service(&self) -> AuditServiceServer<Self> {
        AuditServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// Trials of programs.
    pub fn what_if_service(&self) -> WhatIfServiceServer<Self> {
        WhatIfServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    /// The state of the system.
    pub fn operations_service(&self) -> OperationsServiceServer<Self> {
        OperationsServiceServer::new(self.clone())
            .max_decoding_message_size(MAX_SMALL_REQUEST_BYTES)
    }

    fn pool(&self) -> &PgPool {
        &self.inner.pool
    }
}

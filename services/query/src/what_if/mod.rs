//! What a change of a program would do, and where one partner would stand.

mod convert;
mod partner;
mod request;
mod stream;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tierline_domain::{Kind, OrgId, Rejection};
use tierline_proto::query::v1 as pb;
use tierline_proto::query::v1::what_if_service_server::WhatIfService;
use tierline_rpc::Caller;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::Query;

/// How many trials may be at work: so many in the process, and one of each org.
pub(crate) struct Trials {
    places: Arc<Semaphore>,
    orgs: Arc<Mutex<HashSet<OrgId>>>,
}

/// The place of one trial; free again when it is dropped.
pub(crate) struct Place {
    org: OrgId,
    orgs: Arc<Mutex<HashSet<OrgId>>>,
    _permit: OwnedSemaphorePermit,
}

impl Trials {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            orgs: Arc::default(),
        }
    }

    fn begin(&self, org: &OrgId) -> Result<Place, Rejection> {
        let busy = |message| Rejection::new(Kind::Exhausted, "TRIALS_BUSY", message);
        let permit = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| busy("other trials are at work; try again in a moment"))?;
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        if !orgs.insert(org.clone()) {
            return Err(busy(
                "another trial of this org is at work; try again when it is done",
            ));
        }
        Ok(Place {
            org: org.clone(),
            orgs: Arc::clone(&self.orgs),
            _permit: permit,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        orgs.remove(&self.org);
    }
}

type Answers = ReceiverStream<Result<pb::TrialResponse, Status>>;

#[tonic::async_trait]
impl WhatIfService for Query {
    type PreviewProgramStream = Answers;

    async fn preview_program(
        &self,
        request: Request<pb::PreviewProgramRequest>,
    ) -> Result<Response<Answers>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.begin_trial(&caller)?;
        let trial = self.preview_of(&caller, request.into_inner()).await?;
        Ok(Response::new(self.answer_trial(trial, place)))
    }

    type BacktestProgramStream = Answers;

    async fn backtest_program(
        &self,
        request: Request<pb::BacktestProgramRequest>,
    ) -> Result<Response<Answers>, Status> {
        let caller = Caller::of(&request)?;
        let place = self.begin_trial(&caller)?;
        let trial = self.backtest_of(&caller, request.into_inner()).await?;
        Ok(Response::new(self.answer_trial(trial, place)))
    }

    async fn preview_partner(
        &self,
        request: Request<pb::PreviewPartnerRequest>,
    ) -> Result<Response<pb::PreviewPartnerResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(
            self.partner_preview(&caller, request.into_inner()).await?,
        ))
    }
}

impl Query {
    fn begin_trial(&self, caller: &Caller) -> Result<Place, Status> {
        let place = self.inner.trials.begin(&caller.org);
        place.map_err(|rejection| tierline_rpc::from_rejection(&rejection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_org_has_one_trial_at_work_and_the_process_a_few() {
        let trials = Trials::new(2);
        let org = |name| OrgId::parse(name).unwrap();
        let first = trials.begin(&org("acme")).unwrap();
        assert!(trials.begin(&org("acme")).is_err());
        let second = trials.begin(&org("other")).unwrap();
        assert!(trials.begin(&org("third")).is_err());
        drop(first);
        assert!(trials.begin(&org("acme")).is_ok());
        drop(second);
        assert!(trials.begin(&org("third")).is_ok());
    }
}

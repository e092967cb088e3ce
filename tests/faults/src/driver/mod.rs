//! The load: callers that create partners, enroll them, register and win deals and award
//! certifications in several orgs, remember every request with what came of it, and send an
//! unanswered one again under the same id.

mod call;
mod history;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

pub use call::{Call, Clients, Connection, connection, create, register, rename, story, tag};
pub use history::{Entry, History, Outcome};

/// Pause before a call is sent again.
const PAUSE: Duration = Duration::from_millis(250);
/// How much longer than its deadline a caller waits for the word of the server.
const GRACE: Duration = Duration::from_millis(500);

/// What kind of load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Callers.
    pub callers: u32,
    /// Calls a second, of all callers together.
    pub rate: u32,
    /// Deadline of each call, as sent to the server.
    pub deadline: Duration,
    /// Of a hundred calls that were not answered or called impossible for the moment, so many are
    /// not sent again: what became of them is compared with what was said.
    pub abandoned_percent: u32,
    /// How long open calls are sent again after the end of the load.
    pub patience: Duration,
    /// Calls that were under way are not sent again once the load ends.
    pub abandon_at_end: bool,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            callers: 8,
            rate: 30,
            // Longer than the server waits for a commit and for a receipt afterwards.
            deadline: Duration::from_secs(13),
            abandoned_percent: 10,
            patience: Duration::from_secs(60),
            abandon_at_end: false,
        }
    }
}

/// A load that runs.
pub struct Driver {
    history: Arc<History>,
    ending: CancellationToken,
    callers: JoinSet<()>,
}

/// One of the callers.
struct Caller {
    load: Load,
    orgs: Arc<Vec<Clients>>,
    history: Arc<History>,
    ticks: Arc<Mutex<Interval>>,
    ending: CancellationToken,
    random: ChaCha8Rng,
}

impl Driver {
    /// Starts the load on some orgs.
    pub fn start(load: Load, orgs: Vec<Clients>, seed: u64) -> Self {
        let mut ticks = interval(Duration::from_secs(1) / load.rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (orgs, ticks) = (Arc::new(orgs), Arc::new(Mutex::new(ticks)));
        let (history, ending) = (Arc::new(History::default()), CancellationToken::new());
        let mut callers = JoinSet::new();
        for number in 0..load.callers {
            let caller = Caller {
                load,
                orgs: Arc::clone(&orgs),
                history: Arc::clone(&history),
                ticks: Arc::clone(&ticks),
                ending: ending.clone(),
                random: ChaCha8Rng::seed_from_u64(seed ^ (u64::from(number) << 32)),
            };
            callers.spawn(caller.run(number));
        }
        Self {
            history,
            ending,
            callers,
        }
    }

    /// What was sent and answered so far.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// Waits until so many more calls were answered.
    ///
    /// # Errors
    /// When they are not within `deadline`.
    pub async fn answered(&self, more: usize, deadline: Duration) -> anyhow::Result<Duration> {
        let goal = self.history.done() + more;
        let what = format!("{more} more calls are answered");
        crate::wait::until(deadline, &what, async || self.history.done() >= goal).await
    }

    /// Ends the load: no new calls, open ones are sent again until they are answered.
    ///
    /// # Errors
    /// When a caller broke down or does not end.
    pub async fn finish(mut self, load: &Load) -> anyhow::Result<Arc<History>> {
        self.ending.cancel();
        let all = async {
            while let Some(ended) = self.callers.join_next().await {
                ended.context("a caller broke down")?;
            }
            anyhow::Ok(())
        };
        timeout(load.patience + load.deadline * 2, all)
            .await
            .context("the load does not end")??;
        Ok(Arc::clone(&self.history))
    }
}

impl Caller {
    async fn run(mut self, number: u32) {
        let mut story = 0_u32;
        while !self.ending.is_cancelled() {
            story += 1;
            let org = self.random.random_range(0..self.orgs.len());
            let id = format!("{number}-{story}-{:04x}", self.random.random::<u16>());
            self.tell(org, &id).await;
        }
    }

    /// A partner with all that happens to it.
    async fn tell(&mut self, org: usize, id: &str) {
        let deals = self.random.random_range(1..4);
        for call in story(id, deals) {
            self.ticks.lock().await.tick().await;
            if self.ending.is_cancelled() || !self.carry_out(org, call).await {
                return;
            }
        }
    }

    /// Sends a call until it is answered or given up. True: it was carried out.
    async fn carry_out(&mut self, org: usize, mut call: Call) -> bool {
        let id = Uuid::from_u128(self.random.random()).to_string();
        call.set_request_id(&id);
        let clients = self.orgs[org].clone();
        let number = self.history.sent(&clients.org, &call);
        let mut give_up: Option<Instant> = None;
        loop {
            let deadline = self.load.deadline;
            let answer = match timeout(deadline + GRACE, clients.send(&call, deadline)).await {
                Ok(answer) => answer,
                Err(_) => Err(Status::deadline_exceeded("the caller has stopped waiting")),
            };
            let (status, said) = match answer {
                Ok(response) => {
                    self.history.close(number, Outcome::Done(response));
                    return true;
                }
                Err(status) => {
                    let said = Said::of(&status);
                    (status, said)
                }
            };
            if said == Said::Refused {
                self.history.close(number, Outcome::Refused(status));
                return false;
            }
            self.history.again(number, &status, said == Said::Unknown);
            if self.ending.is_cancelled() {
                let until = *give_up.get_or_insert(Instant::now() + self.load.patience);
                if self.load.abandon_at_end || Instant::now() > until {
                    self.history.abandon(number);
                    return false;
                }
            } else if self.random.random_range(0..100) < self.load.abandoned_percent {
                self.history.abandon(number);
                return false;
            }
            sleep(PAUSE).await;
        }
    }
}

/// Sends calls all at the same moment, each once, and tells what came of them.
pub async fn burst(calls: Vec<(Clients, Call)>) -> Vec<Entry> {
    let deadline = Load::default().deadline;
    let sent = calls.into_iter().map(async |(clients, mut call)| {
        if call.request_id().is_empty() {
            call.set_request_id(&Uuid::new_v4().to_string());
        }
        let outcome = match clients.send(&call, deadline).await {
            Ok(response) => Outcome::Done(response),
            Err(status) if Said::of(&status) == Said::Unknown => Outcome::Unknown,
            Err(status) => Outcome::Refused(status),
        };
        Entry {
            org: clients.org,
            call,
            unknowns: 0,
            not_done: 0,
            outcome,
            closed: Some(Instant::now()),
        }
    });
    futures::future::join_all(sent).await
}

/// What a failed call says about its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Nothing happened and the same may be sent again.
    NotDone,
    /// It may have happened.
    Unknown,
    /// Nothing happened and nothing will.
    Refused,
}

impl Said {
    fn of(status: &Status) -> Self {
        let reason = tierline_rpc::status::reason_of(status);
        match (status.code(), reason.as_deref()) {
            // Without a reason it comes from the transport, which knows nothing.
            (Code::Unavailable, Some(_)) => Self::NotDone,
            (Code::ResourceExhausted | Code::Aborted, Some(_)) => Self::NotDone,
            (Code::Unavailable | Code::Unknown | Code::DeadlineExceeded | Code::Cancelled, _) => {
                Self::Unknown
            }
            (Code::Internal, None) => Self::Unknown,
            _ => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_of_the_service_itself_proves_that_nothing_happened() {
        let said = |status: &Status| Said::of(status);
        let own = tierline_rpc::status::unavailable("UNAVAILABLE", "try again");
        assert_eq!(said(&own), Said::NotDone);
        assert_eq!(
            said(&Status::unavailable("connection reset")),
            Said::Unknown
        );
        let open = tierline_rpc::status::unknown_outcome("id");
        assert_eq!(said(&open), Said::Unknown);
        assert_eq!(said(&Status::invalid_argument("no")), Said::Refused);
    }
}

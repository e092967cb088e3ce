//! What time it is in an org: real time, or the clock of its own that a sandbox org has.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use quick_cache::sync::Cache;
use tierline_domain::program::org::Org;
use tierline_domain::{OrgId, Rejection, StreamId};
use tierline_eventstore::{CommandContext, CommandError, EventStore};

/// Orgs on real time that are remembered.
const REMEMBERED: usize = 10_000;

/// Tells the time in every org.
#[derive(Clone)]
pub struct OrgClock {
    store: EventStore,
    real_time: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Orgs on real time: that and their calendar never change, so they are asked once. What a
    /// sandbox org says is asked every time.
    ordinary: Arc<Cache<OrgId, Arc<Org>>>,
}

impl fmt::Debug for OrgClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrgClock").finish_non_exhaustive()
    }
}

/// The time in an org at the moment of a call.
#[derive(Debug, Clone)]
pub struct OrgTime {
    /// The org; of what it says, calendar and kind may be relied on, the name may be an old one.
    pub org: Arc<Org>,
    /// The instant.
    pub now: Timestamp,
    /// The business date.
    pub today: Date,
}

impl OrgTime {
    /// Notes the time in the context of a command, where it is not the real one.
    pub fn stamp(&self, context: &mut CommandContext) {
        context.org_time = self.org.is_sandbox().then(|| self.now.to_string());
    }
}

impl OrgClock {
    /// Clocks by the real time of this machine.
    pub fn new(store: EventStore) -> Self {
        Self::with_real_time(store, Arc::new(Timestamp::now))
    }

    /// Clocks by another idea of real time, for tests.
    pub fn with_real_time(
        store: EventStore,
        real_time: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            store,
            real_time,
            ordinary: Arc::new(Cache::new(REMEMBERED)),
        }
    }

    /// The real time.
    pub fn real_now(&self) -> Timestamp {
        (self.real_time)()
    }

    /// The time in an org.
    ///
    /// # Errors
    /// `ORG_NOT_FOUND` while the org has not been created; otherwise as a load.
    pub async fn at(&self, org: &OrgId) -> Result<OrgTime, CommandError> {
        let state = match self.ordinary.get(org) {
            Some(known) => known,
            None => self.ask(org).await?,
        };
        let real = self.real_now();
        Ok(OrgTime {
            now: state.now(real),
            today: state.today(real),
            org: state,
        })
    }

    async fn ask(&self, org: &OrgId) -> Result<Arc<Org>, CommandError> {
        let loaded = self.store.load::<Org>(&StreamId::of_org(org)).await?;
        if loaded.state.id().is_none() {
            return Err(not_created(org).into());
        }
        if !loaded.state.is_sandbox() {
            self.ordinary.insert(org.clone(), Arc::clone(&loaded.state));
        }
        Ok(loaded.state)
    }
}

fn not_created(org: &OrgId) -> Rejection {
    let mut rejection = Rejection::precondition(
        "ORG_NOT_FOUND",
        format!("org {org} has not been created yet; create it with OrgService/CreateOrg"),
    );
    rejection.resource = Some(format!("org/{org}"));
    rejection
}

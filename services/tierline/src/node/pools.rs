//! The pools of a process, and the budget that bounds them.

use anyhow::Context as _;
use sqlx::PgPool;
use tierline_runtime::connections::{Budget, Limits, Purpose};

/// The pools of a process, one per purpose.
pub(super) struct Pools {
    url: String,
    budget: Budget,
    open: Vec<PgPool>,
}

impl Pools {
    /// None is open yet.
    pub(super) fn new(url: String, budget: Budget) -> Self {
        Self {
            url,
            budget,
            open: Vec::new(),
        }
    }

    /// Those that were opened.
    pub(super) fn into_open(self) -> Vec<PgPool> {
        self.open
    }

    /// Refuses to go on where the server has fewer connections left than may be opened.
    pub(super) async fn check_budget(&mut self) -> anyhow::Result<()> {
        let pool = self.of(Purpose::Housekeeping).await?;
        let mut connection = pool
            .acquire()
            .await
            .context("the database does not answer")?;
        let limits = Limits::read(&mut connection)
            .await
            .context("the database does not answer")?;
        self.budget.check(limits)?;
        Ok(())
    }

    /// The pool for a purpose.
    pub(super) async fn of(&mut self, purpose: Purpose) -> anyhow::Result<PgPool> {
        // The first that is opened, and shared by all who need it now and then.
        if let (Purpose::Housekeeping, Some(pool)) = (purpose, self.open.first()) {
            return Ok(pool.clone());
        }
        let most = self.budget.of(purpose).max(1);
        let pool = match purpose {
            // A heartbeat, a read model or a note of the relay that a crash takes back is made
            // again: how far a stream is, the stream itself says.
            Purpose::Projector | Purpose::Heartbeat | Purpose::Relay => {
                tierline_eventstore::connect_relaxed(&self.url, most).await
            }
            _ => tierline_eventstore::connect(&self.url, most).await,
        };
        let pool = pool.context("the database does not answer")?;
        crate::watch::pool(purpose.name(), most, &pool);
        self.open.push(pool.clone());
        Ok(pool)
    }
}

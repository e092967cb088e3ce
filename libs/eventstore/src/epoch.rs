//! The lives of a log, see `docs/operations/log-epoch.md`.

use jiff::Timestamp;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// One life of the log: from its beginning to a restore or failover that lost the tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Random.
    pub id: Uuid,
    /// 1 for the first.
    pub ordinal: i32,
    /// The last position that is shared with the epoch before.
    pub begins_after: i64,
    /// When it was declared.
    pub started_at: Timestamp,
    /// Who declared it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// What was handed out before and does not hold.
    pub void: Vec<VoidRange>,
}

/// Numbers of one partition that were handed out with a content that the log does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VoidRange {
    /// The partition.
    pub partition: u8,
    /// First void number.
    pub from: i64,
    /// Last void number.
    pub to: i64,
}

impl Epoch {
    /// Every epoch, the present one last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(connection: &mut PgConnection) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT epoch, ordinal, begins_after, started_at, actor, reason, void::text
             FROM log_epochs ORDER BY ordinal",
        )
        .fetch_all(connection)
        .await?;
        rows.iter()
            .map(|row| {
                let instant: crate::instant::Instant = row.try_get(3)?;
                let void: String = row.try_get(6)?;
                Ok(Self {
                    id: row.try_get(0)?,
                    ordinal: row.try_get(1)?,
                    begins_after: row.try_get(2)?,
                    started_at: instant
                        .timestamp()
                        .map_err(|error| sqlx::Error::Decode(error.into()))?,
                    actor: row.try_get(4)?,
                    reason: row.try_get(5)?,
                    void: serde_json::from_str(&void)
                        .map_err(|error| sqlx::Error::Decode(error.into()))?,
                })
            })
            .collect()
    }

    /// The id of the present epoch.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn present(connection: &mut PgConnection) -> Result<Uuid, sqlx::Error> {
        sqlx::query_scalar("SELECT epoch FROM log_epochs ORDER BY ordinal DESC LIMIT 1")
            .fetch_one(connection)
            .await
    }

    /// Declares a new epoch that goes on from where the log ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(
        connection: &mut PgConnection,
        actor: &str,
        reason: &str,
        void: &[VoidRange],
    ) -> Result<Uuid, sqlx::Error> {
        let void =
            serde_json::to_string(void).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query_scalar(
            "INSERT INTO log_epochs (ordinal, begins_after, actor, reason, void)
             SELECT (SELECT max(ordinal) + 1 FROM log_epochs), s.position, $1, $2, $3::jsonb
             FROM sequencer s WHERE s.id = 1 RETURNING epoch",
        )
        .bind(actor)
        .bind(reason)
        .bind(void)
        .fetch_one(connection)
        .await
    }
}

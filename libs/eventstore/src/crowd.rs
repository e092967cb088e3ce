//! Whose limit it is when a caller gets no connection: ours, or the server's.
//!
//! A pool does not tell an acquire that waited behind other callers from one that waited for a
//! server that refuses or is away. So while a pool is used up, somebody looks now and then whether
//! the server would take one more. Deliberately absent: any look while there are connections.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::time::{Instant, sleep, timeout};

use crate::DbError;

/// Pause between two looks at a pool.
const PAUSE: Duration = Duration::from_millis(200);
/// Pause between two looks at the server, over all pools of the process.
const LOOK: Duration = Duration::from_secs(1);
/// How long the server may take to let somebody in.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it is believed that the server takes connections.
const BELIEVED: Duration = Duration::from_secs(3);

/// When the server took a connection although a pool was used up.
static TAKEN: Mutex<Option<Instant>> = Mutex::new(None);
/// One look at a time.
static LOOKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Watches a pool as long as it is open, so that callers who get no connection of it are told why.
pub async fn watch(pool: PgPool) {
    let most = pool.options().get_max_connections();
    loop {
        tokio::select! {
            () = pool.close_event() => return,
            () = sleep(PAUSE) => {}
        }
        let used_up = pool.size() >= most && pool.num_idle() == 0;
        if !used_up || taken_within(LOOK) {
            continue;
        }
        let Ok(_one) = LOOKING.try_lock() else {
            continue;
        };
        let options = pool.connect_options();
        match timeout(PATIENCE, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => {
                *taken() = Some(Instant::now());
                // It has said what it was to say.
                let _ = timeout(PATIENCE, connection.close()).await;
            }
            Ok(Err(_)) | Err(_) => sleep(LOOK).await,
        }
    }
}

/// Whether a caller who gets no connection now waits for other callers of this process, and not
/// for the server. Never true where nobody watches.
pub fn is_ours() -> bool {
    taken_within(BELIEVED)
}

/// Why a caller got no connection.
pub(crate) fn reason() -> DbError {
    if is_ours() {
        DbError::Exhausted
    } else {
        DbError::Deadline
    }
}

fn taken_within(time: Duration) -> bool {
    taken().is_some_and(|at| at.elapsed() < time)
}

fn taken() -> std::sync::MutexGuard<'static, Option<Instant>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

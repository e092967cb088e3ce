//! Who comes with an API key: looked up in the keys of its org, which are kept for a moment.
//!
//! The keys of an org are one stream, and what is known of it is never older than [`STALE_AFTER`]:
//! a revoked key is refused everywhere within that time, with no process telling any other. Before
//! a key is refused as unknown the stream is read anew, so that one made a moment ago in another
//! process is good here. When the stream cannot be read, nobody gets in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use quick_cache::sync::Cache;
use tierline_domain::access::{KeyState, Keyring};
use tierline_domain::{ApiKeyId, OrgId, StreamId};
use tierline_eventstore::{CommandError, EventStore};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use super::api_key::ShownKey;
use crate::caller::Caller;

/// The stream of the API keys of an org, beside those of its things.
pub const KEYRING: &str = "api-keys";
/// How old the knowledge about the keys of an org may be.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// Pause between two looks at the keys of an org because of texts that are not known; whoever comes
/// with one meanwhile waits, and so guesses neither read often nor come in quick succession.
const GUESS_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for the keys of an org; together with the above less than ten seconds.
const LOOK_UP: Duration = Duration::from_secs(4);
/// Orgs whose keys are kept.
const ORGS: usize = 1_024;
/// Looks at streams at the same time; more wait, and strangers cannot fill the pool.
const LOOKS: usize = 4;
/// Uses that wait to be written down; more are not noted.
const USES: usize = 10_000;

/// Why an API key is refused. The caller is told the same for all but the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// It has not the form of a key, or its checksum does not fit.
    #[error("malformed")]
    Malformed,
    /// The org has no such key.
    #[error("unknown")]
    Unknown,
    /// The key is there and has another text.
    #[error("wrong secret")]
    WrongSecret,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// The keys of the org cannot be read.
    #[error("unavailable")]
    Unavailable,
}

impl KeyRefusal {
    /// A fixed word for a metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Malformed => "key_malformed",
            Self::Unknown => "key_unknown",
            Self::WrongSecret => "key_wrong_secret",
            Self::Expired => "key_expired",
            Self::Revoked => "key_revoked",
            Self::Unavailable => "key_unavailable",
        }
    }
}

#[derive(Clone)]
struct Known {
    since: Instant,
    ring: Arc<Keyring>,
}

/// When a key was last used.
pub type Uses = HashMap<(OrgId, ApiKeyId), Timestamp>;

/// Looks API keys up. Cheap to clone; all clones share what is kept.
#[derive(Clone)]
pub struct ApiKeys(Arc<Inner>);

struct Inner {
    store: EventStore,
    known: Cache<OrgId, Known>,
    looks: Semaphore,
    uses: Mutex<Uses>,
}

impl ApiKeys {
    /// Over the streams of a store.
    pub fn new(store: EventStore) -> Self {
        Self(Arc::new(Inner {
            store,
            known: Cache::new(ORGS),
            looks: Semaphore::new(LOOKS),
            uses: Mutex::new(HashMap::new()),
        }))
    }

    /// The caller that the text of a key stands for.
    ///
    /// # Errors
    /// Why it is refused.
    pub async fn identify(&self, text: &str) -> Result<Arc<Caller>, KeyRefusal> {
        let came = Instant::now();
        let shown = ShownKey::parse(text).ok_or(KeyRefusal::Malformed)?;
        let fresh = |known: &Known| known.since.elapsed() < STALE_AFTER;
        let ring = self.ring(&shown.org, fresh).await?;
        let now = Timestamp::now();
        let caller = match accept(&ring, &shown, now) {
            Err(KeyRefusal::Unknown | KeyRefusal::WrongSecret) => {
                if let Some(known) = self.0.known.get(&shown.org) {
                    sleep_until(known.since + GUESS_PAUSE).await;
                }
                let ring = self.ring(&shown.org, |known| known.since >= came).await?;
                accept(&ring, &shown, now)?
            }
            verdict => verdict?,
        };
        let mut uses = self.0.uses.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (shown.org, shown.id);
        if uses.len() < USES || uses.contains_key(&key) {
            uses.insert(key, now);
        }
        Ok(Arc::new(caller))
    }

    /// Takes out what was used since the last time, to be written down.
    pub fn take_uses(&self) -> Uses {
        let mut uses = self.0.uses.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut uses)
    }

    /// Forgets the keys of an org, since they have just changed.
    pub fn forget(&self, org: &OrgId) {
        self.0.known.remove(org);
    }

    /// The keys of an org, read unless what is known of them will do.
    async fn ring(
        &self,
        org: &OrgId,
        will_do: impl Fn(&Known) -> bool,
    ) -> Result<Arc<Keyring>, KeyRefusal> {
        let known = || self.0.known.get(org).filter(&will_do);
        if let Some(known) = known() {
            return Ok(known.ring);
        }
        let look = async {
            let permit = self.0.looks.acquire().await;
            let _permit = permit.map_err(|_| KeyRefusal::Unavailable)?;
            // Somebody else may have looked while this call waited.
            match known() {
                Some(known) => Ok(known.ring),
                None => self.look(org).await,
            }
        };
        let looked = timeout(LOOK_UP, look).await;
        looked.unwrap_or(Err(KeyRefusal::Unavailable))
    }

    async fn look(&self, org: &OrgId) -> Result<Arc<Keyring>, KeyRefusal> {
        let since = Instant::now();
        let stream = StreamId::new(org, KEYRING);
        let loaded = self.0.store.load::<Keyring>(&stream).await;
        let ring = loaded.map_err(|error| unreadable(org, &error))?.state;
        let known = Known {
            since,
            ring: Arc::clone(&ring),
        };
        self.0.known.insert(org.clone(), known);
        Ok(ring)
    }
}

fn unreadable(org: &OrgId, error: &CommandError) -> KeyRefusal {
    tracing::error!(%org, %error, "the API keys of {org} cannot be read: {error}");
    KeyRefusal::Unavailable
}

fn accept(ring: &Keyring, shown: &ShownKey, now: Timestamp) -> Result<Caller, KeyRefusal> {
    if ring.is_unreadable() {
        return Err(KeyRefusal::Unavailable);
    }
    let key = ring.key(shown.id.as_str()).ok_or(KeyRefusal::Unknown)?;
    match key.state(now) {
        KeyState::Revoked => return Err(KeyRefusal::Revoked),
        KeyState::Expired => return Err(KeyRefusal::Expired),
        KeyState::Active => {}
    }
    if !shown.is_one_of(key.secrets_at(now)) {
        return Err(KeyRefusal::WrongSecret);
    }
    let created = &key.created;
    Ok(Caller {
        subject: created.name.clone(),
        org: shown.org.clone(),
        roles: created.roles.clone(),
        partner: created.partner.clone(),
        api_key: Some(shown.id.clone()),
    })
}

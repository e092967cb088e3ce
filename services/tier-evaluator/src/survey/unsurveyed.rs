//! Which orgs are to be surveyed.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// The orgs in which something may have changed that others look at; shared between those who note
/// them and the surveyor.
#[derive(Debug, Clone, Default)]
pub struct Unsurveyed {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    orgs: Mutex<BTreeSet<String>>,
    bell: Notify,
}

impl Unsurveyed {
    /// Notes an org.
    pub(crate) fn note(&self, org: &str) {
        self.note_all([org.to_owned()]);
    }

    pub(crate) fn note_all(&self, noted: impl IntoIterator<Item = String>) {
        let mut orgs = self.orgs();
        let before = orgs.len();
        orgs.extend(noted);
        if orgs.len() > before {
            self.inner.bell.notify_one();
        }
    }

    /// Takes one of those that `may` be surveyed.
    pub(crate) fn take(&self, may: impl Fn(&str) -> bool) -> Option<String> {
        let mut orgs = self.orgs();
        let org = orgs.iter().find(|org| may(org)).cloned()?;
        orgs.take(&org)
    }

    /// Waits until one is noted that was not before.
    pub(crate) async fn noted(&self) {
        self.inner.bell.notified().await;
    }

    /// A panic elsewhere leaves a set of names as it was.
    fn orgs(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        let orgs = self.inner.orgs.lock();
        orgs.unwrap_or_else(PoisonError::into_inner)
    }
}

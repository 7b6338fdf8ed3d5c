//! What fires now, and what was told of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_catalog::AlertRecord;
use goldentime_model::{Alert, Fingerprint, UnixNanos};

/// Most alerts that fire at once; further ones are shown and kept, but not told. Not more than the
/// catalogue gives back after a restart.
pub(super) const ACTIVE_MAX: usize = goldentime_catalog::ROWS_MAX as usize;

/// Active alerts by fingerprint. Cheap to clone; all clones show the same.
#[derive(Clone, Default)]
pub(super) struct Book(Arc<Mutex<HashMap<Fingerprint, AlertRecord>>>);

impl Book {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, AlertRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an alert that was not active; `false` if the book is full.
    pub(super) fn enter(&self, record: AlertRecord) -> bool {
        let mut book = self.lock();
        let fits = book.len() < ACTIVE_MAX;
        if fits {
            book.insert(record.alert.fingerprint, record);
        }
        fits
    }

    /// Takes new facts over into an active alert, whose identity and stages stay; gives it back.
    pub(super) fn update(&self, news: &Alert) -> Option<AlertRecord> {
        let mut book = self.lock();
        let record = book.get_mut(&news.fingerprint)?;
        record.alert.annotations.clone_from(&news.annotations);
        record.alert.severity = news.severity;
        Some(record.clone())
    }

    /// Ends an alert; gives what was known of it.
    pub(super) fn leave(&self, fingerprint: Fingerprint) -> Option<AlertRecord> {
        self.lock().remove(&fingerprint)
    }

    /// Notes that an alert's page was dispatched; gives it back.
    pub(super) fn told(&self, fingerprint: Fingerprint, at: UnixNanos) -> Option<AlertRecord> {
        let mut book = self.lock();
        let record = book.get_mut(&fingerprint)?;
        record.told = true;
        record.alert.stages.dispatched.get_or_insert(at);
        Some(record.clone())
    }

    /// Notes the first delivery of an episode; `None` if it was noted before or is not active.
    pub(super) fn delivered(
        &self,
        fingerprint: Fingerprint,
        episode: &str,
        at: UnixNanos,
    ) -> Option<AlertRecord> {
        let mut book = self.lock();
        let record = book.get_mut(&fingerprint).filter(|record| record.alert.episode == episode)?;
        if record.alert.stages.delivered.is_some() {
            return None;
        }
        record.alert.stages.delivered = Some(at);
        Some(record.clone())
    }

    /// One active alert.
    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<AlertRecord> {
        self.lock().get(&fingerprint).cloned()
    }

    /// All active alerts, oldest first.
    pub(super) fn active(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self.lock().values().map(|record| record.alert.clone()).collect();
        alerts.sort_by(|a, b| (a.starts_at, &a.episode).cmp(&(b.starts_at, &b.episode)));
        alerts
    }
}

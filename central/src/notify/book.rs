//! What fires now, and what was told of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_catalog::AlertRecord;
use goldentime_model::{Alert, Fingerprint, UnixNanos};
use tokio::sync::watch;

use super::inhibit::Inhibitor;

/// Most alerts that fire at once; further ones are shown and kept, but not told. Not more than the
/// catalogue gives back after a restart.
pub(super) const ACTIVE_MAX: usize = goldentime_catalog::ROWS_MAX as usize;

/// Active alerts by fingerprint. Cheap to clone; all clones show the same.
#[derive(Clone, Default)]
pub(super) struct Book(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pages: Mutex<Pages>,
    /// Told when an alert is over: what it inhibited may be told.
    left: watch::Sender<()>,
}

#[derive(Default)]
struct Pages {
    active: HashMap<Fingerprint, AlertRecord>,
    inhibitor: Inhibitor,
}

impl Book {
    /// An empty one, in which alerts inhibit others by these rules.
    pub(super) fn new(inhibitor: Inhibitor) -> Self {
        let pages = Mutex::new(Pages { active: HashMap::new(), inhibitor });
        Self(Arc::new(Shared { pages, left: watch::Sender::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an alert that was not active; `false` if the book is full.
    pub(super) fn enter(&self, record: AlertRecord) -> bool {
        let mut pages = self.lock();
        let fits = pages.active.len() < ACTIVE_MAX;
        if fits {
            pages.inhibitor.fires(&record.alert);
            pages.active.insert(record.alert.fingerprint, record);
        }
        fits
    }

    /// Alerts that inhibit this one now.
    pub(super) fn inhibited_by(&self, alert: &Alert) -> Vec<Fingerprint> {
        self.lock().inhibitor.of(alert)
    }

    /// Tells whenever an alert is over.
    pub(super) fn leavings(&self) -> watch::Receiver<()> {
        self.0.left.subscribe()
    }

    /// Takes new facts over into an active alert, whose identity and stages stay; gives it back.
    /// What others found lasts until `expires_at`.
    pub(super) fn update(&self, news: &Alert, expires_at: Option<UnixNanos>) -> Option<AlertRecord> {
        let mut pages = self.lock();
        let record = pages.active.get_mut(&news.fingerprint)?;
        record.alert.annotations.clone_from(&news.annotations);
        record.alert.severity = news.severity;
        record.expires_at = expires_at.or(record.expires_at);
        Some(record.clone())
    }

    /// Ends an alert; gives what was known of it.
    pub(super) fn leave(&self, fingerprint: Fingerprint) -> Option<AlertRecord> {
        let mut pages = self.lock();
        let record = pages.active.remove(&fingerprint)?;
        pages.inhibitor.is_over(&record.alert);
        drop(pages);
        self.0.left.send_replace(());
        Some(record)
    }

    /// Notes that an alert's page was dispatched; gives it back.
    pub(super) fn told(&self, fingerprint: Fingerprint, at: UnixNanos) -> Option<AlertRecord> {
        let mut pages = self.lock();
        let record = pages.active.get_mut(&fingerprint)?;
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
        let mut pages = self.lock();
        let record = pages.active.get_mut(&fingerprint).filter(|record| record.alert.episode == episode)?;
        if record.alert.stages.delivered.is_some() {
            return None;
        }
        record.alert.stages.delivered = Some(at);
        Some(record.clone())
    }

    /// One active alert.
    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<AlertRecord> {
        self.lock().active.get(&fingerprint).cloned()
    }

    /// Active alerts that others found and say nothing of any more.
    pub(super) fn expired(&self, now: UnixNanos) -> Vec<AlertRecord> {
        let pages = self.lock();
        let expired = |record: &&AlertRecord| record.expires_at.is_some_and(|at| at <= now);
        pages.active.values().filter(expired).cloned().collect()
    }

    /// Active alerts whose page was dispatched before an instant, with when that was.
    pub(super) fn told_before(&self, before: UnixNanos) -> Vec<(AlertRecord, UnixNanos)> {
        let pages = self.lock();
        let told = pages.active.values().filter(|record| record.told);
        let when = |record: &AlertRecord| Some((record.clone(), record.alert.stages.dispatched?));
        told.filter(|record| record.alert.stages.dispatched.is_some_and(|at| at <= before))
            .filter_map(when)
            .collect()
    }

    /// All active alerts, oldest first.
    pub(super) fn active(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self.lock().active.values().map(|record| record.alert.clone()).collect();
        alerts.sort_by(|a, b| (a.starts_at, &a.episode).cmp(&(b.starts_at, &b.episode)));
        alerts
    }
}

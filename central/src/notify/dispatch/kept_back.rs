//! What people are not told of for now.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{AlertRecord, PageKind};
use goldentime_model::{AlertStatus, Fingerprint};
use tokio::time::Instant;

use super::Dispatcher;
use crate::notify::group::Batch;
use crate::notify::route::Branch;

impl Dispatcher {
    /// When something that keeps people from being told may change by itself.
    pub(super) fn next_change(&self) -> Option<Instant> {
        if self.suppressed.is_empty() && self.muted.is_empty() {
            return None;
        }
        let at = self.suppression.next_change(!self.muted.is_empty())?;
        let wait = u64::try_from(at.since(self.deps.clock.now())).unwrap_or(0);
        Some(Instant::now() + Duration::from_nanos(wait))
    }

    /// Tells of what is not kept back any more and still fires. What another central judges by now is told there.
    pub(super) fn look_again(&mut self) {
        let now = Instant::now();
        for fingerprint in std::mem::take(&mut self.suppressed) {
            let record = self.book.get(fingerprint).filter(|record| !record.told);
            let Some(record) = record.filter(|record| (self.deps.owns)(&record.alert.labels)) else {
                continue;
            };
            if self.suppression.of(&record.alert).is_some() {
                self.suppressed.insert(fingerprint);
            } else {
                self.tell(&record, PageKind::Fired, now);
            }
        }
        for (fingerprint, key) in std::mem::take(&mut self.muted) {
            let record = self.book.get(fingerprint);
            let Some(record) = record.filter(|record| (self.deps.owns)(&record.alert.labels)) else {
                continue;
            };
            let branches = self.suppression.routes.of(&record.alert.labels, &record.targets);
            for branch in branches.into_iter().filter(|branch| branch.key == key) {
                if self.suppression.mutes(&branch) {
                    self.muted.insert((fingerprint, key.clone()));
                } else {
                    self.tell_over(vec![branch], &record, PageKind::Fired, now);
                }
            }
        }
    }

    /// Whether nobody is to be told of an alert now over these routes; then it is remembered.
    pub(super) fn keeps_back(&mut self, record: &AlertRecord, branches: &[Arc<Branch>]) -> bool {
        let Some(reason) = self.suppression.of(&record.alert) else { return false };
        let fingerprint = record.alert.fingerprint;
        if record.told {
            // It was told over others of its routes.
            self.muted.extend(branches.iter().map(|branch| (fingerprint, branch.key.clone())));
        } else if self.suppressed.insert(fingerprint) {
            kept_back(reason);
        }
        true
    }

    /// Takes out of a batch what was silenced or inhibited while it waited.
    pub(super) fn drop_kept_back(&mut self, batch: &mut Batch) {
        let firing = batch.alerts.iter().filter(|alert| alert.status == AlertStatus::Firing);
        let kept: BTreeSet<Fingerprint> = firing
            .filter(|alert| self.suppression.of(alert).is_some())
            .map(|alert| alert.fingerprint)
            .collect();
        if kept.is_empty() {
            return;
        }
        let is_kept = |fingerprint: &Fingerprint| kept.contains(fingerprint);
        let dropped: Vec<_> = batch.pages.extract_if(.., |page| is_kept(&page.fingerprint)).collect();
        for page in dropped {
            let record = self.book.get(page.fingerprint).filter(|_| page.key.kind == PageKind::Fired);
            let Some(record) = record else { continue };
            let branches = self.suppression.routes.of(&record.alert.labels, &record.targets);
            let of_batch = |branch: &Arc<Branch>| {
                branch.group_key(&branch.group_labels(&record.alert.labels)) == batch.key
            };
            self.keeps_back(&record, &branches.into_iter().filter(of_batch).collect::<Vec<_>>());
        }
        batch.alerts.retain(|alert| !is_kept(&alert.fingerprint));
    }
}

/// Counts a page that nobody was told, once for each time that it is kept back.
pub(super) fn kept_back(reason: &'static str) {
    metrics::counter!("goldentime_pages_suppressed_total", "reason" => reason).increment(1);
}

//! What is told together: alerts of one route with the same labels, by default of one rule over one service.
//!
//! As with Alertmanager's `group_interval`, the first page of a group leaves at once, or after its `group_wait`, and
//! further ones wait for its end; a group in which nothing fires any more is forgotten, so its next alert is first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use goldentime_catalog::{PageKey, PageKind};
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels};
use tokio::time::Instant;

use super::route::Branch;

/// Alerts in one message; the news comes first, and what does not fit is counted in it.
pub(super) const ALERTS_PER_MESSAGE_MAX: usize = 100;

/// A page of one alert.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) key: PageKey,
    pub(super) fingerprint: Fingerprint,
}

impl Page {
    pub(super) fn of(alert: &Alert, kind: PageKind) -> Self {
        let key = PageKey { episode: alert.episode.clone(), kind };
        Self { key, fingerprint: alert.fingerprint }
    }
}

/// What a group has to tell now.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) key: String,
    pub(super) labels: Labels,
    pub(super) channels: Arc<[String]>,
    pub(super) pages: Vec<Page>,
    pub(super) alerts: Vec<Alert>,
}

impl Batch {
    /// What only one alert has to tell.
    pub(super) fn of_one(alert: &Alert, kind: PageKind, channels: Arc<[String]>) -> Self {
        let (labels, pages) = (alert.labels.clone(), vec![Page::of(alert, kind)]);
        Self { key: alert.fingerprint.to_string(), labels, channels, pages, alerts: vec![alert.clone()] }
    }
}

struct Group {
    branch: Arc<Branch>,
    labels: Labels,
    members: BTreeMap<Fingerprint, Alert>,
    pages: Vec<Page>,
    told_at: Option<Instant>,
}

/// All groups in which something fires or waits to be told.
#[derive(Default)]
pub(super) struct Groups {
    groups: HashMap<String, Group>,
    due: BTreeSet<(Instant, String)>,
}

impl Groups {
    /// Adds news of an alert that came to a branch; gives the batch if the group may tell at once.
    pub(super) fn add(
        &mut self,
        branch: &Arc<Branch>,
        alert: Alert,
        kind: PageKind,
        now: Instant,
    ) -> Option<Batch> {
        let labels = branch.group_labels(&alert.labels);
        let key = branch.group_key(&labels);
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group {
            branch: Arc::clone(branch),
            labels,
            members: BTreeMap::new(),
            pages: Vec::new(),
            told_at: None,
        });
        group.pages.push(Page::of(&alert, kind));
        group.members.insert(alert.fingerprint, alert);
        let ended = group.members.values().all(|alert| alert.status == AlertStatus::Resolved);
        let due = match group.told_at {
            Some(at) => at + branch.group_interval,
            None => now + branch.group_wait,
        };
        if due <= now || ended {
            return self.take(&key, now);
        }
        self.due.insert((due, key));
        None
    }

    /// Notes the end of an alert of which nothing is to be told over a branch.
    pub(super) fn forget(&mut self, branch: &Branch, alert: &Alert) {
        let key = branch.group_key(&branch.group_labels(&alert.labels));
        if let Some(group) = self.groups.get_mut(&key) {
            if group.pages.iter().any(|page| page.fingerprint == alert.fingerprint) {
                // Its page still waits, and shows how it ended.
                group.members.insert(alert.fingerprint, alert.clone());
                return;
            }
            group.members.remove(&alert.fingerprint);
            if group.members.is_empty() && group.pages.is_empty() {
                self.groups.remove(&key);
            }
        }
    }

    /// When the next group is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the batch of a group whose time is over.
    pub(super) fn due(&mut self, now: Instant) -> Option<Batch> {
        while self.due.first().is_some_and(|(at, _)| *at <= now) {
            let (_, key) = self.due.pop_first()?;
            if let Some(batch) = self.take(&key, now) {
                return Some(batch);
            }
        }
        None
    }

    /// Takes whatever waits, due or not: the central stops.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Batch> {
        let (_, key) = self.due.pop_first()?;
        self.take(&key, now).or_else(|| self.rest(now))
    }

    fn take(&mut self, key: &str, now: Instant) -> Option<Batch> {
        let group = self.groups.get_mut(key)?;
        let pages = std::mem::take(&mut group.pages);
        if pages.is_empty() {
            return None;
        }
        group.told_at = Some(now);
        let news: BTreeSet<Fingerprint> = pages.iter().map(|page| page.fingerprint).collect();
        let mut alerts: Vec<Alert> = group.members.values().cloned().collect();
        alerts.sort_by_key(|alert| (!news.contains(&alert.fingerprint), alert.starts_at));
        let (labels, channels) = (group.labels.clone(), Arc::clone(&group.branch.channels));
        let batch = Batch { key: key.to_owned(), labels, channels, pages, alerts };
        group.members.retain(|_, alert| alert.status == AlertStatus::Firing);
        if group.members.is_empty() {
            self.groups.remove(key);
        }
        Some(batch)
    }
}

//! What is told together: alerts of one rule over one service.
//!
//! As with Alertmanager's `group_interval`, the first page of a group leaves at once and further ones
//! wait for its end; a group in which nothing fires any more is forgotten, so its next alert is first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use goldentime_catalog::{PageKey, PageKind};
use goldentime_model::alert::label;
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels};
use tokio::time::Instant;

/// Labels by which alerts are grouped.
const GROUP_BY: [&str; 4] = [label::ALERTNAME, label::PROJECT, label::ENVIRONMENT, label::SERVICE];

/// Alerts in one message; the news comes first, and what does not fit is counted in it.
pub(super) const ALERTS_PER_MESSAGE_MAX: usize = 100;

/// A page with the targets that its rule asks for.
#[derive(Clone, Debug)]
pub(super) struct Page {
    pub(super) key: PageKey,
    pub(super) fingerprint: Fingerprint,
    pub(super) targets: Vec<String>,
}

/// What a group has to tell now.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) key: String,
    pub(super) labels: Labels,
    pub(super) pages: Vec<Page>,
    pub(super) alerts: Vec<Alert>,
}

#[derive(Default)]
struct Group {
    labels: Labels,
    members: BTreeMap<Fingerprint, Alert>,
    pages: Vec<Page>,
    told_at: Option<Instant>,
}

/// All groups in which something fires or waits to be told.
pub(super) struct Groups {
    interval: Duration,
    groups: HashMap<String, Group>,
    due: BTreeSet<(Instant, String)>,
}

impl Groups {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, groups: HashMap::new(), due: BTreeSet::new() }
    }

    /// Adds news of an alert; gives the batch if the group may tell at once.
    pub(super) fn add(
        &mut self,
        alert: Alert,
        kind: PageKind,
        targets: Vec<String>,
        now: Instant,
    ) -> Option<Batch> {
        let labels = group_labels(&alert.labels);
        let key = group_key(&labels);
        let group = self.groups.entry(key.clone()).or_default();
        group.labels = labels;
        let fingerprint = alert.fingerprint;
        group.pages.push(Page {
            key: PageKey { episode: alert.episode.clone(), kind },
            fingerprint,
            targets,
        });
        group.members.insert(fingerprint, alert);
        let ended = group.members.values().all(|alert| alert.status == AlertStatus::Resolved);
        match group.told_at.map(|at| at + self.interval).filter(|due| *due > now && !ended) {
            None => self.take(&key, now),
            Some(due) => {
                self.due.insert((due, key));
                None
            }
        }
    }

    /// Notes the end of an alert of which nothing is to be told.
    pub(super) fn forget(&mut self, alert: &Alert) {
        let key = group_key(&group_labels(&alert.labels));
        if let Some(group) = self.groups.get_mut(&key) {
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
        let batch = Batch { key: key.to_owned(), labels: group.labels.clone(), pages, alerts };
        group.members.retain(|_, alert| alert.status == AlertStatus::Firing);
        if group.members.is_empty() {
            self.groups.remove(key);
        }
        Some(batch)
    }
}

fn group_labels(labels: &Labels) -> Labels {
    GROUP_BY.iter().filter_map(|name| Some(((*name).to_owned(), labels.get(*name)?.clone()))).collect()
}

/// Alertmanager's form: the route's matchers, of which there are none, and the group's labels.
fn group_key(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{}}:{{{}}}", pairs.join(", "))
}

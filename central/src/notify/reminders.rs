//! Telling again what fires on, and telling others what nobody acknowledged.
//!
//! Both are functions of what fires, when it was told first, and who acknowledged it when: whoever decides on an alert
//! next, after a restart or on another central, comes to the same pages with the same identities, and the claims in
//! the catalogue keep them from being told twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{AlertRecord, PageKind};
use goldentime_model::{Fingerprint, UnixNanos};

use super::group::{Batch, Page};
use super::route::{Branch, Routes};
use super::suppress::Suppression;

/// How often is looked.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was reminded of in this run.
pub(super) struct Reminders {
    suppression: Suppression,
    /// Nothing is reminded of sooner; none where no route asks for it.
    soonest_ns: Option<i64>,
    /// By group: the instant of its last repeat.
    repeated: HashMap<String, UnixNanos>,
    /// By group and episode: others were told.
    escalated: HashSet<(String, String)>,
    /// Episodes of which services that keep incidents know who takes care.
    cared_for: HashSet<String>,
}

/// Alerts of one group, with when each was told first.
struct Members {
    branch: Arc<Branch>,
    all: Vec<(AlertRecord, UnixNanos)>,
}

impl Reminders {
    pub(super) fn new(suppression: Suppression) -> Self {
        let soonest_ns = soonest(&suppression.routes);
        Self {
            suppression,
            soonest_ns,
            repeated: HashMap::new(),
            escalated: HashSet::new(),
            cared_for: HashSet::new(),
        }
    }

    /// Whether there is anything to look for.
    pub(super) const fn are_wanted(&self) -> bool {
        self.soonest_ns.is_some()
    }

    /// What is to be told now of alerts that `owns` says are ours.
    pub(super) fn due(&mut self, owns: impl Fn(&AlertRecord) -> bool) -> Vec<Batch> {
        let Some(soonest_ns) = self.soonest_ns else { return Vec::new() };
        let now = self.suppression.clock.now();
        let groups = self.groups(now, soonest_ns, owns);
        let mut batches = Vec::new();
        for (key, members) in &groups {
            batches.extend(self.repeat(key, members, now));
            batches.extend(self.escalate(key, members, now));
        }
        self.repeated.retain(|key, _| groups.contains_key(key));
        self.escalated.retain(|(key, _)| groups.contains_key(key));
        batches
    }

    /// What was told long enough ago, nobody takes care of, and nothing keeps back.
    fn groups(
        &self,
        now: UnixNanos,
        soonest_ns: i64,
        owns: impl Fn(&AlertRecord) -> bool,
    ) -> BTreeMap<String, Members> {
        let told = self.suppression.book.told_before(now.saturating_add(-soonest_ns));
        let mut groups: BTreeMap<String, Members> = BTreeMap::new();
        for (record, told_at) in told {
            let alert = &record.alert;
            let is_cared_for = self.suppression.decisions.acknowledged(&alert.episode).is_some();
            if is_cared_for || !owns(&record) || self.suppression.of(alert).is_some() {
                continue;
            }
            for branch in self.suppression.routes.of(&alert.labels, &record.targets) {
                if self.suppression.mutes(&branch) {
                    continue;
                }
                let key = branch.group_key(&branch.group_labels(&alert.labels));
                let members = groups.entry(key).or_insert_with(|| Members { branch, all: Vec::new() });
                members.all.push((record.clone(), told_at));
            }
        }
        groups
    }

    /// What somebody takes care of since the last look.
    pub(super) fn acknowledged(&mut self, owns: impl Fn(&AlertRecord) -> bool) -> Vec<Batch> {
        let episodes = self.suppression.decisions.acknowledged_episodes();
        self.cared_for.retain(|episode| episodes.contains(episode));
        let mut batches = Vec::new();
        for episode in episodes {
            let record =
                fingerprint_of(&episode).and_then(|fingerprint| self.suppression.book.get(fingerprint));
            let record =
                record.filter(|record| record.alert.episode == episode && record.told && owns(record));
            let Some(record) = record else { continue };
            if self.cared_for.insert(episode) {
                for branch in self.suppression.routes.of(&record.alert.labels, &record.targets) {
                    let channels = Arc::clone(&branch.channels);
                    batches.push(Batch::of_one(&record.alert, PageKind::Acknowledged, channels));
                }
            }
        }
        batches
    }

    /// A group repeats at multiples of its interval since its oldest alert was told.
    fn repeat(&mut self, key: &str, members: &Members, now: UnixNanos) -> Option<Batch> {
        let interval = nanos(members.branch.repeat_interval?);
        let oldest = members.all.iter().map(|(_, told_at)| *told_at).min()?;
        let times = now.since(oldest) / interval;
        let at = oldest.saturating_add(times * interval);
        if times < 1 || self.repeated.get(key).is_some_and(|last| *last >= at) {
            return None;
        }
        self.repeated.insert(key.to_owned(), at);
        // An alert's own count, which goes on when the oldest one of the group ends.
        let nth =
            |told_at: UnixNanos| u32::try_from(at.since(told_at).max(0) / interval + 1).unwrap_or(u32::MAX);
        let page = |(record, told_at): &(AlertRecord, UnixNanos)| {
            Page::of(&record.alert, PageKind::Repeated(nth(*told_at)))
        };
        Some(members.batch(key, &members.branch.channels, members.all.iter().map(page).collect()))
    }

    fn escalate(&mut self, key: &str, members: &Members, now: UnixNanos) -> Option<Batch> {
        let escalation = members.branch.escalation.as_ref()?;
        let after = nanos(escalation.after);
        let mut pages = Vec::new();
        for (record, told_at) in members.all.iter().filter(|(_, told_at)| now.since(*told_at) >= after) {
            if self.escalated.insert((key.to_owned(), record.alert.episode.clone())) {
                metrics::counter!("goldentime_pages_escalated_total").increment(1);
                let alert = &record.alert;
                tracing::info!(
                    episode = alert.episode,
                    told_at = told_at.0,
                    "nobody acknowledged an alert; telling others"
                );
                pages.push(Page::of(alert, PageKind::Escalated));
            }
        }
        (!pages.is_empty()).then(|| members.batch(key, &escalation.channels, pages))
    }

    /// Where the end of an alert is to be told beside its route, since it was escalated.
    pub(super) fn also_told(&self, branch: &Branch, record: &AlertRecord) -> Option<Arc<[String]>> {
        let escalation = branch.escalation.as_ref()?;
        let due = record.alert.stages.dispatched?.saturating_add(nanos(escalation.after));
        let cared_for = self.suppression.decisions.acknowledged(&record.alert.episode).map(|by| by.at);
        let is_escalated = due <= self.suppression.clock.now() && cared_for.is_none_or(|at| at >= due);
        is_escalated.then(|| {
            let channels = escalation.channels.iter().filter(|channel| !branch.channels.contains(channel));
            channels.cloned().collect()
        })
    }
}

impl Members {
    fn batch(&self, key: &str, channels: &Arc<[String]>, pages: Vec<Page>) -> Batch {
        let mut alerts: Vec<_> = self.all.iter().map(|(record, _)| record.alert.clone()).collect();
        let is_news = |fingerprint| pages.iter().any(|page| page.fingerprint == fingerprint);
        alerts.sort_by_key(|alert| (!is_news(alert.fingerprint), alert.starts_at));
        let labels = alerts.first().map(|alert| self.branch.group_labels(&alert.labels)).unwrap_or_default();
        Batch { key: key.to_owned(), labels, channels: Arc::clone(channels), pages, alerts }
    }
}

/// An episode's id begins with the fingerprint.
fn fingerprint_of(episode: &str) -> Option<Fingerprint> {
    u64::from_str_radix(episode.split('-').next()?, 16).ok().map(Fingerprint)
}

fn soonest(routes: &Routes) -> Option<i64> {
    let waits = routes.all().into_iter().flat_map(|branch| {
        [branch.repeat_interval, branch.escalation.as_ref().map(|escalation| escalation.after)]
    });
    waits.flatten().map(nanos).min()
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX).max(1)
}

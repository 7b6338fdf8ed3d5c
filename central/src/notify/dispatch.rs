//! The task that takes transitions and hands notifications to the channels.
//!
//! It never waits: not for the disk, not for a channel. What it knows is written beside, by
//! [`super::record`], after the notifications are on their way.

mod kept_back;
mod posted;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{AlertRecord, Notification, PageKey, PageKind};
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Alert, AlertStatus, Fingerprint, UnixNanos};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use self::kept_back::kept_back;
use super::book::Book;
use super::config::NotifyConfig;
use super::debounce::Debounce;
use super::foreign::RESOLVE_TIMEOUT_NS;
use super::group::{ALERTS_PER_MESSAGE_MAX, Batch, Groups};
use super::handle::Elsewhere;
use super::heartbeat::Pulse;
use super::others::{Delivery, News};
use super::outlet::Outlet;
use super::record::{Recorder, Write};
use super::reminders::{self, Reminders};
use super::restore::Left;
use super::route::Branch;
use super::start::Deps;
use super::suppress::Suppression;
use crate::evaluate::transition::{Change, Transition};

/// The id of the news of these pages over a channel: the same after a restart.
pub(super) fn notification_id(channel: &str, pages: &[PageKey]) -> String {
    let mut parts: Vec<String> =
        pages.iter().map(|page| format!("{}/{}", page.episode, page.kind.name().replace(' ', "-"))).collect();
    parts.sort();
    match parts.as_slice() {
        [one] => format!("{channel}/{one}").replace('/', "."),
        _ => format!("{channel}.{:016x}", xxhash_rust::xxh64::xxh64(parts.join("\n").as_bytes(), 0)),
    }
}

/// The stages before the channels.
pub(super) struct Dispatcher {
    deps: Deps,
    book: Book,
    debounce: Debounce,
    suppression: Suppression,
    /// Alerts that nobody was told of because they are inhibited or silenced.
    suppressed: BTreeSet<Fingerprint>,
    /// Alerts of which a route is not told because of the time, by its key.
    muted: BTreeSet<(Fingerprint, String)>,
    groups: Groups,
    reminders: Reminders,
    outlets: Vec<Outlet>,
    recorder: Recorder,
    pulse: Pulse,
}

impl Dispatcher {
    pub(super) fn new(
        config: &NotifyConfig,
        deps: Deps,
        suppression: Suppression,
        outlets: Vec<Outlet>,
        recorder: Recorder,
        pulse: Pulse,
    ) -> Self {
        Self {
            deps,
            book: suppression.book.clone(),
            debounce: Debounce::new(config.debounce.get()),
            reminders: Reminders::new(suppression.clone()),
            suppression,
            suppressed: BTreeSet::new(),
            muted: BTreeSet::new(),
            groups: Groups::default(),
            outlets,
            recorder,
            pulse,
        }
    }

    /// Goes on where an earlier run ended: what was queued is sent, what was held is told.
    pub(super) fn resume(&mut self, left: Left) {
        let now = Instant::now();
        for (fingerprint, ago) in left.resolved {
            self.debounce.resolved(fingerprint, now.checked_sub(ago).unwrap_or(now));
        }
        // Who sends finds the queue by itself.
        let pending = if self.deps.halves.sends { left.pending } else { Vec::new() };
        for notification in pending {
            match self.outlets.iter().find(|outlet| outlet.name == notification.channel) {
                Some(outlet) => outlet.hand_over(notification),
                None => {
                    tracing::warn!(channel = notification.channel, "a queued page's channel is gone");
                    let at = self.deps.clock.now();
                    let outcome = goldentime_catalog::Outcome::Dead {
                        reason: "the channel is not in the configuration any more".into(),
                    };
                    let (attempts, notification) = (notification.attempts, Box::new(notification));
                    self.recorder.write(Write::Finish { notification, attempts, outcome, at });
                }
            }
        }
        // Whether an alert that nobody was told of is held back is known to who judges it.
        let active = if self.deps.halves.decides { left.active } else { Vec::new() };
        let expires_at = Some(self.deps.clock.now().saturating_add(RESOLVE_TIMEOUT_NS));
        for mut record in active {
            // Who found it may not have been able to say it again.
            record.expires_at = record.expires_at.max(expires_at.filter(|_| record.expires_at.is_some()));
            let (told, fingerprint) = (record.told, record.alert.fingerprint);
            if self.book.enter(record.clone()) {
                // Who was told before a restart is not told again; a route that was muted may have to be.
                let branches = self.suppression.routes.of(&record.alert.labels, &record.targets);
                let owed = branches.into_iter().filter(|branch| !told || branch.has_intervals());
                self.tell_over(owed.collect(), &record, PageKind::Fired, now);
            }
            tracing::debug!(%fingerprint, told, "an alert of the earlier run is still active");
        }
    }

    /// Runs until the transitions end, then until the channels have told of their last delivery.
    pub(super) async fn run(
        mut self,
        mut transitions: mpsc::Receiver<Transition>,
        mut elsewhere: mpsc::Receiver<Elsewhere>,
        mut reports: mpsc::Receiver<Delivery>,
    ) {
        let mut reporting = true;
        let mut ticks = tokio::time::interval(reminders::LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut decided, mut left) = (self.suppression.decisions.changes(), self.book.leavings());
        // What was decided before this task began to listen.
        self.look_again();
        self.tell_acknowledged();
        loop {
            let due = [self.groups.next_due(), self.debounce.next_due(), self.next_change()];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                biased;
                transition = transitions.recv() => match transition {
                    Some(transition) => self.transition(transition),
                    None => break,
                },
                Some(news) = elsewhere.recv() => match news {
                    Elsewhere::TakenOver(record) => self.take_over(&record),
                    Elsewhere::Pages(pages) => self.hand_over(pages),
                    Elsewhere::Delivered(delivery) => self.delivered(delivery),
                    Elsewhere::Posted(posted) => self.posted(posted),
                },
                report = reports.recv(), if reporting => match report {
                    Some(report) => self.sent(report),
                    None => reporting = false,
                },
                Ok(()) = decided.changed() => {
                    self.look_again();
                    self.tell_acknowledged();
                }
                Ok(()) = left.changed() => self.look_again(),
                () = until(due) => self.due(),
                _ = ticks.tick() => {
                    self.pulse.beat(self.deps.clock.now());
                    self.expire();
                    if self.reminders.are_wanted() {
                        self.remind();
                    }
                }
            }
        }
        while let Some(batch) = self.groups.rest(Instant::now()) {
            self.send(batch);
        }
        self.outlets.clear();
        while let Some(report) = reports.recv().await {
            self.sent(report);
        }
    }

    /// Pages that another central decided on, for the channels that it means.
    fn hand_over(&self, pages: Vec<Notification>) {
        for notification in pages {
            match self.outlets.iter().find(|outlet| outlet.name == notification.channel) {
                Some(outlet) => outlet.hand_over(notification),
                None => tracing::error!(
                    channel = notification.channel,
                    "another central decided on a page over a channel that is not configured here: centrals that share \
                     their work need the same `notify.channels`"
                ),
            }
        }
    }

    /// Who fired it may have sent its page without having noted that, so whether to send is asked once more.
    fn take_over(&mut self, record: &AlertRecord) {
        if self.book.get(record.alert.fingerprint).is_none() {
            self.book.enter(record.clone());
        }
        self.tell(record, PageKind::Fired, Instant::now());
    }

    fn transition(&mut self, transition: Transition) {
        match transition.change {
            Change::Fired | Change::Updated => self.fired(transition),
            Change::Resolved => self.resolved(transition),
        }
    }

    /// A rule that is told true again, such as after a restart, is news only in its facts.
    fn fired(&mut self, transition: Transition) {
        if let Some(record) = self.book.update(&transition.alert, None) {
            self.publish(record);
            return;
        }
        let record = AlertRecord {
            alert: transition.alert,
            targets: transition.targets.iter().map(ToString::to_string).collect(),
            tell_resolve: transition.tell_resolve,
            told: false,
            expires_at: None,
        };
        self.begin(record);
    }

    /// Enters an alert that was not active and tells of it.
    fn begin(&mut self, record: AlertRecord) {
        let (fingerprint, now) = (record.alert.fingerprint, Instant::now());
        if !self.book.enter(record.clone()) {
            metrics::counter!(DROPS_TOTAL, "component" => "notify", "reason" => "too_many_active")
                .increment(1);
            tracing::error!(%fingerprint, "too many alerts fire at once; this one is not told");
            self.publish(record);
        } else if self.debounce.holds(fingerprint, now) {
            metrics::counter!("goldentime_pages_debounced_total").increment(1);
            self.publish(record);
        } else {
            self.tell(&record, PageKind::Fired, now);
            if let Some(record) = self.book.get(fingerprint) {
                self.publish(record);
            }
        }
    }

    fn resolved(&mut self, transition: Transition) {
        let now = Instant::now();
        let fingerprint = transition.alert.fingerprint;
        let held = self.debounce.resolved(fingerprint, now);
        // One that this run never saw fire may have been told by an earlier one.
        let mut record = self.book.leave(fingerprint).unwrap_or_else(|| AlertRecord {
            alert: transition.alert.clone(),
            targets: transition.targets.iter().map(ToString::to_string).collect(),
            tell_resolve: transition.tell_resolve,
            told: true,
            expires_at: None,
        });
        record.alert.status = AlertStatus::Resolved;
        record.alert.ends_at = transition.alert.ends_at.or_else(|| Some(self.deps.clock.now()));
        record.alert.annotations.clone_from(&transition.alert.annotations);
        // Nobody hears of the end of what nobody was told of.
        let held = self.suppressed.remove(&fingerprint) || held;
        let branches = self.suppression.routes.of(&record.alert.labels, &record.targets);
        let (silent, told): (Vec<_>, Vec<_>) = branches.into_iter().partition(|branch| {
            self.muted.remove(&(fingerprint, branch.key.clone())) || held || !record.tell_resolve
        });
        silent.iter().for_each(|branch| self.groups.forget(branch, &record.alert));
        let also: Vec<_> =
            told.iter().filter_map(|branch| self.reminders.also_told(branch, &record)).collect();
        self.tell_over(told, &record, PageKind::Resolved, now);
        for channels in also {
            self.send(Batch::of_one(&record.alert, PageKind::Resolved, channels));
        }
        self.publish(record);
    }

    /// Tells again of what fires on, and others of what nobody takes care of.
    fn remind(&mut self) {
        let owns = Arc::clone(&self.deps.owns);
        for batch in self.reminders.due(|record| owns(&record.alert.labels)) {
            self.send(batch);
        }
    }

    /// Tells services that keep incidents of which somebody takes care by now.
    fn tell_acknowledged(&mut self) {
        let owns = Arc::clone(&self.deps.owns);
        for batch in self.reminders.acknowledged(|record| owns(&record.alert.labels)) {
            self.send(batch);
        }
    }

    fn due(&mut self) {
        let now = Instant::now();
        self.look_again();
        while let Some(fingerprint) = self.debounce.due(now) {
            if let Some(record) = self.book.get(fingerprint).filter(|record| !record.told) {
                self.tell(&record, PageKind::Fired, now);
            }
        }
        while let Some(batch) = self.groups.due(now) {
            self.send(batch);
        }
    }

    fn tell(&mut self, record: &AlertRecord, kind: PageKind, now: Instant) {
        let branches = self.suppression.routes.of(&record.alert.labels, &record.targets);
        self.tell_over(branches, record, kind, now);
    }

    /// Tells of an alert over some of its routes, unless it is kept back. The end of what was told is always told:
    /// it can only calm.
    fn tell_over(&mut self, branches: Vec<Arc<Branch>>, record: &AlertRecord, kind: PageKind, now: Instant) {
        let alert = &record.alert;
        if kind == PageKind::Fired && self.keeps_back(record, &branches) {
            return;
        }
        for branch in branches {
            if kind == PageKind::Fired && self.suppression.mutes(&branch) {
                kept_back("muted");
                self.muted.insert((alert.fingerprint, branch.key.clone()));
            } else if let Some(batch) = self.groups.add(&branch, alert.clone(), kind, now) {
                self.send(batch);
            }
        }
    }

    /// Hands the batch to every channel that gets a page of it, then notes that it was told.
    fn send(&mut self, mut batch: Batch) {
        self.drop_kept_back(&mut batch);
        let at = self.deps.clock.now();
        let mut told = Vec::new();
        for alert in &mut batch.alerts {
            if batch.pages.iter().any(|page| page.fingerprint == alert.fingerprint) {
                alert.stages.dispatched.get_or_insert(at);
            }
        }
        let mut notifications = Vec::new();
        for outlet in self.outlets.iter().filter(|outlet| batch.channels.contains(&outlet.name)) {
            let pages: Vec<PageKey> = batch
                .pages
                .iter()
                .filter(|page| outlet.takes(page.key.kind))
                .map(|page| page.key.clone())
                .collect();
            if !pages.is_empty() {
                let notification = notification(&outlet.name, &batch, pages, at);
                outlet.hand_over(notification.clone());
                notifications.push(notification);
            }
        }
        if !notifications.is_empty() {
            if !self.deps.halves.sends {
                self.deps.others.tell(News::Pages(notifications.clone()));
            }
            self.recorder.write(Write::Enqueue(notifications));
        }
        for page in batch.pages.iter().filter(|page| page.key.kind == PageKind::Fired) {
            told.extend(self.book.told(page.fingerprint, at));
        }
        for record in told {
            self.publish(record);
        }
    }

    /// A channel here delivered: who judges the alerts notes it.
    fn sent(&mut self, delivery: Delivery) {
        match self.deps.halves.decides {
            true => self.delivered(delivery),
            false => self.deps.others.tell(News::Delivered(delivery)),
        }
    }

    fn delivered(&mut self, delivery: Delivery) {
        for alert in &delivery.alerts {
            if let Some(record) = self.book.delivered(alert.fingerprint, &alert.episode, delivery.at) {
                if let Some(ms) = record.alert.stages.golden_time_ms() {
                    metrics::histogram!("goldentime_golden_time_seconds").record(ms / 1000.0);
                }
                self.publish(record);
            }
        }
    }

    /// Into the history and to the live page.
    fn publish(&self, record: AlertRecord) {
        if let Some(alerts) = &self.deps.alerts
            && alerts.try_send(record.alert.clone()).is_err()
        {
            metrics::counter!(DROPS_TOTAL, "component" => "notify_live", "reason" => "queue_full")
                .increment(1);
        }
        if self.deps.others.exist() {
            self.deps.others.tell(News::Alert(Box::new(record.clone())));
        }
        self.recorder.write(Write::Alert(Box::new(record)));
    }
}

fn notification(channel: &str, batch: &Batch, pages: Vec<PageKey>, at: UnixNanos) -> Notification {
    let alerts: Vec<Alert> = batch.alerts.iter().take(ALERTS_PER_MESSAGE_MAX).cloned().collect();
    Notification {
        id: notification_id(channel, &pages),
        channel: channel.to_owned(),
        group_key: batch.key.clone(),
        group_labels: batch.labels.clone(),
        pages,
        alerts,
        created_at: at,
        attempts: 0,
        recovered: false,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => tokio::time::sleep(Duration::from_secs(3600)).await,
    }
}

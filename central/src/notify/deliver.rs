//! One task a channel: claims, sends, tries again. A slow channel delays nobody but itself.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goldentime_catalog::{Notification, Outcome, PageKey};
use goldentime_model::Alert;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::channels::{Channel, SendError};
use super::claim::{Claims, Leave};
use super::health::Health;
use super::others::Delivery;
use super::record::{Recorder, Write};
use super::retry::{Next, RetryPolicy};

/// Notifications that wait for one channel in memory; further ones wait in the catalogue.
pub(super) const QUEUE_MAX: usize = 1024;

/// Delivered pages that a channel remembers while their end is on its way to the catalogue.
const TOLD_MAX: usize = 4096;

/// How often the catalogue is asked for what did not fit into the queue.
const OVERFLOW_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is asked for what another central had claimed and did not send. What is found for the first time is
/// left until the next look: who was kept from the catalogue may have sent it, and writes both when it is back.
const ORPHANS_INTERVAL: Duration = Duration::from_secs(5);

/// The newest pages that were delivered.
#[derive(Default)]
pub(super) struct Told {
    pages: HashSet<PageKey>,
    by_age: VecDeque<PageKey>,
}

impl Told {
    fn has_all(&self, pages: &[PageKey]) -> bool {
        pages.iter().all(|page| self.pages.contains(page))
    }

    fn add(&mut self, pages: &[PageKey]) {
        for page in pages {
            if self.pages.insert(page.clone()) {
                self.by_age.push_back(page.clone());
            }
        }
        while self.by_age.len() > TOLD_MAX {
            if let Some(oldest) = self.by_age.pop_front() {
                self.pages.remove(&oldest);
            }
        }
    }
}

/// A channel's task.
pub(super) struct Worker {
    pub(super) name: String,
    pub(super) overflowed: Arc<AtomicBool>,
    /// Other centrals send over this channel too.
    pub(super) is_shared: bool,
    pub(super) channel: Arc<dyn Channel>,
    pub(super) timeout: Duration,
    pub(super) policy: RetryPolicy,
    pub(super) claims: Claims,
    pub(super) recorder: Recorder,
    pub(super) reports: mpsc::Sender<Delivery>,
    pub(super) health: Health,
    pub(super) stopping: CancellationToken,
    pub(super) told: Told,
    /// What waited at the last look for orphans, by id.
    pub(super) seen: HashSet<String>,
}

/// How a notification left the worker.
enum End {
    Ended(Outcome),
    /// Another central has it. Should it fail, the catalogue shows it again.
    Elsewhere,
    /// The central stops; the next run goes on.
    Left,
}

impl Worker {
    /// Sends until the queue closes. Once the central stops and the channel fails, what is left stays
    /// in the catalogue for the next run.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Notification>) {
        let channel = Arc::clone(&self.channel);
        let mut warm = tokio::time::interval(channel.warm_interval().unwrap_or(Duration::from_secs(3600)));
        let mut overflow = tokio::time::interval(OVERFLOW_INTERVAL);
        let mut orphans = tokio::time::interval(ORPHANS_INTERVAL);
        // A look that the catalogue kept waiting is not followed by the next at once.
        orphans.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(notification) => {
                        if matches!(self.handle(notification).await, End::Left) {
                            return;
                        }
                        self.health.taken();
                    }
                    None => return,
                },
                _ = warm.tick(), if channel.warm_interval().is_some() => {
                    let _ = tokio::time::timeout(self.timeout, channel.warm()).await;
                }
                _ = overflow.tick() => self.take_up_overflow().await,
                _ = orphans.tick(), if self.is_shared => self.take_up_orphans().await,
            }
        }
    }

    /// Sends what did not fit into the queue, as the catalogue kept it.
    async fn take_up_overflow(&mut self) {
        if !self.overflowed.swap(false, Ordering::AcqRel) {
            return;
        }
        let Ok(pending) = self.claims.catalogue.pending().await else {
            self.overflowed.store(true, Ordering::Release);
            return;
        };
        let name = self.name.clone();
        for notification in pending.into_iter().filter(|notification| notification.channel == name) {
            if matches!(self.handle(notification).await, End::Left) {
                return;
            }
        }
    }

    /// Sends what waits in the catalogue since the last look or longer.
    async fn take_up_orphans(&mut self) {
        let before = std::mem::take(&mut self.seen);
        let Ok(pending) = self.claims.catalogue.pending().await else { return };
        let ours: Vec<_> = pending.into_iter().filter(|found| found.channel == self.name).collect();
        self.seen = ours.iter().map(|found| found.id.clone()).collect();
        for notification in ours.into_iter().filter(|found| before.contains(&found.id)) {
            if matches!(self.handle(notification).await, End::Left) {
                return;
            }
        }
    }

    async fn handle(&mut self, notification: Notification) -> End {
        let leave = match self.told.has_all(&notification.pages) {
            true => Leave::Told,
            false => self.claims.ask(&notification, self.timeout).await,
        };
        match leave {
            Leave::Granted => {}
            Leave::Elsewhere => return End::Elsewhere,
            Leave::Told => {
                metrics::counter!("goldentime_notifications_known_total", "channel" => self.name.clone())
                    .increment(1);
                self.finish(notification, 0, Outcome::Delivered);
                return End::Ended(Outcome::Delivered);
            }
        }
        if notification.recovered && notification.attempts > 0 {
            metrics::counter!("goldentime_notification_repeats_total", "channel" => self.name.clone())
                .increment(1);
        }
        let mut attempts = notification.attempts;
        let end = self.attempt(&notification, &mut attempts).await;
        if let End::Ended(outcome) = &end {
            self.finish(notification, attempts, outcome.clone());
        }
        end
    }

    async fn attempt(&mut self, notification: &Notification, attempts: &mut u32) -> End {
        let mut waits = self.policy.waits();
        loop {
            *attempts += 1;
            let error = match tokio::time::timeout(self.timeout, self.channel.send(notification)).await {
                Ok(Ok(())) => {
                    let at = self.claims.clock.now();
                    self.health.delivered(at);
                    self.told.add(&notification.pages);
                    let told = |alert: &&Alert| notification.pages.iter().any(|p| p.episode == alert.episode);
                    let alerts = notification.alerts.iter().filter(told).cloned().collect();
                    // The dispatcher ends only after this task, so it is there to hear it.
                    let _ = self.reports.send(Delivery { alerts, at }).await;
                    return End::Ended(Outcome::Delivered);
                }
                Ok(Err(error)) => error,
                Err(_) => SendError::Retry { reason: "no answer in time".into(), after: None },
            };
            let reason = error.to_string();
            self.health.failed(&reason);
            match self.policy.next(&error, *attempts, &mut waits) {
                Next::GiveUp => {
                    tracing::error!(channel = self.name, reason, attempts, "gave up a notification");
                    self.health.dead();
                    return End::Ended(Outcome::Dead { reason });
                }
                Next::After(wait) => {
                    tracing::warn!(channel = self.name, reason, wait_ms = wait.as_millis(), "trying again");
                    let outcome = Outcome::Retrying { reason };
                    self.finish(notification.clone(), *attempts, outcome);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stopping.cancelled() => return End::Left,
                    }
                    match self.claims.ask(notification, self.timeout).await {
                        Leave::Granted => {}
                        Leave::Elsewhere => return End::Elsewhere,
                        Leave::Told => return End::Ended(Outcome::Delivered),
                    }
                }
            }
        }
    }

    fn finish(&self, notification: Notification, attempts: u32, outcome: Outcome) {
        let at = self.claims.clock.now();
        self.recorder.write(Write::Finish { notification: Box::new(notification), attempts, outcome, at });
    }
}

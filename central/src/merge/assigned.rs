//! The partitions that a group gives to this central and takes from it: a shard and readers for each, from
//! the checkpoint on, for as long as it is ours.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::Catalogue;
use goldentime_log::ReadLog;
use goldentime_log::kafka::{Assigned, Feed, GroupEvent, Revoked};
use goldentime_model::Alert;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_runtime::{TaskKind, Tasks};
use goldentime_windows::{Checkpoint, resume_point};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::bases::chain;
use super::replay_end::ReplayEnd;
use super::start::{Resume, Shards};
use crate::evaluate::engine::service_of;
use crate::ingest::logged::Logged;
use crate::notify;
use crate::persist::Readers;

/// Records that wait for a shard.
const LOGGED_MAX: usize = 1024;
/// Pause between attempts to learn where a partition goes on.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long the alerts that fire are waited for. Without them a page may come a second time.
const ALERTS_WITHIN: Duration = Duration::from_secs(2);

/// What partitions are begun with.
pub struct Begin {
    /// Begins shards.
    pub shards: Shards,
    /// Begin to read a partition for a database.
    pub readers: Vec<Readers>,
    /// The log that shards merge, to learn where it ends.
    pub log: Arc<dyn ReadLog>,
    /// Knows the alerts that fire.
    pub catalogue: Arc<dyn Catalogue>,
    /// Alerts that were firing at the start, where the catalogue does not answer.
    pub open_alerts: Vec<Alert>,
    /// Tells what its former owner left untold.
    pub notifier: notify::Handle,
    /// Partitions of the log.
    pub partitions: u32,
    /// Where shards and readers run.
    pub tasks: Tasks,
}

/// A partition that is ours.
struct Held {
    /// Ends its readers.
    reading: CancellationToken,
    /// Resolves when the shard has ended.
    merged: oneshot::Receiver<()>,
}

/// Owns partitions as the group says, until its member ends.
pub async fn run(mut events: mpsc::Receiver<GroupEvent>, begin: Begin) {
    let begin = Arc::new(begin);
    let mut held: HashMap<u32, Held> = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            GroupEvent::Assigned(assigned) => {
                let partition = assigned.partition;
                tracing::info!(partition, committed = assigned.committed, "a partition is ours");
                let reading = begin.tasks.stopping().child_token();
                let (ended, merged) = oneshot::channel();
                // What was lost a moment ago may come back before its shard has ended.
                let before = held.remove(&partition).map(|lost| lost.merged);
                let own = Arc::clone(&begin).own(*assigned, before, reading.clone());
                // Each takes its time to learn where it goes on, so all do at the same time.
                begin.tasks.spawn(TaskKind::Station, "merge", async move {
                    own.await;
                    // Whoever waits is told by the end of the channel as well.
                    let _ = ended.send(());
                });
                held.insert(partition, Held { reading, merged });
            }
            GroupEvent::Revoked(revoked) => {
                tracing::info!(partition = revoked.partition, "a partition goes to somebody else");
                let held = held.remove(&revoked.partition);
                // Others are revoked at the same time: nobody waits for this one.
                begin.tasks.spawn(TaskKind::Station, "bring-home", bring_home(held, revoked));
            }
            GroupEvent::Lost { partition } => {
                tracing::warn!(partition, "a partition was lost: this central was not heard of for too long");
                if let Some(lost) = held.get(&partition) {
                    lost.reading.cancel();
                }
            }
        }
    }
}

impl Begin {
    /// Owns a partition to its end, after the shard that owned it `before` has ended.
    async fn own(
        self: Arc<Self>,
        assigned: Assigned,
        before: Option<oneshot::Receiver<()>>,
        reading: CancellationToken,
    ) {
        if let Some(before) = before {
            // An error is its end as well.
            let _ = before.await;
        }
        let (partition, tenure) = (assigned.partition, assigned.tenure.clone());
        // What is noticed later may have been lost before the checkpoint was chosen.
        let losses = self.shards.windows().health().losses;
        let (checkpoint, replay_until) = tokio::select! {
            place = self.place(partition) => place,
            () = tenure.ended() => return,
        };
        let open_alerts = self.alerts(partition).await;
        let from = checkpoint.as_ref().map_or(1, |checkpoint| checkpoint.offset + 1);
        let feed = assigned.start(from);
        let (logged, records) = mpsc::channel(LOGGED_MAX);
        let replay_end = ReplayEnd::at(replay_until);
        let handed = from - 1;
        self.tasks.spawn(TaskKind::Station, "feed", pump(feed, logged, handed, replay_end.clone()));
        for readers in &self.readers {
            readers.begin(partition, reading.clone());
        }
        let resume = Resume { checkpoint, replay_end, records, tenure: Some(tenure), losses };
        self.shards.begin(partition, resume, open_alerts).await;
    }

    /// From where a partition goes on, and where the log ends now. Asks until it is told: to begin at the
    /// wrong place would be worse.
    async fn place(&self, partition: u32) -> (Option<Checkpoint>, u64) {
        loop {
            let checkpoint =
                resume_point(&**self.shards.windows(), &**self.shards.checkpoints(), partition).await;
            let error = match (checkpoint, self.log.bounds(partition).await) {
                (Ok(checkpoint), Ok(bounds)) => {
                    // What is not there any more is not waited for.
                    let is_empty = bounds.first > bounds.last;
                    return (checkpoint, if is_empty { 0 } else { bounds.last });
                }
                (Err(error), _) => chain(&error),
                (_, Err(error)) => chain(&error),
            };
            tracing::warn!(partition, error, "cannot learn where a partition goes on; asking again");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Alerts that fire, of which those of this partition that nobody was told of are told.
    async fn alerts(&self, partition: u32) -> Vec<Alert> {
        match tokio::time::timeout(ALERTS_WITHIN, self.catalogue.active_alerts()).await {
            Ok(Ok(active)) => {
                let is_ours = |alert: &Alert| {
                    service_of(&alert.labels).is_some_and(|id| id.partition(self.partitions) == partition)
                };
                for record in active.iter().filter(|record| !record.told && is_ours(&record.alert)) {
                    self.notifier.take_over(record.clone()).await;
                }
                active.into_iter().map(|record| record.alert).collect()
            }
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("the catalogue does not answer: alerts that fire may be told once more");
                self.open_alerts.clone()
            }
        }
    }
}

/// Waits until everything of a partition is written, and says so.
async fn bring_home(held: Option<Held>, revoked: Revoked) {
    if let Some(Held { reading, merged }) = held {
        reading.cancel();
        // An error is the shard's end as well.
        let _ = merged.await;
    }
    revoked.done();
}

/// Hands entries that follow the one at `handed` to a shard, until the partition is not ours any more.
async fn pump(mut feed: Feed, logged: mpsc::Sender<Logged>, mut handed: u64, replay_end: ReplayEnd) {
    let partition = feed.partition();
    while let Some(batch) = feed.next().await {
        if batch.lost > 0 {
            metrics::counter!(DROPS_TOTAL, "component" => "log", "reason" => "truncated_unread")
                .increment(batch.lost);
        }
        if batch.entries.is_empty() {
            replay_end.lower(handed);
        }
        for entry in batch.entries {
            let (offset, append_time) = (entry.offset, entry.append_time);
            let Some((read, _)) = Logged::read_back(entry) else {
                tracing::error!(partition, offset, "a record in the log cannot be read");
                metrics::counter!(DROPS_TOTAL, "component" => "log", "reason" => "damaged").increment(1);
                continue;
            };
            // The way began where the log took it.
            let read = Logged { received: Some(append_time), ..read };
            if logged.send(read).await.is_err() {
                return;
            }
            handed = offset;
        }
    }
}

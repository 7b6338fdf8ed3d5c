//! The second merge: a shard that judges nothing and tells nothing.

use std::sync::Arc;
use std::time::Duration;

use goldentime_log::{LogError, ReadLog};
use goldentime_runtime::SharedClock;
use goldentime_windows::{Checkpoint, CheckpointStore, Losses, StoreError, WindowStore};
use metrics::NoopRecorder;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tracing::Dispatch;
use tracing::dispatcher::with_default;

use super::{Head, Offer, Reach, Rebuilder};
use crate::evaluate::handle::StatusBoard;
use crate::ingest::logged::Logged;
use crate::merge::bases::chain;
use crate::merge::exchange::Exchange;
use crate::merge::late::Late;
use crate::merge::lateness::LogTime;
use crate::merge::outcome::Applied;
use crate::merge::replay_end::ReplayEnd;
use crate::merge::shard::{BATCH_RECORDS_MAX, Shard, ShardSettings};
use crate::merge::start::Owned;

/// Pause after something did not answer.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Past {
    partition: u32,
    partitions: u32,
    generation: u32,
    services_max: usize,
    open_bytes_max: usize,
    unknown_grace: Duration,
    store: Arc<dyn WindowStore>,
    checkpoints: Arc<dyn CheckpointStore>,
    clock: SharedClock,
    losses: Losses,
    log: Arc<dyn ReadLog>,
    turn: Arc<Semaphore>,
    reach: Reach,
    head: watch::Receiver<Head>,
    offers: mpsc::Sender<Offer>,
}

/// Why a rebuild does not go on.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("the log cannot be read")]
    Log(#[from] LogError),
    #[error("a checkpoint or a window cannot be read")]
    Store(#[from] StoreError),
    #[error("what is late cannot be added to stored windows")]
    Late,
    /// The shard has ended, or begins another rebuild.
    #[error("nobody waits for it any more")]
    Unwanted,
}

impl Past {
    pub(super) fn of(
        shard: &Shard,
        rebuilder: &Rebuilder,
        reach: Reach,
        head: watch::Receiver<Head>,
        offers: mpsc::Sender<Offer>,
    ) -> Self {
        let settings = &shard.settings;
        Self {
            partition: settings.partition,
            partitions: settings.partitions,
            generation: settings.generation,
            services_max: settings.services_max,
            open_bytes_max: settings.open_bytes_max,
            unknown_grace: settings.unknown_grace,
            store: Arc::clone(&shard.store),
            checkpoints: Arc::clone(&shard.checkpoints),
            clock: Arc::clone(&shard.clock),
            losses: shard.losses,
            log: Arc::clone(&rebuilder.log),
            turn: Arc::clone(&rebuilder.turn),
            reach,
            head,
            offers,
        }
    }

    /// Rebuilds, from the beginning again where something fails, until the shard goes on alone.
    pub(super) async fn run(mut self) {
        let Ok(_turn) = Arc::clone(&self.turn).acquire_owned().await else { return };
        let mut is_told = false;
        loop {
            let stop = match self.once().await {
                Ok(()) | Err(Stop::Unwanted) => return,
                Err(stop) => stop,
            };
            if !std::mem::replace(&mut is_told, true) {
                let (partition, error) = (self.partition, chain(&stop));
                tracing::warn!(
                    partition,
                    error,
                    "live windows cannot be rebuilt from the log yet; trying again"
                );
            }
            metrics::counter!("goldentime_windows_rebuild_failures_total").increment(1);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn once(&mut self) -> Result<(), Stop> {
        let checkpoint = self.checkpoints.load(self.partition, self.reach.from).await?;
        let mut shard = self.shard(checkpoint);
        let mut next = shard.partition.offset() + 1;
        loop {
            let head = *self.head.borrow_and_update();
            while next <= head.offset {
                next = self.merge(&mut shard, next, head).await?;
            }
            let (is_taken, taken) = oneshot::channel();
            let log_time = shard.partition.log_time().now();
            let offer = Offer { reached: next - 1, log_time, is_taken };
            self.offers.send(offer).await.map_err(|_| Stop::Unwanted)?;
            if taken.await.map_err(|_| Stop::Unwanted)? {
                return Ok(());
            }
            self.head.changed().await.map_err(|_| Stop::Unwanted)?;
        }
    }

    /// Merges some records from `next` up to the head, and writes what came to its end; gives where to go on.
    async fn merge(&self, shard: &mut Shard, next: u64, head: Head) -> Result<u64, Stop> {
        let mut entries = self.log.read(self.partition, next, BATCH_RECORDS_MAX as u32).await?;
        entries.retain(|entry| entry.offset <= head.offset);
        let Some(last) = entries.last() else {
            if self.log.bounds(self.partition).await?.first > head.offset {
                return Ok(head.offset + 1);
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            return Ok(next);
        };
        let reached = last.offset;
        metrics::counter!("goldentime_windows_rebuilt_records_total").increment(entries.len() as u64);
        let batch = entries.into_iter().filter_map(|entry| Some(Logged::read_back(entry)?.0));
        if !shard.merge_again(batch, head.log_time).await {
            return Err(Stop::Late);
        }
        loop {
            shard.write_closed().await;
            if shard.losses != self.losses {
                return Err(Stop::Unwanted);
            }
            if shard.closed_held == 0 {
                return Ok(reached + 1);
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    fn shard(&self, checkpoint: Option<Checkpoint>) -> Shard {
        let settings = ShardSettings {
            partition: self.partition,
            partitions: self.partitions,
            generation: self.generation,
            services_max: self.services_max,
            open_bytes_max: self.open_bytes_max,
            unknown_grace: self.unknown_grace,
            checkpoint,
            // It never comes to judge.
            replay_end: ReplayEnd::at(u64::MAX),
            open_alerts: Vec::new(),
            owned: Owned::default(),
            tenure: None,
            exchange: Exchange::within(),
            losses: self.losses,
            rebuilder: None,
        };
        let (store, checkpoints) = (Arc::clone(&self.store), Arc::clone(&self.checkpoints));
        let (clock, board) = (Arc::clone(&self.clock), StatusBoard::default());
        let mut shard = Shard::new(settings, &[], store, checkpoints, clock, board, mpsc::channel(1).0);
        shard.base_horizon = self.reach.horizon(self.clock.now());
        shard
    }
}

impl Shard {
    /// Merges records that were merged before, without a word. Cells that no window of `present` reaches back to are
    /// left out. Whether all was added.
    async fn merge_again(&mut self, batch: impl Iterator<Item = Logged>, present: LogTime) -> bool {
        let mut are_added = true;
        for logged in batch {
            self.load_bases(&logged).await;
            let now = self.clock.now();
            let applied = quietly(|| self.partition.apply(&logged, now));
            if applied == Applied::LateInPart {
                let log_time = self.partition.log_time();
                self.late.push(Late { logged, log_time });
            }
            if self.is_crowded() {
                are_added &= self.merge_late().await;
                self.forget_expired(present);
                self.make_room().await;
            }
        }
        are_added &= self.merge_late().await;
        self.forget_expired(present);
        are_added
    }

    fn forget_expired(&mut self, present: LogTime) {
        let services = self.partition.services.all_mut().iter_mut();
        services.for_each(|service| service.cells.forget_expired(present));
    }
}

/// Does something that was counted and logged before.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    metrics::with_local_recorder(&NoopRecorder, || with_default(&Dispatch::none(), work))
}

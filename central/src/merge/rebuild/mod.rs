//! Live windows from the log, beside the shard that judges: what a store has lost is merged once more.
//!
//! [`past`] is a second merge of the same partition. It goes on from a checkpoint that is old enough, writes each
//! cell once that comes to its end, and follows the shard until nothing is left that only it can write. A cell's
//! offset says how far it is whole, whoever writes it, so neither needs to know what the other has put.

mod past;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use goldentime_log::ReadLog;
use goldentime_model::UnixNanos;
use goldentime_runtime::{TaskKind, Tasks};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::late::Late;
use super::lateness::LogTime;
use super::shard::Shard;
use super::start::OPEN_BYTES_PER_SERVICE;
use past::Past;

/// Records whose late part waits for the end of a rebuild. Of those above, whoever rebuilds adds it.
const HELD_MAX: usize = 1024;

/// What makes windows again. Cheap to clone.
#[derive(Clone)]
pub struct Rebuilder {
    tasks: Tasks,
    log: Arc<dyn ReadLog>,
    /// One partition at a time: judging needs the machine.
    turn: Arc<Semaphore>,
}

/// Memory of the cells that a rebuild holds open, beside those that are judged: one partition's.
#[must_use]
pub fn memory_bound_bytes(services_max: u64, partitions: u32) -> u64 {
    services_max.saturating_mul(OPEN_BYTES_PER_SERVICE) / u64::from(partitions.max(1))
}

/// How far a shard has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Last offset applied.
    pub(super) offset: u64,
    /// Log time there.
    pub(super) log_time: LogTime,
}

/// How far back the store may have lost something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// Log time from which on records are merged again.
    pub(super) from: UnixNanos,
    /// What was put before is there.
    pub(super) has_bases: bool,
}

/// Everything up to an offset is written, but for what is still judged.
struct Offer {
    reached: u64,
    /// Log time there.
    log_time: UnixNanos,
    /// Whether nothing is left that the shard cannot write.
    is_taken: oneshot::Sender<bool>,
}

/// A rebuild as its shard sees it. It ends when this is dropped.
pub(super) struct Rebuilding {
    reach: Reach,
    head: watch::Sender<Head>,
    offers: mpsc::Receiver<Offer>,
    /// The late parts of records after this offset are held, or there are none.
    held_from: u64,
    /// The shard has held cells until this log time that it cannot write.
    unsure_until: UnixNanos,
    _end: DropGuard,
}

impl Rebuilder {
    /// Rebuilds from this log, which nobody else reads.
    #[must_use]
    pub fn new(tasks: Tasks, log: Arc<dyn ReadLog>) -> Self {
        Self { tasks, log, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Begins to rebuild what a shard's store has lost.
    pub(super) fn begin(&self, shard: &Shard, reach: Reach) -> Rebuilding {
        let present = shard.head();
        let (head, follows) = watch::channel(present);
        let (offers, offered) = mpsc::channel(1);
        let end = CancellationToken::new();
        let past = Past::of(shard, self, reach, follows, offers);
        let ended = end.clone();
        self.tasks.spawn(TaskKind::Upkeep, "rebuild", async move {
            tokio::select! {
                () = past.run() => {}
                () = ended.cancelled() => {}
            }
        });
        Rebuilding {
            reach,
            head,
            offers: offered,
            held_from: present.offset,
            unsure_until: UnixNanos(i64::MIN),
            _end: end.drop_guard(),
        }
    }
}

impl Reach {
    /// What either reaches.
    pub(super) fn and(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), has_bases: self.has_bases && other.has_bases }
    }
}

impl Rebuilding {
    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }

    /// The shard holds cells that it cannot write, until this log time at most.
    pub(super) fn doubt(&mut self, until: UnixNanos) {
        self.unsure_until = self.unsure_until.max(until);
    }

    /// Takes over the late parts of records, but for the newest: those may be the shard's to add.
    pub(super) fn hold(&mut self, late: &mut Vec<Late>) {
        let above = late.len().saturating_sub(HELD_MAX);
        if let Some(last) = late.drain(..above).last() {
            self.held_from = last.logged.offset;
        }
    }

    /// Tells how far the shard has come. Gives the offset up to which everything is written, once nothing is left that
    /// the shard cannot write.
    pub(super) fn settle(&mut self, head: Head) -> Option<u64> {
        self.head.send_replace(head);
        let offer = self.offers.try_recv().ok()?;
        let is_whole = offer.reached >= self.held_from && offer.log_time >= self.unsure_until;
        // Whoever offers waits for this, or has ended.
        let _ = offer.is_taken.send(is_whole);
        is_whole.then_some(offer.reached)
    }
}

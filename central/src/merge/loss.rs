//! What becomes of the windows that a store has lost: a shard writes again what it still holds, and has the rest
//! made again from the log beside it. Until that is whole, whoever rebuilds adds what is late, and writes what was
//! opened on what the store gave.

use goldentime_model::{Second, UnixNanos};
use goldentime_windows::{CellKey, GoBack, Losses, SecondCell, StoreError, Tier};

use super::accumulate::OpenCell;
use super::lateness::{FUTURE_S_MAX, Pass, judged_until};
use super::rebuild::{Head, Reach};
use super::shard::Shard;

impl Shard {
    /// Opens a cell on what the store gave as its base.
    pub(super) fn open_on(&mut self, key: CellKey, base: Option<(u64, SecondCell)>, pass: Pass) {
        self.unsure = true;
        let until = judged_until(key.tier, key.start);
        self.partition.open(key, base, pass);
        if let Some(rebuilding) = &mut self.rebuilding {
            rebuilding.doubt(until.start());
        }
    }

    /// Acts on a loss that the store has noticed.
    pub(super) fn notice_loss(&mut self) {
        let health = self.store.health();
        if health.losses != self.losses {
            self.lost(health.losses);
        }
        if health.degraded.is_none() {
            self.sound_at = self.partition.log_time().now();
        }
    }

    /// Sees to it that nothing is written that stands on less than had been put.
    pub(super) async fn confirm_bases(&mut self) -> Result<(), StoreError> {
        self.notice_loss();
        // A rebuild that has seen a loss is over.
        let is_void = self.settings.rebuilder.is_none() && self.losses != self.settings.losses;
        if !self.unsure || self.rebuilding.is_some() || is_void {
            return Ok(());
        }
        let losses = self.store.look().await?;
        if losses != self.losses {
            self.lost(losses);
            return Ok(());
        }
        self.unsure = false;
        self.partition.services.all_mut().iter_mut().for_each(|service| service.cells.sure());
        Ok(())
    }

    /// Writes again what is held, and has the rest rebuilt.
    fn lost(&mut self, losses: Losses) {
        let is_all = losses.all != self.losses.all;
        self.losses = losses;
        let services = self.partition.services.all_mut().iter_mut();
        let cells: usize = services.map(|service| service.cells.all_dirty()).sum();
        self.written.has_dirty = true;
        let partition = self.settings.partition;
        tracing::debug!(partition, cells, is_all, "writing again what is in memory");
        let Some(rebuilder) = self.settings.rebuilder.clone() else { return };
        // A loss during a rebuild takes from what that had put.
        let before = self.rebuilding.take().map(|rebuilding| rebuilding.reach());
        self.settings.owned.has_lost(self.settings.partition, self.clock.now());
        let reach = if is_all { Reach::everything(self.head()) } else { Reach::newest(self.sound_at) };
        let reach = before.map_or(reach, |before| before.and(reach));
        let mut rebuilding = rebuilder.begin(self, reach);
        let services = self.partition.services.all_mut().iter();
        if let Some(until) = services.filter_map(|service| service.cells.unsure_until()).max() {
            rebuilding.doubt(until.start());
        }
        self.rebuilding = Some(rebuilding);
    }

    /// How far this shard has come.
    pub(super) fn head(&self) -> Head {
        Head { offset: self.partition.offset(), log_time: self.partition.log_time() }
    }

    /// While a rebuild writes them, lets go of cells that this shard cannot write.
    pub(super) fn leave_unsure(&mut self, which: impl Fn(&OpenCell) -> bool) {
        if self.unsure && self.rebuilding.is_some() {
            self.partition
                .services
                .all_mut()
                .iter_mut()
                .for_each(|service| service.cells.forget_unsure(&which));
        }
    }

    /// Goes on alone once everything is written again.
    pub(super) async fn follow_rebuild(&mut self) {
        let head = self.head();
        let Some(reached) = self.rebuilding.as_mut().and_then(|rebuilding| rebuilding.settle(head)) else {
            return;
        };
        self.leave_unsure(|_| true);
        (self.rebuilding, self.unsure) = (None, false);
        self.store.made_whole(self.settings.partition, self.losses);
        self.settings.owned.is_whole(self.settings.partition, self.clock.now());
        self.late.retain(|late| late.logged.offset > reached);
        self.merge_late().await;
    }
}

impl Reach {
    /// Everything that windows reach back to from a shard's place.
    fn everything(head: Head) -> Self {
        // What began before the checkpoint that is gone on from is not whole; it has expired then.
        let back_s = GoBack::EVERYTHING.log_s + Tier::TenSeconds.width_s() + FUTURE_S_MAX + 1;
        Self { from: head.log_time.now().saturating_add(-back_s * 1_000_000_000), has_bases: false }
    }

    /// What was put shortly before a store was last known to answer.
    fn newest(sound_at: UnixNanos) -> Self {
        Self { from: sound_at.saturating_add(-GoBack::NEWEST.log_s * 1_000_000_000), has_bases: true }
    }

    /// The bases of cells that an earlier put may have left.
    pub(super) fn horizon(self, now: UnixNanos) -> Second {
        if self.has_bases { super::bases::base_horizon(now) } else { Second(i64::MIN) }
    }
}

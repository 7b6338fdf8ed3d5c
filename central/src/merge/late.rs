//! Records that came too late to be judged, such as the backlog after a cut link: they are added to
//! the windows that still reach back to them, and to nothing else.
//!
//! This happens after the judgement of the batch they came in, and in the order of their offsets, so
//! that a cell's offset keeps meaning that every record up to it is in the cell.

use goldentime_model::Second;
use goldentime_windows::{CellKey, Tier};

use super::bases::chain;
use super::lateness::{LogTime, Pass};
use super::shard::Shard;
use crate::ingest::logged::Logged;

/// Most cells that late records hold open before they are written and let go; how big one is depends
/// on the hosts and endpoints that it tells apart. A single record may need more (every second that is
/// kept, some 480 cells), which are then let go before the next.
pub(super) const CLOSED_HELD_MAX: usize = 256;

/// A record whose late part is not added yet.
pub(super) struct Late {
    pub(super) logged: Logged,
    /// Log time when it was applied: says which of its cells are not judged any more.
    pub(super) log_time: LogTime,
}

impl Shard {
    /// Adds the late parts of what was taken in, or leaves that to whoever rebuilds the windows. Whether all were
    /// added.
    pub(super) async fn merge_late(&mut self) -> bool {
        if let Some(rebuilding) = &mut self.rebuilding {
            rebuilding.hold(&mut self.late);
            return true;
        }
        let mut are_added = true;
        for late in std::mem::take(&mut self.late) {
            are_added &= self.open_again(&late).await;
            self.partition.apply_late(&late.logged, late.log_time);
        }
        are_added
    }

    /// Opens the cells that a late record adds to on what is stored of them. A cell whose base cannot
    /// be had, or for which there is no room because the store takes no writes, stays closed: begun
    /// without its base it would replace what is stored. Whether all are open.
    async fn open_again(&mut self, late: &Late) -> bool {
        let Some(service) = &late.logged.service else { return true };
        let mut needed = self.closed_cells_of(late);
        if self.closed_held + needed.len() > CLOSED_HELD_MAX {
            self.write_closed().await;
            needed = self.closed_cells_of(late);
            if self.closed_held > 0 && self.closed_held + needed.len() > CLOSED_HELD_MAX {
                return false;
            }
        }
        for (tier, start) in needed {
            match self.base(service, tier, start).await {
                Ok(base) => {
                    self.open_on(CellKey { service: service.clone(), tier, start }, base, Pass::Late);
                    self.closed_held += 1;
                }
                Err(error) => {
                    tracing::warn!(%service, start = start.0, error = %chain(&error), "late requests are not added to windows");
                    return false;
                }
            }
        }
        true
    }

    fn closed_cells_of(&self, late: &Late) -> Vec<(Tier, Second)> {
        let mut needed = Vec::new();
        self.partition.cells_of(&late.logged, late.log_time, Pass::Late, |tier, start| {
            if !needed.contains(&(tier, start)) {
                needed.push((tier, start));
            }
        });
        needed
    }

    /// Writes what is not judged any more, and lets go of it. What cannot be written stays, and is
    /// tried again with the rest.
    pub(super) async fn write_closed(&mut self) {
        let log_time = self.partition.log_time();
        for tier in [Tier::OneSecond, Tier::TenSeconds] {
            // A failure is logged there, and leaves the cells held.
            let _ = self.write_tier(tier, |open| !log_time.is_judged(open.tier, open.start)).await;
        }
        self.close_cells();
    }
}

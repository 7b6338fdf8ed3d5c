//! How far this process has written each cell: what keeps an older state from following a newer one
//! over the same connection.

use std::collections::BTreeMap;

use goldentime_model::{Second, ServiceId};
use hashbrown::HashMap;

use super::job::CellWrite;
use crate::store::{CellKey, StoredCell, Tier};
use crate::watermark::Horizon;

/// Place of a cell within its service.
type Place = (Tier, Second, u32);

/// What this process knows of what it has put.
#[derive(Default)]
pub(super) struct Guard {
    services: HashMap<ServiceId, Service>,
    /// How far the index says that each partition has come.
    watermarks: HashMap<u32, i64>,
    cells: usize,
    cells_max: usize,
}

#[derive(Default)]
struct Service {
    reached: BTreeMap<Place, Reached>,
    /// By partition, until which event second the index says that cells are kept.
    indexed: HashMap<u32, i64>,
}

#[derive(Clone, Copy)]
struct Reached {
    offset: u64,
    /// Redis has said that it has this.
    answered: bool,
}

/// What becomes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is to be written.
    Write,
    /// Redis has it, or a newer one.
    Have,
    /// A newer one is under way, of which nobody knows yet whether it arrives.
    Overtaken,
    /// There are too many cells.
    Full,
}

impl Guard {
    pub(super) fn new(cells_max: usize) -> Self {
        Self { cells_max, ..Self::default() }
    }

    /// Asks for leave to write a cell. Whoever gets it writes before anybody else may ask.
    pub(super) fn claim(&mut self, cell: &StoredCell) -> Claim {
        let place = place(&cell.key, cell.partition);
        let service = match self.services.get_mut(&cell.key.service) {
            Some(service) => service,
            None => self.services.entry(cell.key.service.clone()).or_default(),
        };
        let new = Reached { offset: cell.offset, answered: false };
        match service.reached.get_mut(&place) {
            Some(old) if old.answered && cell.offset <= old.offset => Claim::Have,
            Some(old) if cell.offset < old.offset => Claim::Overtaken,
            Some(old) => {
                *old = new;
                Claim::Write
            }
            None if self.cells >= self.cells_max => Claim::Full,
            None => {
                service.reached.insert(place, new);
                self.cells += 1;
                Claim::Write
            }
        }
    }

    /// Whether a cell that was claimed may be sent once more: nothing newer has been claimed since.
    pub(super) fn is_newest(&self, key: &CellKey, write: &CellWrite) -> bool {
        let service = self.services.get(&key.service);
        let reached = service.and_then(|service| service.reached.get(&place(key, write.partition)));
        reached.is_none_or(|reached| reached.offset <= write.offset)
    }

    /// Notes that Redis has a cell.
    pub(super) fn answered(&mut self, key: &CellKey, partition: u32, offset: u64) {
        if let Some(service) = self.services.get_mut(&key.service)
            && let Some(reached) = service.reached.get_mut(&place(key, partition))
        {
            reached.answered |= reached.offset == offset;
        }
    }

    /// Whether the index does not say yet that a service's cells are kept as long.
    pub(super) fn extends_index(&self, service: &ServiceId, partition: u32, kept_until: i64) -> bool {
        let known = self.services.get(service).and_then(|service| service.indexed.get(&partition));
        known.is_none_or(|known| *known < kept_until)
    }

    /// Notes that the index says so.
    pub(super) fn indexed(&mut self, service: &ServiceId, partition: u32, kept_until: i64) {
        if let Some(service) = self.services.get_mut(service) {
            let known = service.indexed.entry(partition).or_insert(kept_until);
            *known = (*known).max(kept_until);
        }
    }

    /// Whether the index does not say yet that a partition has come as far.
    pub(super) fn extends_watermark(&self, partition: u32, second: Second) -> bool {
        self.watermarks.get(&partition).is_none_or(|known| *known < second.0)
    }

    /// Notes that the index says so.
    pub(super) fn watermark_indexed(&mut self, partition: u32, second: i64) {
        let known = self.watermarks.entry(partition).or_insert(second);
        *known = (*known).max(second);
    }

    /// Another process may have written this partition since.
    pub(super) fn forget_partition(&mut self, partition: u32) {
        self.watermarks.remove(&partition);
        self.retain(|(_, _, owner)| *owner != partition);
        for service in self.services.values_mut() {
            service.indexed.remove(&partition);
        }
    }

    /// Redis may have nothing any more of what it said it had: older states of its cells may come again, from whoever reads
    /// the log again.
    pub(super) fn forget_all(&mut self) {
        self.watermarks.clear();
        self.services.clear();
        self.cells = 0;
    }

    /// Gives back the memory of what has expired.
    pub(super) fn sweep(&mut self, horizon: &Horizon) {
        self.retain(|(tier, start, partition)| !horizon.has_expired(*partition, *tier, *start));
    }

    fn retain(&mut self, mut keep: impl FnMut(&Place) -> bool) {
        let mut cells = 0;
        self.services.retain(|_, service| {
            service.reached.retain(|place, _| keep(place));
            cells += service.reached.len();
            !service.reached.is_empty()
        });
        self.cells = cells;
    }
}

fn place(key: &CellKey, partition: u32) -> Place {
    (key.tier, key.start, partition)
}

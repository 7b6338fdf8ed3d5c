//! Cells in memory: shards by service, each with a lock of its own, and the limits over all of them.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Second, ServiceId};
use hashbrown::{DefaultHashBuilder, HashMap};

use super::config::WindowsConfig;
use crate::store::{CellKey, StoredCell, Tier};
use crate::watermark::Horizon;

/// Locks over which the services are spread: a writer for each core and some readers seldom meet.
const SHARDS: usize = 64;

/// Place of a cell within its service. Ordered as it is read.
type Place = (Tier, Second, u32);

#[derive(Debug)]
struct Cell {
    offset: u64,
    blob: Bytes,
    /// It is in the file as it is here.
    saved: bool,
}

type Service = BTreeMap<Place, Cell>;

type Shard = HashMap<ServiceId, Service>;

/// All cells, within their limits.
#[derive(Debug)]
pub(super) struct Cells {
    shards: Vec<Mutex<Shard>>,
    hasher: DefaultHashBuilder,
    services: AtomicUsize,
    services_max: usize,
    bytes: AtomicU64,
    bytes_max: u64,
    refused: AtomicU64,
    /// A refusal was logged since the last sweep.
    refusal_logged: AtomicBool,
}

/// Why a cell was not stored.
#[derive(Clone, Copy)]
enum Refusal {
    Services,
    Bytes,
    Expired,
}

impl Refusal {
    const fn reason(self) -> &'static str {
        match self {
            Self::Services => "services_max",
            Self::Bytes => "cells_bytes_max",
            Self::Expired => "expired",
        }
    }
}

impl Cells {
    pub(super) fn new(config: &WindowsConfig) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            services: AtomicUsize::new(0),
            services_max: config.services_max.max(1) as usize,
            bytes: AtomicU64::new(0),
            bytes_max: config.cells_bytes_max.get(),
            refused: AtomicU64::new(0),
            refusal_logged: AtomicBool::new(false),
        }
    }

    /// Stores a cell unless a newer one of the same partition stands in its place, it has expired, or
    /// a limit is reached. `saved` says that it comes from the file.
    pub(super) fn put(&self, cell: StoredCell, horizon: &Horizon, saved: bool) {
        if horizon.has_expired(cell.partition, cell.key.tier, cell.key.start) {
            return self.refuse(Refusal::Expired, &cell.key.service);
        }
        let mut shard = self.shard(&cell.key.service);
        let place = (cell.key.tier, cell.key.start, cell.partition);
        let new = Cell { offset: cell.offset, blob: cell.blob, saved };
        let service = match shard.get_mut(&cell.key.service) {
            Some(service) => service,
            None if self.services.load(Ordering::Relaxed) >= self.services_max => {
                drop(shard);
                return self.refuse(Refusal::Services, &cell.key.service);
            }
            None => {
                self.services.fetch_add(1, Ordering::Relaxed);
                shard.entry(cell.key.service.clone()).or_default()
            }
        };
        let old_bytes = match service.get(&place) {
            Some(old) if new.offset <= old.offset => return,
            Some(old) => old.blob.len() as u64,
            None => 0,
        };
        let new_bytes = new.blob.len() as u64;
        let others = self.bytes.load(Ordering::Relaxed).saturating_sub(old_bytes);
        if others.saturating_add(new_bytes) > self.bytes_max {
            drop(shard);
            return self.refuse(Refusal::Bytes, &cell.key.service);
        }
        self.bytes.fetch_add(new_bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(old_bytes, Ordering::Relaxed);
        service.insert(place, new);
    }

    pub(super) fn read(
        &self,
        service: &ServiceId,
        tier: Tier,
        from: Second,
        until: Second,
        horizon: &Horizon,
    ) -> Vec<StoredCell> {
        if from >= until {
            return Vec::new();
        }
        let shard = self.shard(service);
        let Some(cells) = shard.get(service) else { return Vec::new() };
        let range = cells.range((tier, from, 0)..(tier, until, 0));
        let live =
            range.filter(|((tier, start, partition), _)| !horizon.has_expired(*partition, *tier, *start));
        live.map(|(place, cell)| stored(service, *place, cell)).collect()
    }

    pub(super) fn services(&self, horizon: &Horizon) -> Vec<ServiceId> {
        let mut services = Vec::new();
        for shard in &self.shards {
            for (service, cells) in lock(shard).iter() {
                let mut places = cells.keys().rev();
                if places.any(|(tier, start, partition)| !horizon.has_expired(*partition, *tier, *start)) {
                    services.push(service.clone());
                }
            }
        }
        services
    }

    /// Cells of a partition that are not in the file as they are here.
    pub(super) fn unsaved(&self, partition: u32, horizon: &Horizon) -> Vec<StoredCell> {
        let mut unsaved = Vec::new();
        for shard in &self.shards {
            for (service, cells) in lock(shard).iter() {
                let cells = cells.iter().filter(|((tier, start, owner), cell)| {
                    *owner == partition && !cell.saved && !horizon.has_expired(*owner, *tier, *start)
                });
                unsaved.extend(cells.map(|(place, cell)| stored(service, *place, cell)));
            }
        }
        unsaved
    }

    /// Notes that these are in the file; those that have changed since are not.
    pub(super) fn mark_saved(&self, cells: &[StoredCell]) {
        for cell in cells {
            let place = (cell.key.tier, cell.key.start, cell.partition);
            let mut shard = self.shard(&cell.key.service);
            if let Some(service) = shard.get_mut(&cell.key.service)
                && let Some(held) = service.get_mut(&place)
            {
                held.saved |= held.offset == cell.offset;
            }
        }
    }

    /// Gives back the memory of what has expired, shard by shard.
    pub(super) fn sweep(&self, horizon: &Horizon) {
        self.refusal_logged.store(false, Ordering::Relaxed);
        for shard in &self.shards {
            let (mut freed, mut gone) = (0, 0);
            lock(shard).retain(|_, cells| {
                cells.retain(|(tier, start, partition), cell| {
                    let expired = horizon.has_expired(*partition, *tier, *start);
                    freed += if expired { cell.blob.len() as u64 } else { 0 };
                    !expired
                });
                gone += usize::from(cells.is_empty());
                !cells.is_empty()
            });
            self.bytes.fetch_sub(freed, Ordering::Relaxed);
            self.services.fetch_sub(gone, Ordering::Relaxed);
        }
        metrics::gauge!("goldentime_windows_bytes").set(self.bytes() as f64);
        metrics::gauge!("goldentime_windows_services").set(self.services.load(Ordering::Relaxed) as f64);
    }

    /// Cells refused since the start, for whatever reason.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes of encoded cells.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn refuse(&self, refusal: Refusal, service: &ServiceId) {
        let reason = refusal.reason();
        self.refused.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(DROPS_TOTAL, "component" => "windows", "reason" => reason).increment(1);
        if !matches!(refusal, Refusal::Expired) && !self.refusal_logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %service,
                limit = reason,
                "live windows are full: this cell and others are not stored; raise `windows.{reason}`, \
                 or have fewer services"
            );
        }
    }

    fn shard(&self, service: &ServiceId) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(service);
        // The map inside the shard uses other bits of a hash of its own.
        lock(&self.shards[hash as usize % SHARDS])
    }
}

fn stored(service: &ServiceId, (tier, start, partition): Place, cell: &Cell) -> StoredCell {
    let key = CellKey { service: service.clone(), tier, start };
    StoredCell { key, partition, offset: cell.offset, blob: cell.blob.clone() }
}

/// A cell is replaced whole, so that a panic while holding the lock leaves each as it was or new.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

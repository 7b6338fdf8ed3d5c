//! A shard behind its lock.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_runtime::SharedClock;
use tokio::sync::Notify;

use super::batch::Batch;
use super::shard::Shard;
use super::signal::FlushSignal;
use super::watch::WatchTable;

/// What all shards of an agent share.
pub(super) struct Shared {
    pub(super) clock: SharedClock,
    pub(super) offset_nanos: AtomicI64,
    pub(super) watch: ArcSwap<WatchTable>,
    pub(super) signal: FlushSignal,
}

/// One input's shard. Cheap to clone.
#[derive(Clone)]
pub struct ShardHandle(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    shard: Mutex<Shard>,
    shared: Arc<Shared>,
    drained: Notify,
}

impl ShardHandle {
    pub(super) fn new(name: Arc<str>, shard: Shard, shared: Arc<Shared>) -> Self {
        Self(Arc::new(Inner { name, shard: Mutex::new(shard), shared, drained: Notify::new() }))
    }

    /// Name of the input that it belongs to.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.0.name
    }

    /// Takes the lock; an input holds it for a block of lines, not for one. Giving it back wakes the
    /// flusher where something urgent came in.
    #[must_use]
    pub fn lock(&self) -> ShardGuard<'_> {
        let shared = &*self.0.shared;
        let (now, offset) = (shared.clock.now(), shared.offset_nanos.load(Ordering::Relaxed));
        let mut shard = self.raw();
        shard.begin(now, offset, &shared.watch.load());
        ShardGuard { shard, signal: &shared.signal }
    }

    /// Takes everything out; the lock is held for a constant time, the sorting is done without it.
    #[must_use]
    pub fn drain(&self) -> Batch {
        let raw = self.raw().drain();
        self.0.drained.notify_one();
        for (&reason, &n) in &raw.drops {
            metrics::counter!(DROPS_TOTAL, "component" => "aggregate", "reason" => reason).increment(n);
        }
        raw.into_batch()
    }

    /// Returns after the next drain. For the one input that owns the shard, after
    /// [`Full`](super::Full). Cancel safe.
    pub async fn drained(&self) {
        self.0.drained.notified().await;
    }

    /// Every change under the lock is complete before anything can panic, so a poisoned lock is
    /// still whole.
    fn raw(&self) -> MutexGuard<'_, Shard> {
        self.0.shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock on a shard.
pub struct ShardGuard<'a> {
    shard: MutexGuard<'a, Shard>,
    signal: &'a FlushSignal,
}

impl Deref for ShardGuard<'_> {
    type Target = Shard;

    #[inline]
    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for ShardGuard<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for ShardGuard<'_> {
    fn drop(&mut self) {
        let pending = self.shard.take_pending();
        self.signal.raise(pending);
    }
}

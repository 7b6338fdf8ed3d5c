//! All shards of an agent.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use goldentime_runtime::SharedClock;

use super::config::Config;
use super::handle::{ShardHandle, Shared};
use super::shard::Shard;
use super::signal::FlushSignal;
use super::watch::WatchTable;

/// Opens shards for inputs and shows them to the flusher. Cheap to clone.
#[derive(Clone)]
pub struct Aggregator {
    config: Config,
    shared: Arc<Shared>,
    shards: Arc<Mutex<Vec<ShardHandle>>>,
}

impl Aggregator {
    /// No shards yet; no clock offset; the cautious watch table.
    #[must_use]
    pub fn new(config: Config, clock: SharedClock) -> Self {
        let shared = Shared {
            clock,
            offset_nanos: AtomicI64::new(0),
            watch: ArcSwap::from_pointee(WatchTable::default()),
            signal: FlushSignal::default(),
        };
        Self { config, shared: Arc::new(shared), shards: Arc::default() }
    }

    /// Opens the shard of one input. One shard an input: it lives as long as the agent.
    #[must_use]
    pub fn open_shard(&self, name: &str) -> ShardHandle {
        let shard = Shard::new(self.config.clone(), self.shared.watch.load_full());
        let handle = ShardHandle::new(name.into(), shard, Arc::clone(&self.shared));
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).push(handle.clone());
        handle
    }

    /// All shards, in the order they were opened.
    #[must_use]
    pub fn shards(&self) -> Vec<ShardHandle> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How shards wake the flusher.
    #[must_use]
    pub fn signal(&self) -> &FlushSignal {
        &self.shared.signal
    }

    /// What rules watch, from now on.
    pub fn set_watch(&self, table: WatchTable) {
        self.shared.watch.store(Arc::new(table));
    }

    /// What is added to this machine's clock to get the central's, from now on, in nanoseconds.
    pub fn set_clock_offset(&self, nanos: i64) {
        self.shared.offset_nanos.store(nanos, Ordering::Relaxed);
    }

    /// What is added to this machine's clock at present, in nanoseconds.
    #[must_use]
    pub fn clock_offset(&self) -> i64 {
        self.shared.offset_nanos.load(Ordering::Relaxed)
    }
}

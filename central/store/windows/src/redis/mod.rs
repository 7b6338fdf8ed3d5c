//! Window state in Redis or a Redis Cluster.
//!
//! [`keys`] says what stands where. A put goes through [`write`]: [`guard`] keeps an older state from
//! following a newer one, [`nodes`] finds the [`link`] of a key by the cluster's [`slots`], and the link
//! writes its [`job`]s in order over one connection, whose epoch stands in each field. [`read`] keeps
//! each partition's highest offset. [`index`] tells which services there are, [`sentinel`] whether Redis
//! has lost its data, [`summary`] writes what people and scripts read. [`shared`] is the upkeep beside
//! all that, [`server`] judges whether a server will do, [`failure`] what an answer means, [`address`]
//! and [`common`] are how a node is reached, and [`config`] is what can be set.

mod address;
mod common;
mod config;
mod failure;
mod guard;
mod index;
mod job;
mod keys;
mod link;
mod nodes;
mod read;
mod sentinel;
mod server;
mod shared;
mod slots;
mod summary;
mod write;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use goldentime_model::{Second, ServiceId};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use tokio::time::Instant;

pub use config::{RedisConfig, RedisTls};
pub use summary::{ServiceSummary, SloStatus};

use crate::error::StoreError;
use crate::store::{BoxFuture, Degraded, GoBack, Health, Losses, StoredCell, Tier, WindowStore};
use crate::watermark::Watermarks;
use address::Address;
use common::Common;
use failure::Failure;
use guard::Guard;
use nodes::Nodes;
use sentinel::Sentinels;
use shared::Shared;

const BACKEND: &str = "redis";

/// The cluster's backend.
pub struct RedisWindows(Arc<Shared>);

impl RedisWindows {
    /// Begins to connect, and waits until that has worked or for as long as it may take. While Redis
    /// cannot be reached the store is there and degraded. A server that answers and will not do (wrong
    /// password, too old, no cluster) is an error, and so is a configuration that cannot be used.
    ///
    /// Links are tasks of their own, which end when the store is dropped.
    pub async fn open(config: RedisConfig, tasks: &Tasks, clock: SharedClock) -> Result<Self, StoreError> {
        let seeds: Result<Vec<Address>, _> = config.nodes.iter().map(|node| node.parse()).collect();
        let refuse = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Unavailable {
            backend: BACKEND,
            action: "use its configuration",
            source,
        };
        let seeds = seeds.map_err(|error| refuse(error.into()))?;
        let cells_max = config.cells_max;
        let common = Arc::new(Common::new(config, clock).map_err(|error| refuse(error.into()))?);
        let shared = Arc::new(Shared {
            sentinels: Sentinels::new(common.config.cluster),
            nodes: Nodes::new(Arc::clone(&common), tasks.clone(), seeds),
            watermarks: Watermarks::default(),
            guard: Mutex::new(Guard::new(cells_max)),
            looking: tokio::sync::Mutex::default(),
            restarts: AtomicU64::new(0),
        });
        let until = Instant::now() + common.connect_timeout();
        tasks.spawn(TaskKind::Upkeep, "redis-upkeep", shared::keep(Arc::downgrade(&shared), common));
        let store = Self(shared);
        store.connected(until).await.map_err(|failure| failure.into_error("open"))?;
        Ok(store)
    }

    /// Waits for the first connections, or for a failure that will not go by itself.
    async fn connected(&self, until: Instant) -> Result<(), Failure> {
        loop {
            let links = self.0.nodes.links();
            let failures: Vec<Failure> = links.iter().filter_map(|link| Some(link.down()?.1)).collect();
            if let Some(lasting) = failures.iter().find(|failure| failure.is_lasting()) {
                return Err(lasting.clone());
            }
            if (failures.is_empty() && self.0.sentinels.are_read()) || Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// How often this process has begun to write into fields of its own: with each connection and each
    /// assignment. For metrics and tests.
    #[must_use]
    pub fn writer_epochs(&self) -> u64 {
        self.0.nodes.common.epochs()
    }
}

impl WindowStore for RedisWindows {
    fn name(&self) -> &'static str {
        BACKEND
    }

    fn assign(&self, partition: u32) -> BoxFuture<'_, Result<GoBack, StoreError>> {
        self.0.guard().forget_partition(partition);
        self.0.nodes.links().iter().for_each(|link| link.renew_epoch());
        Box::pin(async move {
            let whole = self.0.sentinels.assign(&self.0.nodes, partition).await;
            let whole =
                whole.map_err(|failure| failure.into_error("ask whether it still has the windows"))?;
            Ok(if whole { GoBack::NEWEST } else { GoBack::EVERYTHING })
        })
    }

    /// Queued when it returns: the order of the calls is the order in which cells are written.
    fn put(&self, cells: Vec<StoredCell>) -> BoxFuture<'_, Result<(), StoreError>> {
        let put = self.0.begin_put(cells);
        Box::pin(async move {
            self.0.finish_put(put).await.map_err(|failure| failure.into_error("write windows"))
        })
    }

    fn read(
        &self,
        service: &ServiceId,
        tier: Tier,
        from: Second,
        until: Second,
    ) -> BoxFuture<'_, Result<Vec<StoredCell>, StoreError>> {
        let service = service.clone();
        Box::pin(async move { self.0.read_cells(&service, tier, from, until).await })
    }

    fn services(&self) -> BoxFuture<'_, Result<Vec<ServiceId>, StoreError>> {
        Box::pin(async move {
            let horizon = self.0.watermarks.horizon();
            let services = index::services(&self.0.nodes, &horizon).await;
            services.map_err(|failure| failure.into_error("read which services there are"))
        })
    }

    fn health(&self) -> Health {
        let degraded = self.0.nodes.down().map(|(since, why)| Degraded { since, why: why.to_string() });
        Health { degraded, losses: self.0.losses() }
    }

    fn look(&self) -> BoxFuture<'_, Result<Losses, StoreError>> {
        Box::pin(async move {
            let looked = self.0.look().await;
            looked.map_err(|failure| failure.into_error("ask whether it still has the windows"))?;
            Ok(self.0.losses())
        })
    }

    fn made_whole(&self, partition: u32, losses: Losses) {
        self.0.sentinels.made_whole(partition, losses.all);
        self.0.nodes.common.changed.notify_one();
    }

    /// Links end with the store.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

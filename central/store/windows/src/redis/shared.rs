//! What the store and its upkeep share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::failure::Failure;
use super::guard::Guard;
use super::nodes::Nodes;
use super::sentinel::Sentinels;
use crate::store::Losses;
use crate::watermark::Watermarks;

/// The sentinels are read, and a cluster is asked who owns what, at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Shared {
    pub(super) nodes: Nodes,
    pub(super) sentinels: Sentinels,
    pub(super) watermarks: Watermarks,
    pub(super) guard: Mutex<Guard>,
    /// One look at a time: a loss is noticed once.
    pub(super) looking: tokio::sync::Mutex<()>,
    /// How many restarts of servers are known here.
    pub(super) restarts: AtomicU64,
}

impl Shared {
    /// Looks who owns which slot, and whether Redis still has what it had.
    pub(super) async fn look(&self) -> Result<(), Failure> {
        let _alone = self.looking.lock().await;
        self.nodes.refresh().await;
        let restarts = self.nodes.common.restarts();
        if restarts != self.restarts.load(Ordering::SeqCst) {
            self.forget();
            self.restarts.store(restarts, Ordering::SeqCst);
        }
        if self.sentinels.check(&self.nodes).await? {
            tracing::error!(
                "Redis has lost its data: owners of partitions write again what they have in memory, and read the log \
                 again for the rest of the last minutes"
            );
            metrics::counter!("goldentime_windows_losses_total").increment(1);
            self.forget();
            self.sentinels.lost();
        }
        self.sentinels.mark_whole(&self.nodes).await
    }

    /// What Redis has said that it has may be gone: all may be written again, into fields of its own.
    fn forget(&self) {
        self.guard().forget_all();
        self.nodes.links().iter().for_each(|link| link.renew_epoch());
    }

    pub(super) fn losses(&self) -> Losses {
        Losses { all: self.sentinels.losses(), newest: self.restarts.load(Ordering::SeqCst) }
    }
}

/// Looks again and again, and at once when a link came up or a slot has moved, until the store is gone.
pub(super) async fn keep(shared: Weak<Shared>, common: Arc<super::common::Common>) {
    loop {
        let Some(present) = shared.upgrade() else { return };
        if let Err(failure) = present.look().await {
            tracing::debug!(error = %failure, "cannot look after the windows in Redis");
        }
        let degraded = present.nodes.down().is_some();
        metrics::gauge!("goldentime_windows_degraded").set(if degraded { 1.0 } else { 0.0 });
        drop(present);
        let _ = tokio::time::timeout(LOOK_EVERY, common.changed.notified()).await;
    }
}

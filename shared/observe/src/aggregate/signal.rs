//! How shards wake the flusher.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

const DIRTY: u8 = 1;
const SOON: u8 = 2;
const EXPRESS: u8 = 4;
const FULL: u8 = 8;

/// What waits in the shards, since [`FlushSignal::take`] was last called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending(u8);

impl Pending {
    /// Something waits: flush within a second.
    #[must_use]
    pub const fn is_dirty(self) -> bool {
        self.0 != 0
    }

    /// A service that a rule watches has something waiting, or an input that reads now and then has
    /// handed over its reading: flush at the short interval.
    #[must_use]
    pub const fn is_soon(self) -> bool {
        self.0 & (SOON | EXPRESS) != 0
    }

    /// A watched service has something bad or slow: flush within 10 ms.
    #[must_use]
    pub const fn is_express(self) -> bool {
        self.0 & EXPRESS != 0
    }

    /// A shard is full and its input waits: flush at once.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.0 & FULL != 0
    }

    #[inline]
    pub(super) const fn with_dirty(self) -> Self {
        Self(self.0 | DIRTY)
    }

    #[inline]
    pub(super) const fn with_soon(self) -> Self {
        Self(self.0 | DIRTY | SOON)
    }

    #[inline]
    pub(super) const fn with_express(self) -> Self {
        Self(self.0 | DIRTY | EXPRESS)
    }

    pub(super) const fn with_full(self) -> Self {
        Self(self.0 | DIRTY | FULL)
    }
}

/// One for all shards of an agent.
#[derive(Debug, Default)]
pub struct FlushSignal {
    pending: AtomicU8,
    sooner: Notify,
}

impl FlushSignal {
    /// What waits now; forgets it. Call before draining, so that what comes meanwhile is not missed.
    pub fn take(&self) -> Pending {
        Pending(self.pending.swap(0, Ordering::AcqRel))
    }

    /// What waits now.
    #[must_use]
    pub fn peek(&self) -> Pending {
        Pending(self.pending.load(Ordering::Acquire))
    }

    /// Returns when something arrived that should not wait for the long interval: soon, express or
    /// full. Remembers one arrival if nobody waits. Cancel safe.
    pub async fn sooner(&self) {
        self.sooner.notified().await;
    }

    /// Notes what waits, and wakes the flusher if that is newly to be flushed sooner.
    pub(super) fn raise(&self, pending: Pending) {
        if pending.0 == 0 {
            return;
        }
        let before = Pending(self.pending.fetch_or(pending.0, Ordering::AcqRel));
        let newly = Pending(pending.0 & !before.0);
        if newly.is_soon() || newly.is_full() {
            self.sooner.notify_one();
        }
    }
}

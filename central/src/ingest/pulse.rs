//! When an agent was last heard, noted with each of its records and so without a lock over all agents.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use goldentime_model::UnixNanos;
use tokio::time::Instant;

/// One agent's pulse. Cheap to clone; its connections and the board share it.
#[derive(Clone, Debug)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    since: Instant,
    /// Milliseconds after `since`. Not by the wall clock: were that set forward, every lease would end.
    heard_ms: AtomicU64,
    last_seen_ns: AtomicI64,
}

impl Pulse {
    /// A pulse that beats once, now; the wall clock's time is `last_seen`.
    #[must_use]
    pub fn new(last_seen: UnixNanos) -> Self {
        Self(Arc::new(Beats {
            since: Instant::now(),
            heard_ms: AtomicU64::new(0),
            last_seen_ns: AtomicI64::new(last_seen.0),
        }))
    }

    /// Something was heard of the agent.
    pub fn beat(&self, now: UnixNanos) {
        let heard_ms = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.heard_ms.fetch_max(heard_ms, Ordering::Relaxed);
        self.0.last_seen_ns.store(now.0, Ordering::Relaxed);
    }

    /// How long nothing was heard.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        let heard = Duration::from_millis(self.0.heard_ms.load(Ordering::Relaxed));
        self.0.since.elapsed().saturating_sub(heard)
    }

    /// When it was last heard, by the wall clock.
    #[must_use]
    pub fn last_seen(&self) -> UnixNanos {
        UnixNanos(self.0.last_seen_ns.load(Ordering::Relaxed))
    }
}

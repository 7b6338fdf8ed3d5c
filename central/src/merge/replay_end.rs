//! Up to where the log is a replay of what was merged before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The last offset to replay. It is lowered where the log turns out to end in places that hold no record, as
/// transactions leave them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReplayEnd(Arc<AtomicU64>);

impl ReplayEnd {
    /// The replay ends at this offset; 0: there is none.
    #[must_use]
    pub fn at(offset: u64) -> Self {
        Self(Arc::new(AtomicU64::new(offset)))
    }

    /// Nothing follows `offset`.
    pub fn lower(&self, offset: u64) {
        self.0.fetch_min(offset, Ordering::AcqRel);
    }

    /// Whether everything up to the end was merged once `offset` was.
    #[must_use]
    pub fn is_reached(&self, offset: u64) -> bool {
        offset >= self.0.load(Ordering::Acquire)
    }
}

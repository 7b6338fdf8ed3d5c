//! The memory of a partition's open cells, counted in bytes as they grow and shrink.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is held. Cheap to clone; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Pool(Arc<AtomicUsize>);

/// Bytes that are held; given back when dropped.
#[derive(Debug)]
pub struct Held {
    pool: Pool,
    bytes: usize,
}

impl Pool {
    /// Bytes held at present.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Holds `bytes`.
    #[must_use]
    pub fn hold(&self, bytes: usize) -> Held {
        let mut held = Held { pool: self.clone(), bytes: 0 };
        held.grow(bytes);
        held
    }
}

impl Held {
    /// Holds so many more.
    pub fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.pool.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

//! What is wrong with a link at present.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// What a link does to what passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    /// Nothing: bytes pass as they are.
    #[default]
    None,
    /// Everything arrives later by this much, in order.
    Delay(Duration),
    /// UDP: this share of the datagrams is dropped. TCP: the same share of connections is refused.
    Drop(f64),
    /// Nothing passes in either direction and TCP connections are reset; new ones are refused.
    Cut,
    /// Nothing passes, yet nothing is closed: each side believes in the other.
    HalfOpen,
    /// TCP: connections that were made before it was set hold what they carry, until the fault is
    /// another; those that are made later pass. UDP: nothing.
    Stall,
}

/// The switch of one link. Cheap to clone.
#[derive(Clone)]
pub struct Link(Arc<watch::Sender<Fault>>, Arc<Mutex<u64>>, Arc<AtomicU64>);

impl Link {
    /// A link without fault; `seed` makes the dropped datagrams the same in every run.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(watch::Sender::new(Fault::None)), Arc::new(Mutex::new(seed | 1)), Arc::default())
    }

    /// Makes this the link's fault from now on.
    pub fn set(&self, fault: Fault) {
        if fault == Fault::Stall {
            self.2.fetch_add(1, Ordering::SeqCst);
        }
        self.0.send_replace(fault);
    }

    /// The present fault.
    #[must_use]
    pub fn fault(&self) -> Fault {
        *self.0.borrow()
    }

    /// How often connections were made to stall.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.2.load(Ordering::SeqCst)
    }

    /// Told of each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Fault> {
        self.0.subscribe()
    }

    /// A number in 0..1 from the link's own sequence (xorshift64).
    #[must_use]
    pub fn dice(&self) -> f64 {
        let mut state = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }
}

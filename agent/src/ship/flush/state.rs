//! What the flusher tells of itself.

use std::sync::{Arc, Mutex, PoisonError};

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

/// What `status` shows of the flusher.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlushStatus {
    /// Flushes committed since the start.
    pub flushes: u64,
    /// Among them, those brought forward by the express lane.
    pub express: u64,
    /// Events (requests, samples, lines) committed since the start.
    pub events: u64,
    /// When the last one was committed, on the corrected clock.
    pub last_flushed_at: Option<UnixNanos>,
    /// How long the last commit took, in milliseconds.
    pub last_commit_ms: f64,
    /// Event time up to which everything was read and flushed.
    pub progress: Option<UnixNanos>,
    /// Why nothing can be committed at present: inputs wait.
    pub held_back: Option<String>,
}

/// Shared between the flusher and `status`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct FlushState(Arc<Mutex<FlushStatus>>);

impl FlushState {
    /// How things stand.
    #[must_use]
    pub fn get(&self) -> FlushStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut FlushStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

//! When the merge of a partition writes from where it can go on.

use goldentime_model::UnixNanos;

/// Log time between checkpoints.
pub const CHECKPOINT_EVERY_NS: i64 = 30 * 1_000_000_000;

/// Counts log time, so that a replay writes its checkpoints at the same places.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cadence {
    last: UnixNanos,
}

impl Cadence {
    /// Counts from `last`.
    #[must_use]
    pub const fn since(last: UnixNanos) -> Self {
        Self { last }
    }

    /// Whether a checkpoint is due at this log time.
    #[must_use]
    pub const fn is_due(self, log_time: UnixNanos) -> bool {
        log_time.since(self.last) >= CHECKPOINT_EVERY_NS
    }

    /// A checkpoint was written at this log time.
    pub const fn written(&mut self, log_time: UnixNanos) {
        self.last = log_time;
    }
}

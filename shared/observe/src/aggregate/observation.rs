//! One request that ended.

use goldentime_model::{Outcome, UnixNanos};

/// One request that ended, or `weight` of them where the sender samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// How long it took in seconds; `None` counts it as traffic and outcome only.
    pub duration_s: Option<f64>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended, by this machine's clock; the shard corrects it by the measured clock offset.
    pub at: UnixNanos,
    /// `at` was read from a stamp of whole seconds.
    pub at_is_coarse: bool,
    /// How many requests it stands for, from 1.
    pub weight: u32,
}

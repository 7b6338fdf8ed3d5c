//! When flushes happen (`flush` and `express` in `agent.yaml`).

use goldentime_model::config::Check;
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often what was read is committed and sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Interval {
    /// Pause between flushes while a service that some rule watches has something to say. Shorter
    /// makes alerts a little sooner and records smaller and more. Default `100ms`; from `10ms` to
    /// `1s`.
    pub watched_interval: HumanDuration,
    /// Pause between flushes else, and between two signs of life where there is nothing to say.
    /// Default `1s`; from `100ms` to `10s`, not below `watched_interval`.
    pub interval: HumanDuration,
}

impl Default for Interval {
    fn default() -> Self {
        Self { watched_interval: HumanDuration::from_millis(100), interval: HumanDuration::from_secs(1) }
    }
}

impl Interval {
    /// Refuses values outside their limits.
    pub fn validate(&self, check: &mut Check) {
        let (watched_ms, other_ms) =
            (self.watched_interval.get().as_millis(), self.interval.get().as_millis());
        check.require((10..=1000).contains(&watched_ms), "watched_interval", "must lie between 10ms and 1s");
        check.require((100..=10_000).contains(&other_ms), "interval", "must lie between 100ms and 10s");
        check.require(
            watched_ms <= other_ms,
            "interval",
            "must not be shorter than `flush.watched_interval`",
        );
    }
}

/// Flushes brought forward because something arrived that may make a rule true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Express {
    /// Most such flushes a second; what comes above waits for the next ordinary flush. `0` turns the
    /// express lane off. Default 30, at most 1000.
    pub per_second_max: u32,
}

impl Default for Express {
    fn default() -> Self {
        Self { per_second_max: 30 }
    }
}

impl Express {
    /// Refuses values outside their limits.
    pub fn validate(&self, check: &mut Check) {
        check.require(self.per_second_max <= 1000, "per_second_max", "must be at most 1000");
    }
}

//! Bounds of the spool (`spool` in `agent.yaml`).

use goldentime_model::config::Check;
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Durability, Limits};

/// Least quota: some seconds of a busy host.
const BYTES_MIN: u64 = 1 << 20;

/// What is kept on disk until the central or Kafka has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Most bytes kept while the central or Kafka cannot be reached. When they are used up the oldest
    /// records make room, log lines before samples before deltas, and what is lost is counted. The file
    /// may be larger by half. Default `1GiB`, at least `1MiB`.
    pub bytes_max: ByteSize,
    /// Records older than this are dropped and counted: the central's log does not reach back
    /// further. Default `24h`; from `1m` to `7d`.
    pub age_max: HumanDuration,
    /// When a flush is safe: `process` (default) survives a kill of the agent, and marks what may be
    /// counted twice after a power loss; `power` survives that too, at an fsync for each flush.
    pub durability: Durability,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bytes_max: ByteSize::mib(1024),
            age_max: HumanDuration::from_secs(86_400),
            durability: Durability::Process,
        }
    }
}

impl Config {
    /// Refuses values outside their limits.
    pub fn validate(&self, check: &mut Check) {
        check.require(self.bytes_max.get() >= BYTES_MIN, "bytes_max", "must be at least 1MiB");
        let age_s = self.age_max.get().as_secs();
        check.require((60..=604_800).contains(&age_s), "age_max", "must lie between 1m and 7d");
    }

    /// As the spool wants them.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { bytes_max: self.bytes_max.get(), age_max: self.age_max.get(), durability: self.durability }
    }
}

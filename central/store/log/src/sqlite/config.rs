//! What can be set about the embedded log.

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The embedded ingest log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LogConfig {
    /// A segment file is closed at this size. Default `64MiB`; `1MiB` to `1GiB`.
    pub segment_bytes: ByteSize,
    /// Segments older than this are dropped whole. Must reach back further than the longest outage that
    /// is to be survived. Default `24h`; at least `30m`, since live windows are rebuilt from it.
    pub retention: HumanDuration,
    /// Segments are dropped, oldest first, when all together are larger; counted and shown. Default
    /// `8GiB`; at least twice `segment_bytes`.
    pub bytes_max: ByteSize,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: ByteSize::mib(64),
            retention: HumanDuration::from_secs(24 * 60 * 60),
            bytes_max: ByteSize::mib(8 * 1024),
        }
    }
}

impl Settings for LogConfig {
    fn validate(&self, check: &mut Check) {
        let segment = self.segment_bytes;
        check.require(
            (ByteSize::mib(1)..=ByteSize::mib(1024)).contains(&segment),
            "segment_bytes",
            "is not between 1MiB and 1GiB",
        );
        check.require(self.retention.get().as_secs() >= 1800, "retention", "is less than 30m");
        check.require(
            self.bytes_max.get() >= 2 * segment.get(),
            "bytes_max",
            "is less than twice segment_bytes",
        );
    }
}

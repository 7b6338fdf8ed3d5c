//! Bounds of the aggregation.

use goldentime_model::config::Check;
use goldentime_model::units::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds of what one input may hold between two flushes (`limits` in `agent.yaml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Series (service, endpoint, method) that one input may open. Further ones are counted under
    /// the endpoint `__other__` of their service. Default 5000, at least 16.
    pub series_max: usize,
    /// Endpoints of one service among them, so that one service's runaway paths leave room for the
    /// others. Default 500, at least 1.
    pub endpoints_per_service_max: usize,
    /// Services that one input may open, where the name comes from the data. Further ones are
    /// counted under the service `__other__`. Default 200, at least 1.
    pub services_max: usize,
    /// One-second buckets held at once. When they are used up the input waits for a flush, which
    /// comes at once. Default 8192, at least 64.
    pub buckets_max: usize,
    /// Bytes that their latency sketches may take together. When they are used up, likewise.
    /// Default 8MiB, at least 256KiB.
    pub sketch_bytes_max: ByteSize,
    /// Samples held at once; further ones are dropped and counted. Default 10000.
    pub samples_max: usize,
    /// Bytes of log records held at once. When they are used up an input that can wait does so, and
    /// one that cannot drops the record and counts it. Default 4MiB.
    pub log_bytes_max: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            series_max: 5000,
            endpoints_per_service_max: 500,
            services_max: 200,
            buckets_max: 8192,
            sketch_bytes_max: ByteSize::mib(8),
            samples_max: 10_000,
            log_bytes_max: ByteSize::mib(4),
        }
    }
}

/// What one interned series takes at most: its names, and its places in two tables.
const SERIES_BYTES: usize = 512;
/// What a bucket takes besides its sketch's heap.
const BUCKET_BYTES: usize = 256;
/// Below this two or three widely spread seconds would make an input wait.
const SKETCH_BYTES_MIN: ByteSize = ByteSize::kib(256);
/// Fewer series leave no room for the overflow and a handful of routes.
const SERIES_MIN: usize = 16;
/// Fewer buckets would make an input wait within a second.
const BUCKETS_MIN: usize = 64;
/// What a sample takes: name, unit and a few labels.
const SAMPLE_BYTES: usize = 512;

impl Config {
    /// Refuses bounds that the program cannot work with.
    pub fn validate(&self, check: &mut Check) {
        for (setting, value, least) in [
            ("series_max", self.series_max, SERIES_MIN),
            ("endpoints_per_service_max", self.endpoints_per_service_max, 1),
            ("services_max", self.services_max, 1),
            ("buckets_max", self.buckets_max, BUCKETS_MIN),
        ] {
            check.require(value >= least, setting, format!("must be at least {least}"));
        }
        let least = format!("must be at least {SKETCH_BYTES_MIN}");
        check.require(self.sketch_bytes_max >= SKETCH_BYTES_MIN, "sketch_bytes_max", least);
    }

    /// The most memory that one input's aggregation may take, in bytes: what is being filled and,
    /// except for the series, as much again for what is being flushed.
    #[must_use]
    pub fn memory_bytes_max(&self) -> usize {
        let held = self.buckets_max * BUCKET_BYTES
            + self.sketch_bytes_max.as_usize()
            + self.samples_max * SAMPLE_BYTES
            + self.log_bytes_max.as_usize();
        self.series_max * SERIES_BYTES + 2 * held
    }
}

//! Configuration of the log store.

use std::time::Duration;

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::readers::{CACHE_BYTES, CONNECTIONS_MAX};
use super::scan::{PAGE_BLOCKS_MAX, SEARCHES_MAX};
use crate::page::PAGE_BYTES_MAX;

/// How long log lines are kept, and how much room they may take. Lines come from agents whose inputs
/// say `ship_logs: true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LogsConfig {
    /// Keep log lines and let them be searched. Switched off, lines that agents ship are not kept, and
    /// what was kept before stays where it is. Default `true`.
    pub enabled: bool,
    /// Lines are dropped when they are older, in pieces of a sixteenth of this. Default `14d`; `1h` to
    /// `3650d`.
    pub retention: HumanDuration,
    /// Room on disk for lines and their index, below `logs/` in `state_dir`. When it is used up the
    /// oldest lines go, whatever their age. A line of 100 bytes takes about 150. Default `20GiB`; at
    /// least `64MiB`.
    pub bytes_max: ByteSize,
}

impl Default for LogsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            retention: HumanDuration::from_secs(14 * 86_400),
            bytes_max: ByteSize::mib(20 * 1024),
        }
    }
}

impl Settings for LogsConfig {
    fn validate(&self, check: &mut Check) {
        const DAY_S: u64 = 86_400;
        let retention_s = self.retention.get().as_secs();
        check.require(
            (3600..=3650 * DAY_S).contains(&retention_s),
            "retention",
            "is not between 1h and 3650d",
        );
        check.require(self.bytes_max >= ByteSize::mib(64), "bytes_max", "is less than 64MiB");
    }
}

/// Segments that a full quota is made of: one is dropped at a time.
const SEGMENTS: u64 = 48;
/// Time spans of segments that the retention is made of.
const SPANS: u32 = 16;
/// Smallest and largest segment in bytes.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = (1 << 20)..=(512 << 20);

impl LogsConfig {
    /// A segment is closed when its file is larger.
    pub(super) fn segment_bytes(&self) -> u64 {
        (self.bytes_max.get() / SEGMENTS).clamp(*SEGMENT_BYTES.start(), *SEGMENT_BYTES.end())
    }

    /// A segment is closed when its lines reach over a longer time.
    pub(super) fn segment_span(&self) -> Duration {
        self.retention.get() / SPANS
    }

    /// Most memory that the store takes, in bytes: SQLite's caches, and what searches and the writer
    /// hold of lines.
    #[must_use]
    pub fn memory_bound_bytes(&self) -> u64 {
        /// Blocks before and after decompression, about; only lines of extreme length fill them.
        const BLOCK_BYTES: u64 = 96 * 1024;
        /// Words of blocks that wait in FTS5 for their commit, and the merge of its levels.
        const INDEXING_BYTES: u64 = 16 << 20;
        if !self.enabled {
            return 0;
        }
        let caches = (CONNECTIONS_MAX as u64 + 1) * CACHE_BYTES;
        let search = u64::from(PAGE_BLOCKS_MAX) * BLOCK_BYTES + 2 * PAGE_BYTES_MAX as u64;
        caches + SEARCHES_MAX as u64 * search + INDEXING_BYTES
    }
}

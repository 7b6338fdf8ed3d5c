//! The spool: what was flushed and is not yet acknowledged, on disk.
//!
//! Invariants:
//! - A flush is one transaction of its records and of the read positions that they came from. After
//!   a crash either both are there or neither, so that every line is flushed exactly once.
//! - Within (stream, partition) records are numbered 1, 2, 3, … without gaps, in the order of their
//!   flushes. Streams are new at every start: a restart never continues a numbering.
//! - A record leaves by being acknowledged, by growing older than the maximum age, because the quota is
//!   full, or because it can never be taken. All but the first are losses, counted by reason with the
//!   events that they held.
//! - Log lines make room before samples, and samples before deltas.
//! - An operation that fails has changed nothing and may be tried again.
//!
//! Data flows: [`open`] finds what the last run left, [`commit`] takes flushes, [`read`] gives the
//! uplink what it must send again, [`upkeep`] removes what was acknowledged or is too old, [`positions`]
//! those of inputs that are gone. [`look`] says what there is, without a change.

mod commit;
mod config;
mod error;
mod evict;
mod fork;
mod look;
mod open;
mod positions;
mod read;
mod streams;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use goldentime_model::UnixNanos;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

pub use config::Config;
pub use error::SpoolError;
pub use look::{Found, file, look};
pub use open::Opened;
pub use positions::UNUSED_KEPT;
pub use read::{PartitionPending, StreamPending};

use crate::aggregate::{PositionKey, PositionUpdate};

use super::ledger::Ledger;
use super::outgoing::{RecordKind, StreamId};
use streams::CurrentStreams;

/// What a record costs beside its body: row, two index entries, page overhead.
pub(super) const RECORD_OVERHEAD_BYTES: u64 = 96;

/// Most memory taken: two page caches, statements, and the rows read ahead.
pub const MEMORY_BYTES_MAX: u64 = 12 << 20;

/// When committed data is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Survives the agent's death. After a power loss the lines since the last fsync may be counted
    /// twice, and the agent says so.
    #[default]
    Process,
    /// Survives a power loss: every flush is an fsync.
    Power,
}

/// Bounds of the spool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of records kept; the oldest make room.
    pub bytes_max: u64,
    /// Records older than this are dropped unsent: the central would not take them.
    pub age_max: Duration,
    /// When committed data is safe.
    pub durability: Durability,
}

/// A record to be flushed; the spool gives it its stream and number.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// What it holds.
    pub kind: RecordKind,
    /// Partition of its service.
    pub partition: u32,
    /// Requests, samples or lines in it: what is lost if it is lost.
    pub events: u64,
    /// An encoded `proto::Record` without stream, partition, number and version.
    pub body: Bytes,
}

/// One flush: committed whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Flush {
    /// When it was taken, on the corrected clock.
    pub flushed_at: UnixNanos,
    /// Its records, in order.
    pub records: Vec<NewRecord>,
    /// The positions that its records reach to.
    pub positions: Vec<(PositionKey, PositionUpdate)>,
}

/// The spool of one agent. Cheap to clone.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    path: PathBuf,
    limits: Limits,
    writer: tokio::sync::Mutex<Writer>,
    /// Opened at the first read, so that an agent whose link holds never pays for it.
    reader: tokio::sync::Mutex<Option<SqliteConnection>>,
    /// Acknowledged but not yet removed: highest number by stream and partition.
    acknowledged: Mutex<HashMap<(StreamId, u32), u64>>,
    ledger: Ledger,
    /// The least of our own maximum age and the central's.
    age_max_ns: AtomicI64,
    bytes: AtomicU64,
    records: AtomicU64,
    /// Requests flushed since the file was made.
    requests: AtomicU64,
    /// Lowest sequence number of the current streams; what lies below is backlog.
    current_from_seq: AtomicI64,
}

struct Writer {
    connection: SqliteConnection,
    /// Something failed on the connection: it is opened anew before its next use.
    has_failed: bool,
    /// Bound of the file in pages, told to each new connection.
    pages_max: u64,
    current: CurrentStreams,
    next_seq: i64,
    /// Names written at the first commit, so that a full disk does not keep the spool from opening.
    session_noted: bool,
    boot_id: String,
    uncheckpointed_bytes: u64,
    freed_bytes: u64,
}

/// How full the spool is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes kept, overhead included.
    pub bytes: u64,
    /// Records kept.
    pub records: u64,
}

impl Spool {
    /// How full the spool is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage { bytes: self.0.bytes.load(Ordering::Relaxed), records: self.0.records.load(Ordering::Relaxed) }
    }

    /// Requests flushed since the file was made, by all runs. Where it is less than was heard before, the file
    /// is an older copy, and what was read since that copy is read again.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// The bounds that it keeps.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// The database's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Notes that the central has everything up to and with `number`. The records are removed at the
    /// next [`upkeep`](Self::upkeep); a crash before that sends them again, and the central drops
    /// them as repeats.
    pub fn acknowledge(&self, stream: StreamId, partition: u32, number: u64) {
        let mut acknowledged = self.0.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = acknowledged.entry((stream, partition)).or_default();
        *highest = number.max(*highest);
    }

    /// What was acknowledged and may not have been removed yet: the highest number by stream and
    /// partition.
    #[must_use]
    pub fn acknowledged(&self) -> HashMap<(StreamId, u32), u64> {
        self.0.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lowers the maximum age to what the central takes.
    pub fn limit_age(&self, age_max: Duration) {
        self.0.age_max_ns.fetch_min(saturating_ns(age_max), Ordering::Relaxed);
    }

    fn add_usage(&self, bytes: u64, records: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.records.fetch_add(records, Ordering::Relaxed);
        self.show_usage();
    }

    fn subtract_usage(&self, bytes: u64, records: u64) {
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.0.records.fetch_sub(records, Ordering::Relaxed);
        self.show_usage();
    }

    fn show_usage(&self) {
        let usage = self.usage();
        metrics::gauge!("goldentime_agent_spool_bytes").set(usage.bytes as f64);
        metrics::gauge!("goldentime_agent_spool_records").set(usage.records as f64);
    }

    fn fail(&self, doing: &'static str) -> impl Fn(sqlx::Error) -> SpoolError + '_ {
        move |source| SpoolError::of(&self.0.path, doing, source)
    }
}

fn saturating_ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

//! The contract of the ingest log.
//!
//! Reading is the same everywhere. Appending is not: the embedded log is told each record's offset
//! ([`IngestLog`]), so that merge and page need not wait for the disk.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use goldentime_model::UnixNanos;

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A record with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Partition.
    pub partition: u32,
    /// Place within the partition, from 1.
    pub offset: u64,
    /// When the log took it.
    pub append_time: UnixNanos,
    /// The encoded record.
    pub record: Bytes,
}

/// What a partition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest offset that can be read; `last + 1` when there is none.
    pub first: u64,
    /// The newest offset; 0 when nothing was ever appended.
    pub last: u64,
}

/// What [`IngestLog::truncate`] dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Records.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Why the log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The medium is full. Nothing was written; try again when there is room.
    #[error("the ingest log's disk is full; make room below {folder}, or lower log.bytes_max")]
    Full {
        /// Where the log is.
        folder: String,
    },
    /// The engine failed. Nothing was written; try again.
    #[error("ingest log: cannot {action}")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// The engine's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An offset does not follow the last one: a fault of the caller.
    #[error("partition {partition}: offset {offset} does not follow {last}")]
    Order {
        /// Partition.
        partition: u32,
        /// What was to be appended.
        offset: u64,
        /// What is there.
        last: u64,
    },
}

/// A log of records in partitions, as its readers see it.
///
/// - **Ordered.** Offsets of a partition rise. There may be holes: what is in them was never a record.
/// - **Repeatable.** Reading an offset gives the same bytes until it is truncated.
/// - **Truncated from the front only.** What a reader had not read yet lies below
///   [`Bounds::first`] then, and is a loss. An offset is never given again.
/// - **Cancel safety.** A future that is dropped has changed nothing.
pub trait ReadLog: Send + Sync + 'static {
    /// Up to `max` entries of a partition from offset `from` on, fewer where they are large; empty only
    /// at the end. An offset below the first gives what follows it.
    fn read(&self, partition: u32, from: u64, max: u32) -> BoxFuture<'_, Result<Vec<Entry>, LogError>>;

    /// What a partition holds.
    fn bounds(&self, partition: u32) -> BoxFuture<'_, Result<Bounds, LogError>>;
}

/// A log whose offsets are given by whoever appends.
///
/// - **Durable.** What `append` returned for survives loss of power.
/// - **Whole or not at all.** An `append` that fails or is dropped has written all of its entries or
///   none; [`ReadLog::bounds`] tells which.
/// - **Dense.** `append` refuses an offset that does not follow. A hole only by `advance`.
/// - **Truncated in pieces** of the backend's choice. Where a partition stands is kept without its
///   entries, over a reopening too.
pub trait IngestLog: ReadLog {
    /// Appends entries, of several partitions in any mixture. They are borrowed: whoever tries again
    /// has them still.
    fn append<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), LogError>>;

    /// Sees to it that the partition goes on at `next` or later. For state that is ahead of its log:
    /// the merge may have a checkpoint of what a crash kept from the disk.
    fn advance(&self, partition: u32, next: u64) -> BoxFuture<'_, Result<(), LogError>>;

    /// Drops what was appended before `before`, and more from the front while all is larger than
    /// `bytes_max`.
    fn truncate(&self, before: UnixNanos, bytes_max: u64) -> BoxFuture<'_, Result<Dropped, LogError>>;
}

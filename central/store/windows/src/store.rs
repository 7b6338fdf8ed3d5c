//! The contract of window state.
//!
//! A window's value is a **cumulative** blob with the log offset that it reaches, so writing it again
//! is harmless and an older write can be told from a newer one. Only the owner of a partition writes
//! its cells, under a writer epoch that rises with each assignment.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use goldentime_model::{Second, ServiceId, UnixNanos};

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Width of the buckets that a cell belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// One second, kept for 360 s.
    OneSecond,
    /// Ten seconds, kept for 20 min.
    TenSeconds,
}

impl Tier {
    /// Width in seconds.
    #[must_use]
    pub const fn width_s(self) -> i64 {
        match self {
            Self::OneSecond => 1,
            Self::TenSeconds => 10,
        }
    }

    /// How long a cell is kept after its bucket, in seconds.
    #[must_use]
    pub const fn retention_s(self) -> i64 {
        match self {
            Self::OneSecond => 360,
            Self::TenSeconds => 1200,
        }
    }

    /// The bucket that holds `second`.
    #[must_use]
    pub const fn bucket_of(self, second: Second) -> Second {
        Second(second.0 - second.0.rem_euclid(self.width_s()))
    }

    /// The first start that a cell may have when event time has come to `watermark`: those before it
    /// have expired.
    #[must_use]
    pub const fn first_kept(self, watermark: Second) -> Second {
        watermark.offset(1 - self.width_s() - self.retention_s())
    }
}

/// Where a cell stands. `start` is a multiple of the tier's width.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellKey {
    /// Whose cell it is.
    pub service: ServiceId,
    /// Width of its bucket.
    pub tier: Tier,
    /// First second of its bucket.
    pub start: Second,
}

/// A cell as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCell {
    /// Where it stands.
    pub key: CellKey,
    /// Partition of the log that it was made from.
    pub partition: u32,
    /// Last log offset that it holds.
    pub offset: u64,
    /// `SecondCell::encode`.
    pub blob: Bytes,
}

/// Last number applied of one stream in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamPosition {
    /// The stream.
    pub stream: [u8; 16],
    /// Its last number applied.
    pub number: u64,
    /// Log time of that record: streams leave the table by it.
    pub log_time: UnixNanos,
}

/// From where a partition's merge goes on after a restart: dropping repeats is a function of the log
/// from `offset` on, given `table`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The partition.
    pub partition: u32,
    /// Last offset applied.
    pub offset: u64,
    /// Running maximum of log append time at `offset`.
    pub log_time: UnixNanos,
    /// Topic generation that the partition belongs to.
    pub generation: u32,
    /// Every stream's last number.
    pub table: Vec<StreamPosition>,
    /// Highest event second merged.
    pub watermark: Second,
}

/// Why window state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine does not answer or refused. Try again; evaluation goes on from memory meanwhile.
    #[error("window store {backend}: cannot {action}")]
    Unavailable {
        /// Backend's name.
        backend: &'static str,
        /// What was tried.
        action: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer version wrote what is stored.
    #[error(
        "window store {backend}: {place} has layout {found}, but this version knows only {known}; upgrade, or move it away: windows are rebuilt from the log"
    )]
    Newer {
        /// Backend's name.
        backend: &'static str,
        /// File or key.
        place: String,
        /// Its layout.
        found: u64,
        /// Newest layout known.
        known: u64,
    },
    /// What is stored cannot be understood.
    #[error("window store {backend}: {what} is corrupt")]
    Corrupt {
        /// Backend's name.
        backend: &'static str,
        /// Which cell or checkpoint.
        what: String,
    },
}

/// Window state of all partitions.
///
/// - **Idempotent.** `put` of a cell whose offset is at or below the stored one of the same
///   partition changes nothing.
/// - **Read your writes.** A `read` that starts after a `put` returned sees it.
/// - **Ordering.** `put`s of one partition are applied in the order of their calls.
/// - **Cancel safety.** Dropping a future leaves each cell either wholly written or untouched.
/// - **Loss.** Cells outlive their retention by no promise; `read` leaves out what has expired.
///   After a crash the cells may be as old as the last checkpoint, never mixed within one cell.
pub trait WindowStore: Send + Sync + 'static {
    /// Backend's name for logs and metrics.
    fn name(&self) -> &'static str;

    /// Writes cumulative cells.
    fn put(&self, cells: Vec<StoredCell>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Cells of one service in `tier` that start in `from..until`, ordered by start; several of one
    /// start where several partitions hold a part (readers sum them).
    fn read(
        &self,
        service: &ServiceId,
        tier: Tier,
        from: Second,
        until: Second,
    ) -> BoxFuture<'_, Result<Vec<StoredCell>, StoreError>>;

    /// Services with any cell that has not expired.
    fn services(&self) -> BoxFuture<'_, Result<Vec<ServiceId>, StoreError>>;

    /// Makes everything put so far for the checkpoint's partition durable together with the
    /// checkpoint, whole or not at all. A checkpoint of a lower generation than the stored one, or of
    /// the same with a lower offset, does not replace it.
    fn save_checkpoint(&self, checkpoint: Checkpoint) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The newest checkpoint of a partition from which its merge can go on, if there is one.
    fn load_checkpoint(&self, partition: u32) -> BoxFuture<'_, Result<Option<Checkpoint>, StoreError>>;
}

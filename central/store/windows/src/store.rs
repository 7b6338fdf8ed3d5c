//! The contract of window state.
//!
//! A window's value is a **cumulative** blob with the log offset that it reaches, so writing it again
//! is harmless and an older write can be told from a newer one. Only the owner of a partition writes
//! its cells.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use goldentime_model::{Second, ServiceId};

use crate::error::StoreError;

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

/// Window state of all partitions.
///
/// - **Idempotent.** `put` of a cell whose offset is at or below the stored one of the same
///   partition changes nothing.
/// - **Read your writes.** A `read` that starts after a `put` returned sees it.
/// - **Ordering.** `put`s of one partition are applied in the order of their calls.
/// - **Cancel safety.** Dropping a future leaves each cell either wholly written or untouched.
/// - **Loss.** Cells outlive their retention by no promise; `read` leaves out what has expired.
///   After a crash some cells may be as old as [`assign`](Self::assign) says, never mixed within one.
pub trait WindowStore: Send + Sync + 'static {
    /// Backend's name for logs and metrics.
    fn name(&self) -> &'static str;

    /// Begins to own a partition. Call it before the first `put` of each assignment, and before the
    /// checkpoint is chosen: [`resume_point`](crate::resume_point) does both.
    fn assign(&self, partition: u32) -> BoxFuture<'_, Result<GoBack, StoreError>>;

    /// Writes cumulative cells. What an `Err` leaves unwritten is the caller's to keep and to put again.
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
}

/// How much log time before its newest checkpoint a partition's merge has to read again, so that the
/// store holds every cell that has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoBack {
    /// Seconds of log time.
    pub log_s: i64,
}

impl GoBack {
    /// The store holds every cell as of the newest checkpoint, or newer.
    pub const NOTHING: Self = Self { log_s: 0 };
}

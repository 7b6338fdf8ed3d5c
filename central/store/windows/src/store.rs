//! The contract of window state.
//!
//! A window's value is a **cumulative** blob with the log offset that it reaches, so writing it again
//! is harmless and an older write can be told from a newer one. Only the owner of a partition writes
//! its cells.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use goldentime_model::{Second, ServiceId, UnixNanos};

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
/// - **An engine that is away.** Calls fail within a bounded time, and at once where it is known to be
///   away ([`health`](Self::health)); nothing is queued for later. The caller judges from its memory and
///   keeps every cell whose `put` failed until a later `put` of it succeeds. Is the engine found without
///   what it had ([`Losses`] rise), the caller puts every cell again that it still holds, written or
///   not, and has the rest put by whoever reads the log again; what a `read` gave since the last
///   [`look`](Self::look) may be less than what had been put.
pub trait WindowStore: Send + Sync + 'static {
    /// Backend's name for logs and metrics.
    fn name(&self) -> &'static str;

    /// Begins to own a partition. Call it before the first `put` of each assignment, and before the
    /// checkpoint is chosen: [`resume_point`](crate::resume_point) does both. After an `Err` the partition
    /// is owned all the same, and nobody knows what is stored: try again, or take it for
    /// [`GoBack::EVERYTHING`].
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

    /// How the store is at present. Cheap: may be asked at every tick.
    fn health(&self) -> Health;

    /// Looks now whether the engine still has what it had. If no loss is new, every `read` before this call gave
    /// all that had been put.
    fn look(&self) -> BoxFuture<'_, Result<Losses, StoreError>>;

    /// Every cell of a partition that has not expired was put since these losses: whoever owns it next need not go
    /// back for them.
    fn made_whole(&self, partition: u32, losses: Losses);

    /// Lets go of files or connections, after everything that uses them has ended.
    fn close(&self) -> BoxFuture<'_, ()>;
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

    /// The store may have lost what it said that it had shortly before it was started anew, or before another server
    /// took its place: it writes its file once a second, and a replica lags by less.
    pub const NEWEST: Self = Self { log_s: 30 };

    /// The store may hold no cell at all.
    pub const EVERYTHING: Self = Self { log_s: Tier::TenSeconds.retention_s() };
}

/// How a store is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Set while the engine, or a part of it, is away.
    pub degraded: Option<Degraded>,
    /// What the engine was found to have lost.
    pub losses: Losses,
}

/// How often since the start an engine was found without what had been put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Without any of it.
    pub all: u64,
    /// Without the newest of it, perhaps ([`GoBack::NEWEST`]).
    pub newest: u64,
}

/// Reads and writes fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degraded {
    /// Since when.
    pub since: UnixNanos,
    /// Why, with the way out where there is one.
    pub why: String,
}

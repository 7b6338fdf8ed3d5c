//! The contract of log search.

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::UnixNanos;

use crate::line::{LineId, NewLine};
use crate::page::{Context, Histogram, Page, PageRequest, Span};
use crate::query::Query;

/// What [`LogStore::retain`] dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Lines.
    pub lines: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Of the lines, those that had to go for the quota before their time.
    pub lines_for_room: u64,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Lines.
    pub lines: u64,
    /// Bytes of text of the lines, before compression.
    pub text_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Time of the oldest line.
    pub oldest: Option<UnixNanos>,
    /// Pieces that could not be opened and lie aside.
    pub set_aside: u64,
}

/// A line that a backend will never take, for what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// The line.
    pub line: NewLine,
    /// The backend's own words.
    pub reason: String,
}

/// Where lines go that a backend will never take: the dead letters.
///
/// They are handed over before the step that they were read in is stored, so that a crash in between
/// hands them over again and loses none. An error fails the step, which is then tried again.
pub trait Rejects: Send + Sync + 'static {
    /// Keeps them.
    fn take<'a>(&'a self, rejected: &'a [Rejected]) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// Keeps log lines and finds them.
///
/// - **Exact.** Lines are stored whole and together with the step that they were read in, as [`Advance`]
///   says, or not at all; a stale step changes nothing. So lines are stored once however often a reader
///   is killed and repeats itself. A backend without transactions stores each line under its identity
///   first, so that a repeat overwrites itself, and the position last. A line that it will never take
///   goes to its [`Rejects`] before the position, and counts as dropped.
/// - **Found at once.** A search sees everything that was stored before it.
/// - **Newest first**, by the lines' own time; lines of one instant in the order of their arrival.
///   Following `next` from page to page gives every line that was there at the first page once.
/// - **As the query says.** [`Query::matches`] decides; whatever index there is may only be quicker.
/// - **Bounded.** A search stops to answer when it has read much; it always comes further than where
///   it began, so that following `next` ends.
/// - **Dropped oldest first**, in pieces of the backend's choice. Positions outlive the lines.
/// - Dropping a future stores whole or not at all, and harms nothing.
pub trait LogStore: Send + Sync + 'static {
    /// Name of the backend, for metrics and logs.
    fn name(&self) -> &'static str;

    /// How far a partition has been stored; `None` where it never was.
    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>>;

    /// Stores lines, in the order of the log, with the step that they were read in. No line's time lies
    /// more than seconds after that of its arrival: the order of searches leans on it.
    fn commit<'a>(
        &'a self,
        lines: &'a [NewLine],
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>>;

    /// The newest lines that the query means.
    fn search(&self, query: Query, page: PageRequest) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// How many lines the query means over time, in the buckets of `span`; its own time is not used.
    fn histogram(&self, query: Query, span: Span) -> BoxFuture<'_, Result<Histogram, StoreError>>;

    /// A line with up to `before` and `after` others of its service and host; `None` when it is gone.
    fn context(
        &self,
        id: LineId,
        before: u32,
        after: u32,
    ) -> BoxFuture<'_, Result<Option<Context>, StoreError>>;

    /// Drops lines older than `before`, and the oldest while all take more than `bytes_max` on disk.
    fn retain(&self, before: UnixNanos, bytes_max: u64) -> BoxFuture<'_, Result<Dropped, StoreError>>;

    /// What it holds.
    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>>;

    /// Lets go of files or connections, after everything that uses them has ended.
    fn close(&self) -> BoxFuture<'_, ()>;
}

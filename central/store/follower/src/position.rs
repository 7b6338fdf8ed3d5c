//! How far a follower has come in each partition of the log.

use std::future::Future;
use std::pin::Pin;

use goldentime_model::UnixNanos;
use goldentime_windows::StreamPosition;

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Topic generation that the offset belongs to.
    pub generation: u32,
    /// Last offset whose rows are in the database; 0 before the first.
    pub offset: u64,
}

/// A committed position with what is needed to go on from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The place.
    pub mark: Mark,
    /// Running maximum of log append time there.
    pub log_time: UnixNanos,
    /// Last number of each stream: a repeat is dropped by it.
    pub streams: Vec<StreamPosition>,
}

/// One step forward.
///
/// A database takes it by **compare-and-set**: only where its mark is still `from` it writes the rows
/// that came with the step, the streams and the mark `to`, all in one transaction. So rows are counted
/// once, whatever dies in between and however often the step is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// The partition.
    pub partition: u32,
    /// The mark that the rows were made on; `None` where the partition was never read.
    pub from: Option<Mark>,
    /// The mark that they reach.
    pub to: Mark,
    /// Running maximum of log append time at `to`.
    pub log_time: UnixNanos,
    /// Streams whose number changed, each once.
    pub streams: Vec<StreamPosition>,
    /// Streams whose last record is older than this by log time leave the table with this step.
    pub forget_before: Option<UnixNanos>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It was taken.
    Done {
        /// Rows written.
        rows: u64,
        /// What was let go because the database had no place for it any more: it is older than what is
        /// kept, or a limit was reached. The database counts it by reason.
        dropped: u64,
    },
    /// The mark is no longer `from`; nothing was written. Read the position again.
    Stale,
}

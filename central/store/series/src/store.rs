//! The contract of the series store.

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Second, ServiceId, UnixNanos};
use goldentime_windows::Aggregate;

use crate::chart::{Chart, ChartQuery, MetricChart, SamplesQuery};
use crate::key::Part;
use crate::rows::Rows;

/// Log time by which a bucket is over before it is rolled up. What comes later is merged into every
/// row that holds its bucket.
pub const SETTLED_AFTER_S: i64 = 10;

/// How long rows are kept, in seconds, and how much room they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Rows of ten seconds, of a minute and of an hour, in this order; each at least as long as the one
    /// before.
    pub seconds: [i64; 3],
    /// Bytes on disk, where the disk is the store's own. Above it rows are deleted, the oldest of ten
    /// seconds first: what they hold is in the wider ones too.
    pub bytes_max: u64,
    /// Series; what belongs to further ones is dropped and counted.
    pub series_max: u64,
}

/// Counts what was let go: older than what is kept, or of a series that there is no room for.
pub(crate) fn count_drops(too_old: u64, refused: u64) {
    for (reason, events) in [("too_old", too_old), ("series_max", refused)] {
        if events > 0 {
            metrics::counter!(DROPS_TOTAL, "component" => "series", "reason" => reason).increment(events);
        }
    }
}

/// Whether upkeep has more to do at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tended {
    /// One step was done; there may be more.
    More,
    /// Nothing is left to do.
    Rest,
}

/// What the store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on disk.
    pub bytes: u64,
    /// Series known.
    pub series: u64,
    /// First second of the oldest row of ten seconds, of a minute, of an hour.
    pub oldest: [Option<Second>; 3],
}

/// Rows of ten seconds, a minute and an hour for every service, host, endpoint and metric.
///
/// - **Once.** [`SeriesStore::commit`] takes a step by compare-and-set, as [`Advance`] says: rows,
///   position and table of streams are committed together or not at all.
/// - **Agreement.** At every instant the answers to one question at ten seconds, a minute and an hour
///   add up to the same, as long as none of the rows asked for is deleted. What comes late is in all
///   of them with the step that brought it.
/// - **Age.** A row older than what is kept is not written again; what belonged into it alone is counted
///   as dropped by reason under `goldentime_drops_total{component="series"}`.
/// - **Reads** see whole steps only, and never wait for a step or for upkeep.
/// - **Cancel safety.** Dropping a future leaves everything as it was, or as if it had ended.
pub trait SeriesStore: Send + Sync + 'static {
    /// Backend's name for logs.
    fn backend(&self) -> &'static str;

    /// The committed position of a partition.
    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>>;

    /// Adds `rows` with the step that they were made by.
    fn commit<'a>(
        &'a self,
        rows: &'a Rows,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>>;

    /// Requests over time, from rows of the greatest width that divides the step. Where those do not
    /// reach back to the beginning, the step is raised to a multiple of a width that does. Empty for what
    /// is not known. The caller bounds the number of points.
    fn chart(&self, query: ChartQuery) -> BoxFuture<'_, Result<Chart<Aggregate>, StoreError>>;

    /// Readings over time, by metric and host, ordered by their key; resolution and step as for
    /// [`SeriesStore::chart`].
    fn samples(&self, query: SamplesQuery) -> BoxFuture<'_, Result<Vec<MetricChart>, StoreError>>;

    /// The services that rows were ever kept of, at most `max` of them, ordered.
    fn services(&self, max: u32) -> BoxFuture<'_, Result<Vec<ServiceId>, StoreError>>;

    /// The parts of a service that rows are kept of, at most `max` of them, ordered.
    fn parts(&self, service: ServiceId, max: u32) -> BoxFuture<'_, Result<Vec<Part>, StoreError>>;

    /// One bounded step of upkeep at `now`: rolling up, deleting what is too old or too much, giving
    /// room back.
    fn tend(&self, now: UnixNanos) -> BoxFuture<'_, Result<Tended, StoreError>>;

    /// What is held at present.
    fn usage(&self) -> BoxFuture<'_, Result<Usage, StoreError>>;

    /// Waits for running calls and lets go of files or connections. Calls that come later fail.
    fn close(&self) -> BoxFuture<'_, ()>;
}

//! A database that follows the log.

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};

use crate::ingest::logged::Logged;
use crate::merge::lateness::LogTime;

/// A database that takes what the log holds, partition by partition.
///
/// The reader gives it every record once and in order, as far as the log has it: repeats are dropped
/// by the table that the database itself keeps beside its rows. Records are folded in memory first, so
/// that many of them become one row and one transaction.
pub trait Follower: Send + Sync + 'static {
    /// Records of one partition, folded.
    type Folded: Default + Send + Sync + 'static;

    /// Name in logs, metrics and status: `series`, `search`.
    fn name(&self) -> &'static str;

    /// The committed position of a partition; `None` where it was never read.
    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>>;

    /// Adds a record; `log_time` is the running maximum with it. Gives how many bytes of memory
    /// `folded` grew by, about. A function of its arguments: it may be called again for the same
    /// records after a restart.
    fn fold(&self, folded: &mut Self::Folded, logged: &Logged, log_time: LogTime) -> usize;

    /// Commits what was folded together with the step, as [`Advance`] says. An error leaves
    /// everything as it was; the same call is then tried again.
    fn commit<'a>(
        &'a self,
        folded: &'a Self::Folded,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>>;
}

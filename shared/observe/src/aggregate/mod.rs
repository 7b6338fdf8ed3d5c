//! One-second buckets, in the order in which an observation meets them.
//!
//! An input reads an [`Observation`], interns its series in its [`Shard`]'s [`series`] table and adds
//! it to the bucket of its second. A shard belongs to one input and holds what that has read since
//! the last flush **together with the read positions up to which it has read**, under one lock
//! ([`ShardHandle`]), so that the flusher always takes both or neither, as one [`Batch`]. What must
//! not wait for the next flush is found by comparing with the central's [`watch`] table. The
//! [`Aggregator`] knows all shards, for the flusher.

pub mod aggregator;
pub mod batch;
pub mod config;
pub mod handle;
pub mod observation;
pub mod position;
pub mod series;
pub mod shard;
pub mod signal;
pub mod watch;

pub use aggregator::Aggregator;
pub use batch::{Batch, Bucket, Drops, Occurred, SeriesDelta, ServiceBatch};
pub use config::Config;
pub use handle::{ShardGuard, ShardHandle};
pub use observation::Observation;
pub use position::{PositionKey, PositionUpdate, Positions};
pub use series::{SeriesKey, SeriesRef};
pub use shard::{Full, Shard};
pub use signal::{FlushSignal, Pending};
pub use watch::{Watch, WatchTable};

#[cfg(test)]
mod tests;

//! Merging: from logged records to windows, each record counted once.
//!
//! In the order in which a record meets them: [`dedupe`] drops repeats and counts gaps, [`lateness`]
//! says which second it may still change, [`accumulate`] adds it to the open cells, [`progress`]
//! notes how far its agent has come. [`partition`] is these together, a function of the log alone.
//! [`shard`] is the task that drives one partition, [`upkeep`] what it does between records: writing
//! cells, [`checkpoint`]s, rebuilding rules; [`fanout`] tells every shard which agents come and go;
//! [`start()`] starts them all.

pub mod accumulate;
pub mod checkpoint;
pub mod dedupe;
#[cfg(test)]
mod exactness_tests;
pub mod fanout;
pub mod lateness;
pub mod names;
pub mod partition;
pub mod progress;
pub mod shard;
#[cfg(test)]
mod shard_tests;
pub mod start;
#[cfg(test)]
pub(crate) mod testing;
mod upkeep;

pub use start::start;

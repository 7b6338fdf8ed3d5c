//! Merging: from logged records to windows, each record counted once.
//!
//! In the order in which a record meets them: [`dedupe`] drops repeats and counts gaps, [`contents`]
//! reads it, [`lateness`] says which cells it may still change, [`accumulate`] adds it to those (their memory is
//! counted in a [`pool`]),
//! [`progress`] notes how far its agent has come (of one service: [`feed`]), [`outcome`] counts what became of it. [`partition`]
//! is these together for all [`services`], a function of the log alone. [`shard`] is the task that
//! drives one partition: it opens cells on their [`bases`], judges once the [`replay_end`] is reached, and adds what came [`late`].
//! [`upkeep`] is what it does between records: writing cells and [`checkpoint`]s; [`loss`] is what becomes of a window
//! store's loss, and [`rebuild`] makes windows again from the log beside the shard; [`warm_up`] is how
//! rules learn of the past; [`fanout`] tells every shard which agents come and go; over the [`exchange`] shards tell each other what rules
//! over [`several`] services need; [`start`] begins shards,
//! and [`assigned`] does so where a group shares the partitions out.

pub mod accumulate;
pub mod assigned;
mod bases;
pub mod checkpoint;
pub mod contents;
pub mod dedupe;
#[cfg(test)]
mod exactness_tests;
pub mod exchange;
pub mod fanout;
pub mod feed;
mod late;
pub mod lateness;
mod loss;
pub mod names;
pub mod outcome;
pub mod partition;
pub mod pool;
pub mod progress;
pub mod rebuild;
pub mod replay_end;
pub mod services;
mod several;
pub mod shard;
#[cfg(test)]
mod shard_tests;
pub mod start;
#[cfg(test)]
pub(crate) mod testing;
mod upkeep;
mod warm_up;

//! From the shards to the spool, in the order in which it happens: [`pace`] says when, [`progress`]
//! how far the inputs have come, [`records`] makes records of what they read, and the [`flusher`]
//! commits those and hands them to the uplink.

mod config;
mod flusher;
mod pace;
mod progress;
mod records;
mod state;

/// Most memory taken beside what the shards declare for what is being flushed: records in the making.
pub const MEMORY_BYTES_MAX: u64 = 8 << 20;

pub use config::{Express, Interval};
pub use flusher::{Flusher, FlusherContext};
pub use records::Author;
pub use state::{FlushState, FlushStatus};

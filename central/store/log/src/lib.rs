//! The ingest log: records in partitions, from which everything else is made.
//!
//! [`store`] is the contract, [`sqlite`] the embedded backend, and [`conformance`] the suite that every
//! backend passes.

pub mod conformance;
pub mod sqlite;
pub mod store;

pub use sqlite::{LogConfig, SqliteLog, peek};
pub use store::{Bounds, BoxFuture, Dropped, Entry, IngestLog, LogError, ReadLog};

//! The ingest log: records in partitions, from which everything else is made.
//!
//! [`store`] is the contract, [`sqlite`] the embedded backend and [`kafka`] that of a cluster, and
//! [`conformance`] is the suite that every backend passes.

pub mod conformance;
pub mod kafka;
pub mod sqlite;
pub mod store;

pub use sqlite::{LogConfig, SqliteLog, peek};
pub use store::{Bounds, BoxFuture, Dropped, Entry, IngestLog, LogError, ReadLog};

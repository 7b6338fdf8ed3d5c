//! Storing: the log, read once more, becomes rows in databases. Asynchronous to everything else:
//! while a database is away, nothing waits but its own reader, and the log holds what is missing.
//!
//! [`follower`] is what a database has to do, [`place`] a partition's position in memory, [`reader`]
//! the task that drives one database through one partition, [`health`] how far it has come. [`series`]
//! makes rows of the series store, [`config`] is what can be set about it, [`start`] opens and tends it.
//! [`logs`] makes log lines of it, [`logs_start`] opens and tends their store, [`tail`] tells who watches.

pub mod config;
pub mod follower;
pub mod health;
pub mod logs;
pub mod logs_start;
pub mod place;
pub mod reader;
#[cfg(test)]
mod reader_tests;
pub mod series;
pub mod start;
pub mod tail;

pub use config::SeriesConfig;
pub use logs_start::Logs;
pub use reader::{Followed, Readers};
pub use start::Series;

//! Goldentime's host agent, in the order in which data flows through it: [`inputs`] read logs and
//! metrics, [`aggregate`] folds them into one-second buckets, [`ship`] commits those to the spool
//! together with the inputs' read positions and sends them to the central.

pub mod aggregate;
pub mod config;
pub mod inputs;
pub mod ship;

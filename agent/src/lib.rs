//! Goldentime's host agent, in the order in which data flows through it: [`inputs`] read logs and
//! metrics, [`aggregate`](goldentime_observe::aggregate) folds them into one-second buckets, [`ship`] commits those to
//! the spool together with the inputs' read positions and sends them to the central or to Kafka.
//!
//! The program around it: its [`config`], the sum of its parts' [`memory`] bounds, its
//! [`state_dir`], its commands [`run`], [`check`] and [`status`], and what SIGHUP does ([`reload`]).

pub mod check;
pub mod config;
pub mod inputs;
pub mod memory;
pub mod reload;
pub mod run;
pub mod ship;
pub mod status;

pub use goldentime_observe::aggregate;

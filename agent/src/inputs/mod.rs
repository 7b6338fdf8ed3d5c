//! Sources of observations, samples and log records.
//!
//! A line comes from a file ([`tail`]), is read ([`parse`]), finds its series ([`route`]) and, where
//! it is shipped as a log record, is [`redact`]ed and `cut` to what one may hold. Metrics come by
//! [`statsd`]. The [`host`] itself is read every second, and of each [`service`] how near it is to its
//! limits. A [`set`] of inputs is what the program starts.

pub mod config;
pub mod host;
pub mod service;
pub mod set;
pub mod statsd;
pub mod tail;

pub use config::Config;
pub use goldentime_observe::{parse, redact, route};
pub use set::{Inputs, InputsError, Owner};

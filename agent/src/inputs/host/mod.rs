//! Saturation of the host, each second: [`cpu`], [`memory`], [`pressure`], [`disk`], [`filesystem`],
//! [`network`] and [`descriptors`], one file a collector, read from `/proc` and `/sys` ([`proc`])
//! without a library between, since a second of it must cost a fraction of a millisecond. [`input`]
//! runs them, and [`status`] says what they find.
//!
//! Names and units follow OpenTelemetry's semantic conventions for system metrics where they have one.

pub mod config;
pub mod cpu;
pub mod descriptors;
pub mod disk;
pub mod filesystem;
pub mod input;
pub mod memory;
pub mod network;
pub mod pressure;
pub mod proc;
pub mod reading;
pub mod status;

pub use config::Config;
pub use input::Host;
pub use status::{HostHandle, Status};

#[cfg(test)]
mod tests;

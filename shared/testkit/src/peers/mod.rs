//! The tools that Goldentime is measured against, started as their own documentation says.

pub mod collectd;
pub mod node_exporter;
pub mod prometheus;

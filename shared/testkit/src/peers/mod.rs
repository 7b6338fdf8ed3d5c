//! The tools that Goldentime is measured against, or that send to it, started as their own documentation says.

pub mod collectd;
pub mod node_exporter;
pub mod prometheus;
pub mod rsyslog;

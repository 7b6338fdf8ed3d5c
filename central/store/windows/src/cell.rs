//! The value of a window: everything that one service did in one second, as one partition saw it.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{Counts, HostName};
use goldentime_sketch::Sketch;

/// Endpoint (normalised route) and method.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey {
    /// Normalised route, such as `/orders/{id}`.
    pub endpoint: Arc<str>,
    /// HTTP verb or RPC method.
    pub method: Arc<str>,
}

/// Requests of one series in one bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// Requests by outcome, those without a duration included.
    pub counts: Counts,
    /// Durations of those that had one, in seconds.
    pub latency: Sketch,
}

/// Cumulative state of one service-second.
///
/// `total` is the sum over `endpoints` and also the sum over `hosts`. Readings that are not requests
/// (saturation of a `host:<name>` service, custom metrics) stand in `gauges`, newest wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecondCell {
    /// The service as a whole.
    pub total: Aggregate,
    /// By host, so that one bad host of twenty is named.
    pub hosts: BTreeMap<HostName, Aggregate>,
    /// By endpoint and method.
    pub endpoints: BTreeMap<EndpointKey, Aggregate>,
    /// Readings by metric and label set: `name{a="b"}` with labels sorted.
    pub gauges: BTreeMap<Arc<str>, f64>,
    /// The cell began without its base (state lost, checkpoint too young): counts are a lower bound.
    pub partial: bool,
}

/// Why bytes are no cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// Written by a newer version.
    #[error("cell layout version {0} is not known to this version; upgrade, or drop the window state")]
    Version(u8),
    /// The bytes end early or contradict themselves.
    #[error("cell is corrupt at byte {0}")]
    Corrupt(usize),
}

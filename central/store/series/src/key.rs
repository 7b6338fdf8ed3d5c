//! Who a series is about.

use std::sync::Arc;

use goldentime_model::{HostName, SampleKind, ServiceId};
use goldentime_windows::EndpointKey;

/// One series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// The service.
    pub service: ServiceId,
    /// Which part of it.
    pub part: Part,
}

/// Which part of a service a series is about. The hosts sum up to the whole, and so do the endpoints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Its requests as a whole.
    Whole,
    /// Its requests on one host.
    Host(HostName),
    /// Its requests to one endpoint by one method.
    Endpoint(EndpointKey),
    /// Readings of one metric.
    Metric(MetricKey),
}

/// A metric with its labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MetricKey {
    /// `name{a="b",c="d"}`, labels sorted; without braces where there are none.
    pub metric: Arc<str>,
    /// The host that read it.
    pub host: HostName,
    /// Gauge or counter.
    pub kind: SampleKind,
    /// UCUM unit.
    pub unit: Arc<str>,
}

impl MetricKey {
    /// The metric's name without labels.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metric.split('{').next().unwrap_or_default()
    }

    const fn order(&self) -> (&Arc<str>, &HostName, bool, &Arc<str>) {
        (&self.metric, &self.host, matches!(self.kind, SampleKind::Counter), &self.unit)
    }
}

impl PartialOrd for MetricKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for MetricKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// A service as tables name it: a host's own by `host:<name>`.
pub(crate) fn stored_service(project: &str, environment: &str, name: &str) -> Option<ServiceId> {
    format!("{project}/{environment}/{name}").parse().ok()
}

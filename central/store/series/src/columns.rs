//! A part of a service as the columns of a table.

use goldentime_model::SampleKind;
use goldentime_windows::EndpointKey;

use crate::key::{MetricKey, Part};

/// What a row of the table `series` says about its part. Columns that its kind does not use are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Columns<'a> {
    /// 0 the service as a whole, 1 a host, 2 an endpoint, 3 a gauge, 4 a counter.
    pub(crate) kind: i16,
    pub(crate) host: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) method: &'a str,
    pub(crate) metric: &'a str,
    pub(crate) unit: &'a str,
}

impl<'a> From<&'a Part> for Columns<'a> {
    fn from(part: &'a Part) -> Self {
        let none = Self { kind: 0, host: "", endpoint: "", method: "", metric: "", unit: "" };
        match part {
            Part::Whole => none,
            Part::Host(host) => Self { kind: 1, host, ..none },
            Part::Endpoint(EndpointKey { endpoint, method }) => Self { kind: 2, endpoint, method, ..none },
            Part::Metric(MetricKey { metric, host, kind, unit }) => {
                let kind = if *kind == SampleKind::Counter { 4 } else { 3 };
                Self { kind, host, metric, unit, ..none }
            }
        }
    }
}

impl From<Columns<'_>> for Part {
    fn from(columns: Columns<'_>) -> Self {
        let Columns { kind, host, endpoint, method, metric, unit } = columns;
        match kind {
            0 => Self::Whole,
            1 => Self::Host(host.into()),
            2 => Self::Endpoint(EndpointKey { endpoint: endpoint.into(), method: method.into() }),
            _ => Self::Metric(MetricKey {
                metric: metric.into(),
                host: host.into(),
                kind: if kind == 4 { SampleKind::Counter } else { SampleKind::Gauge },
                unit: unit.into(),
            }),
        }
    }
}

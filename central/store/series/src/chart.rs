//! Questions to the store, and its answers.

use std::sync::Arc;

use goldentime_model::{HostName, Second, ServiceId};
use goldentime_windows::Aggregate;

use crate::key::{MetricKey, Part};
use crate::reading::Reading;
use crate::resolution::Resolution;

/// A stretch of time in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First second. The step that holds it is answered as a whole.
    pub from: Second,
    /// First second after it. The step that holds the second before it is answered as a whole.
    pub until: Second,
    /// Seconds that one point stands for; a multiple of ten.
    pub step_s: i64,
}

impl Span {
    /// First second of the step that holds `second`. Steps are counted from the epoch.
    #[must_use]
    pub const fn step_of(&self, second: Second) -> Second {
        Second(second.0 - second.0.rem_euclid(self.step_s))
    }

    /// The same stretch from the beginning of its first step to the end of its last.
    #[must_use]
    pub const fn whole_steps(&self) -> Self {
        let last = self.step_of(Second(self.until.0.saturating_sub(1)));
        Self { from: self.step_of(self.from), until: last.offset(self.step_s), step_s: self.step_s }
    }

    /// Points that an answer may have.
    #[must_use]
    pub const fn points(&self) -> i64 {
        let whole = self.whole_steps();
        (whole.until.0 - whole.from.0) / self.step_s
    }
}

/// Asks for requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartQuery {
    /// The service.
    pub service: ServiceId,
    /// Which of its requests.
    pub of: Requests,
    /// When.
    pub span: Span,
}

/// Which requests of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requests {
    /// All of them.
    All,
    /// Those on one host.
    OnHost(HostName),
    /// Those to one endpoint, by one method or by any.
    To {
        /// Normalised route.
        endpoint: Arc<str>,
        /// HTTP verb or RPC method; `None` for any.
        method: Option<Arc<str>>,
    },
}

impl Requests {
    /// Whether the requests of a part are asked for.
    pub(crate) fn includes(&self, part: &Part) -> bool {
        match (self, part) {
            (Self::All, Part::Whole) => true,
            (Self::OnHost(asked), Part::Host(host)) => asked == host,
            (Self::To { endpoint, method }, Part::Endpoint(key)) => {
                *endpoint == key.endpoint && method.as_ref().is_none_or(|method| *method == key.method)
            }
            _ => false,
        }
    }
}

/// Asks for the readings of one metric, by label set and host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamplesQuery {
    /// The service; of a host's own metrics `host:<name>`.
    pub service: ServiceId,
    /// The metric's name, with labels (`name{a="b"}`) or without for every label set.
    pub metric: Arc<str>,
    /// Only what this host read.
    pub host: Option<HostName>,
    /// When.
    pub span: Span,
    /// Label sets and hosts at most.
    pub series_max: usize,
}

impl SamplesQuery {
    /// Whether the readings of a metric are asked for.
    pub(crate) fn includes(&self, key: &MetricKey) -> bool {
        (*key.metric == *self.metric || *key.name() == *self.metric)
            && self.host.as_ref().is_none_or(|host| *host == key.host)
    }
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart<V = Aggregate> {
    /// Seconds that a point stands for: what was asked for, or more where that is not kept any more.
    pub step_s: i64,
    /// Width of the buckets that were read.
    pub resolution: Resolution,
    /// Steps in which there was anything, by time.
    pub points: Vec<Point<V>>,
}

/// One step of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<V = Aggregate> {
    /// First second of the step.
    pub at: Second,
    /// What is in it.
    pub value: V,
}

/// The readings of one metric with one label set on one host.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricChart {
    /// Which.
    pub key: MetricKey,
    /// Its readings.
    pub chart: Chart<Reading>,
}

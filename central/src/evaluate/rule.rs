//! A rule as the evaluator runs it: an OpenSLO condition over an indicator, compiled.

use std::sync::Arc;
use std::time::Duration;

use goldentime_model::indicator::{Compared, Selector, Straying};
use goldentime_model::{Labels, Outcome, Severity};

/// What a rule judges, compiled from an OpenSLO document.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Name of the alert, unique in its set.
    pub name: Arc<str>,
    /// Name of the SLO, where the rule comes from one.
    pub slo: Option<Arc<str>>,
    /// Document and place that it was read from, for messages.
    pub origin: Arc<str>,
    /// Which series it judges.
    pub selector: Selector,
    /// Makes one alert for each value of these instead of one for the whole selection.
    pub group_by: GroupBy,
    /// What is measured.
    pub measure: Measure,
    /// When the measure is bad.
    pub condition: Condition,
    /// Fires only when the window holds as many requests, readings or (for what strays) seconds; 0 for any. Has no effect on
    /// floors. An alert that fires resolves by its condition alone.
    pub requests_min: u64,
    /// What a window of few requests must show besides, of rules on errors and latency.
    pub low_traffic: LowTrafficGuard,
    /// Length of the window in seconds, ending at the service's watermark.
    pub window_s: u32,
    /// The condition must hold this long before the alert fires; zero fires at once.
    pub hold: Duration,
    /// How urgent it is.
    pub severity: Severity,
    /// Page when the service falls silent.
    pub alert_on_no_data: bool,
    /// Tell when it is over.
    pub alert_on_resolve: bool,
    /// Names of notification targets; empty: all.
    pub targets: Vec<Arc<str>>,
    /// Further labels of its alerts.
    pub labels: Labels,
    /// Summary, description, `runbook_url`.
    pub annotations: Labels,
}

/// What a window of few requests must show besides being bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LowTrafficGuard {
    /// Nothing: the window decides, however few its requests are.
    #[default]
    Off,
    /// Evidence by a sequential test that it is no chance.
    Sequential,
}

/// One alert for the selection as a whole, or one for each part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// The service as a whole.
    #[default]
    Service,
    /// Each endpoint and method.
    Endpoint,
    /// Each host.
    Host,
}

/// What is counted in each second.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Bad = requests with one of these outcomes.
    Availability {
        /// Outcomes that count as bad.
        bad: Vec<Outcome>,
    },
    /// Bad = requests slower than the threshold. A percentile over a threshold is the same: p95 over
    /// 200 ms is more than 5% slower than 200 ms.
    Latency {
        /// In seconds; any value, not tied to bucket edges.
        threshold_s: f64,
    },
    /// Requests per second.
    Traffic,
    /// Bad = readings of a gauge that are above the threshold.
    Saturation {
        /// Metric as `name` or `name{label="value"}`.
        metric: Arc<str>,
        /// In the metric's unit.
        threshold: f64,
    },
    /// Bad = complete seconds that stray from what is usual.
    Stray(Straying),
    /// Bad = the share of bad requests (errors, or slower than usual) left its own recent level.
    Shift(Compared),
}

/// When a rule is true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// The share of bad events is above this (burn rate × (1 − target)).
    BadShareAbove(f64),
    /// The rate per second is below this floor; judged on complete seconds only.
    RateBelow(f64),
}

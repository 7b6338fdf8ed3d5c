//! Where each rule instance stands, for the dashboard and the API.

use std::sync::Arc;

use super::budget::BudgetStatus;
use goldentime_model::indicator::Signal;
use goldentime_model::{Interval, Labels, Second, ServiceId, Severity, UnixNanos};
use serde::{Deserialize, Serialize};

/// State of a rule instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// Surely healthy.
    Ok,
    /// True, but not yet for as long as the rule asks.
    Pending,
    /// Firing.
    Firing,
    /// What is missing could make it either; nobody can say.
    Unknown,
    /// Nothing seen and nothing expected.
    NoData,
}

/// One rule over one service, endpoint or host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// Name of its SLO.
    pub slo: Option<Arc<str>>,
    /// Service that it judges; of a rule over several services the id of its SLO.
    pub service: ServiceId,
    /// The services of a rule over several, as it names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Labels that its alert carries.
    pub labels: Labels,
    /// Golden signal.
    pub signal: Signal,
    /// Where it stands.
    pub state: RuleState,
    /// How urgent it is when it fires.
    pub severity: Severity,
    /// Since when it stands there.
    pub since: UnixNanos,
    /// The SLI over the window: share of good events, or the rate per second.
    pub sli: Option<Interval>,
    /// The share of good events (or rate) below which the rule is true.
    pub objective: f64,
    /// Window in seconds.
    pub window_s: u32,
    /// Its events are seconds, bad where they stray from what is usual.
    pub strays: bool,
    /// The newest second that was judged.
    pub watermark: Second,
    /// The error budget of its objective, where one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetStatus>,
}

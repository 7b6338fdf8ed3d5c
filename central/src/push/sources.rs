//! What is shown, and where it comes from.

use std::sync::Arc;

use goldentime_model::{Alert, StageTimes, UnixNanos};
use goldentime_runtime::SharedClock;
use goldentime_windows::WindowStore;
use tokio::sync::mpsc;

use super::frame::{AgentCount, AlertView, ChannelView, MissingRole, NotReady, RuleCount, Stages, StoreView};
use crate::evaluate::handle::StatusBoard;
use crate::members::roster::Member;
use crate::roles::Roles;

/// What the central says of itself, asked once a second.
#[derive(Clone, Debug, Default)]
pub struct SelfReport {
    /// What keeps it from being ready.
    pub not_ready: Vec<NotReady>,
    /// What this central does of what several share.
    pub roles: Roles,
    /// What no central does.
    pub missing_roles: Vec<MissingRole>,
    /// The centrals that share the work, where several do.
    pub members: Vec<Member>,
    /// Agents, by whether they are connected.
    pub agents: AgentCount,
    /// Rules in force.
    pub rules: RuleCount,
    /// Notification channels.
    pub channels: Vec<ChannelView>,
    /// Databases that follow the log.
    pub stores: Vec<StoreView>,
}

/// Asks the stations before this one how they do.
pub type ReportSelf = Arc<dyn Fn() -> SelfReport + Send + Sync>;

/// Everything that the push station reads.
pub struct Sources {
    /// What the services do.
    pub windows: Arc<dyn WindowStore>,
    /// Where the rules stand.
    pub statuses: StatusBoard,
    /// Alerts as they begin, change and end.
    pub alerts: mpsc::Receiver<Alert>,
    /// The newest alerts of earlier runs, newest first.
    pub recent_alerts: Vec<Alert>,
    /// How the central does.
    pub report_self: ReportSelf,
    /// The present.
    pub clock: SharedClock,
    /// When the central started.
    pub started: UnixNanos,
}

impl From<&Alert> for AlertView {
    fn from(alert: &Alert) -> Self {
        Self {
            episode: alert.episode.clone(),
            fingerprint: alert.fingerprint.to_string(),
            status: alert.status,
            severity: alert.severity,
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            first_breach_s: alert.first_breach.0,
            starts_at_ms: alert.starts_at.as_millis(),
            ends_at_ms: alert.ends_at.map(UnixNanos::as_millis),
            stages: Stages::from(&alert.stages),
            occurred_is_coarse: alert.stages.occurred_is_coarse,
            golden_time_ms: alert.stages.golden_time_ms(),
        }
    }
}

impl From<&StageTimes> for Stages {
    fn from(stages: &StageTimes) -> Self {
        Self {
            occurred_ms: stages.occurred.map(millis),
            flushed_ms: stages.flushed.map(millis),
            received_ms: stages.received.map(millis),
            merged_ms: stages.merged.map(millis),
            evaluated_ms: stages.evaluated.map(millis),
            dispatched_ms: stages.dispatched.map(millis),
            delivered_ms: stages.delivered.map(millis),
        }
    }
}

/// Milliseconds with microseconds as fraction: a double holds that exactly enough until 2255.
#[must_use]
pub fn millis(at: UnixNanos) -> f64 {
    (at.0 / 1000) as f64 / 1000.0
}

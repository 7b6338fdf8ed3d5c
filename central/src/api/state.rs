//! What the handlers read.

use std::sync::Arc;

use axum::extract::FromRef;
use goldentime_catalog::Catalogue;
use goldentime_model::UnixNanos;
use goldentime_runtime::self_metrics::SelfMetrics;
use goldentime_runtime::{SharedClock, Tasks};
use goldentime_series::SeriesStore;
use goldentime_windows::WindowStore;

use super::config::HttpConfig;
use crate::access::Access;
use crate::evaluate::handle::StatusBoard;
use crate::ingest::agents::AgentStatus;
use crate::ingest::deadletter::LetterStore;
use crate::notify;
use crate::persist::Logs;
use crate::push::sources::ReportSelf;
use crate::push::{self};

/// Lists the agents that the uplink knows.
pub type ListAgents = Arc<dyn Fn() -> Vec<AgentStatus> + Send + Sync>;

/// What stands before every handler, and all that a central without the role `api` answers from. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    /// What was set about HTTP.
    pub http: Arc<HttpConfig>,
    /// Who may ask.
    pub access: Access,
    /// How the central does.
    pub report_self: ReportSelf,
    /// Metrics about ourselves.
    pub metrics: SelfMetrics,
}

impl FromRef<ApiState> for Front {
    fn from_ref(state: &ApiState) -> Self {
        Self {
            http: Arc::clone(&state.http),
            access: state.access.clone(),
            report_self: Arc::clone(&state.report_self),
            metrics: state.metrics.clone(),
        }
    }
}

/// What the handlers read. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// What was set about HTTP.
    pub http: Arc<HttpConfig>,
    /// Who may ask.
    pub access: Access,
    /// What the services do.
    pub windows: Arc<dyn WindowStore>,
    /// What they did before, where history is kept.
    pub series: Option<Arc<dyn SeriesStore>>,
    /// Log lines, where they are kept.
    pub logs: Option<Logs>,
    /// Whether lines can be watched here: they are by who stores them.
    pub stores_lines: bool,
    /// What could not be taken, where this central keeps it.
    pub letters: Option<Arc<dyn LetterStore>>,
    /// Where the rules stand.
    pub statuses: StatusBoard,
    /// Alerts of today and before.
    pub catalogue: Arc<dyn Catalogue>,
    /// Who is told of them, and what people decide.
    pub notifier: notify::Handle,
    /// When the central started.
    pub started: UnixNanos,
    /// Agents.
    pub agents: ListAgents,
    /// How the central does.
    pub report_self: ReportSelf,
    /// The live frames.
    pub push: push::Handle,
    /// Metrics about ourselves.
    pub metrics: SelfMetrics,
    /// The present.
    pub clock: SharedClock,
    /// For long-lived connections, which end when the central stops.
    pub tasks: Tasks,
}

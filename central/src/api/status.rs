//! Services, rules, agents and the central itself, as the live page shows them.

use axum::Json;
use axum::extract::State;

use super::problem::Refusal;
use super::state::ApiState;
use crate::ingest::agents::AgentStatus;
use crate::push::frame::{CentralStatus, Service, SloStatus};

/// `GET /api/v1/services`: one row a service, worst first, without history.
pub(super) async fn services(State(state): State<ApiState>) -> Result<Json<Vec<Service>>, Refusal> {
    state.push.services().await.map(Json).ok_or_else(stopping)
}

/// `GET /api/v1/status`: how the central does.
pub(super) async fn status(State(state): State<ApiState>) -> Result<Json<CentralStatus>, Refusal> {
    state.push.central().await.map(Json).ok_or_else(stopping)
}

/// `GET /api/v1/rules`: where each rule instance stands.
pub(super) async fn rules(State(state): State<ApiState>) -> Json<Vec<SloStatus>> {
    Json(state.statuses.all().iter().map(SloStatus::from).collect())
}

/// `GET /api/v1/agents`: every agent that was ever heard in this run or the last ones.
pub(super) async fn agents(State(state): State<ApiState>) -> Json<Vec<AgentStatus>> {
    Json((state.agents)())
}

fn stopping() -> Refusal {
    let code = goldentime_model::problem::ProblemCode::Unavailable;
    Refusal::new(code, "the central is stopping; ask again in a few seconds")
}

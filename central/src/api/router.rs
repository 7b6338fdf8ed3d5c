//! The routes.

use axum::Router;
use axum::http::Uri;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use goldentime_model::problem::ProblemCode;

use super::problem::Refusal;
use super::state::ApiState;
use super::{alerts, dashboard, guard, health, live, status, windows};

/// All routes over this state.
pub(super) fn router(state: ApiState) -> Router {
    let api = Router::new()
        .route("/services", get(status::services))
        .route("/windows", get(windows::window))
        .route("/alerts", get(alerts::active))
        .route("/alerts/history", get(alerts::history))
        .route("/rules", get(status::rules))
        .route("/agents", get(status::agents))
        .route("/status", get(status::status))
        .route("/live", get(live::live))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method);
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .nest("/api/v1", api)
        .fallback(get(dashboard::file))
        .layer(middleware::from_fn(guard::guard))
        .with_state(state)
}

async fn unknown(uri: Uri) -> Response {
    let detail = format!("there is no /api/v1{}; docs/websocket.md lists what there is", uri.path());
    Refusal::new(ProblemCode::NotFound, detail).into_response()
}

async fn wrong_method() -> Response {
    Refusal::new(ProblemCode::MethodNotAllowed, "only GET is answered here").into_response()
}

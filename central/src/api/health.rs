//! Health and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::ApiState;

/// `GET /healthz`: the process answers. Says nothing of whether it can work.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 when it takes data and judges, else 503 with what keeps it.
pub(super) async fn readyz(State(state): State<ApiState>) -> Response {
    let not_ready = (state.report_self)().not_ready;
    let status = if not_ready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(json!({ "ready": not_ready.is_empty(), "not_ready": not_ready }))).into_response()
}

/// `GET /metrics`: Prometheus's text form.
pub(super) async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}

//! Health and metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::state::Front;
use crate::push::sources::SelfReport;

/// `GET /healthz`: the process answers. Says nothing of whether it can work.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: 200 when it does what its roles say, else 503 with what keeps it. Roles that no central has make
/// none of the others unready, and are named.
pub(super) async fn readyz(State(front): State<Front>) -> Response {
    let SelfReport { not_ready, missing_roles, .. } = (front.report_self)();
    let status = if not_ready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let ready = not_ready.is_empty();
    (status, axum::Json(json!({ "ready": ready, "not_ready": not_ready, "missing_roles": missing_roles })))
        .into_response()
}

/// `GET /metrics`: Prometheus's text form.
pub(super) async fn metrics(State(front): State<Front>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], front.metrics.render())
}

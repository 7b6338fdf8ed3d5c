//! `/api/v2/status` and `/api/v2/receivers`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::rfc3339;
use crate::api::state::ApiState;

#[derive(Serialize)]
pub(in crate::api) struct Receiver {
    name: String,
}

/// `GET /api/v2/status`: versions, and the routing tree as Alertmanager would have it.
pub(in crate::api) async fn status(State(state): State<ApiState>) -> Json<Value> {
    let config = state.notifier.alertmanager_config();
    // JSON is YAML.
    let original = serde_json::to_string_pretty(&config).unwrap_or_default();
    Json(json!({
        "cluster": {"status": "disabled", "peers": []},
        "config": {"original": original},
        "uptime": rfc3339(state.started),
        "versionInfo": {
            "branch": "", "buildDate": "", "buildUser": "", "goVersion": "", "revision": "",
            "version": concat!("goldentime-", env!("CARGO_PKG_VERSION")),
        },
    }))
}

/// `GET /api/v2/receivers`.
pub(in crate::api) async fn receivers(State(state): State<ApiState>) -> Json<Vec<Receiver>> {
    Json(state.notifier.receivers().into_iter().map(|name| Receiver { name }).collect())
}

//! Alerts of today and before.

use axum::Json;
use axum::extract::State;
use goldentime_catalog::HistoryQuery;
use goldentime_model::UnixNanos;
use goldentime_model::problem::ProblemCode;
use serde::Deserialize;

use super::episodes::Shown;
use super::problem::{Parameters, Refusal, uncatalogued};
use super::state::ApiState;
use crate::push::frame::AlertView;

/// Alerts in one answer.
const LIMIT_MAX: u32 = 1000;

/// Which part of the history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default = "default_limit")]
    limit: u32,
    /// Only alerts that started before this instant: `starts_at_ms` of the last one seen.
    before_ms: Option<i64>,
}

const fn default_limit() -> u32 {
    100
}

/// `GET /api/v1/alerts`: what fires now, oldest first, with who is told and who takes care.
pub(super) async fn active(State(state): State<ApiState>) -> Result<Json<Vec<Shown>>, Refusal> {
    let alerts = state.catalogue.active_alerts().await;
    let alerts = alerts.map_err(|error| uncatalogued("read the active alerts", &error))?;
    let shown = alerts.iter().map(|record| Shown {
        alert: AlertView::from(&record.alert),
        standing: state.notifier.standing(record).into(),
    });
    Ok(Json(shown.collect()))
}

/// `GET /api/v1/alerts/history`: in any state, newest start first.
pub(super) async fn history(
    State(state): State<ApiState>,
    Parameters(page): Parameters<Page>,
) -> Result<Json<Vec<AlertView>>, Refusal> {
    if !(1..=LIMIT_MAX).contains(&page.limit) {
        let detail = format!("limit: {} is not between 1 and {LIMIT_MAX}", page.limit);
        return Err(Refusal::new(ProblemCode::InvalidRequest, detail));
    }
    let query = HistoryQuery { before: page.before_ms.map(UnixNanos::from_millis), limit: page.limit };
    let alerts = state.catalogue.history(query).await;
    let alerts = alerts.map_err(|error| uncatalogued("read the alert history", &error))?;
    Ok(Json(alerts.iter().map(AlertView::from).collect()))
}

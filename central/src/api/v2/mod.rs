//! `/api/v2/`: the API of Alertmanager, so that `amtool`, Prometheus and what else speaks it works unchanged.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>. [`alerts`] shows what fires and takes
//! what others found, [`silences`] are those of [`crate::notify::decisions`], [`status`] has the routing tree as a
//! configuration of Alertmanager. What is refused is a JSON text with status 400 or 404, as there.

pub(super) mod alerts;
pub(super) mod silences;
pub(super) mod status;

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use goldentime_model::UnixNanos;

use super::problem::{Refusal, uncatalogued};
use crate::notify::decisions::DecisionError;

/// A refusal in the words of that API.
#[derive(Debug)]
pub(super) enum V2Refusal {
    Said(StatusCode, String),
    Problem(Refusal),
}

impl V2Refusal {
    fn invalid(reason: impl Into<String>) -> Self {
        Self::Said(StatusCode::BAD_REQUEST, reason.into())
    }
}

impl From<Refusal> for V2Refusal {
    fn from(refusal: Refusal) -> Self {
        Self::Problem(refusal)
    }
}

impl From<DecisionError> for V2Refusal {
    fn from(error: DecisionError) -> Self {
        match error {
            DecisionError::Invalid(reason) => Self::invalid(reason),
            DecisionError::Unknown(reason) => Self::Said(StatusCode::NOT_FOUND, reason),
            DecisionError::Store(error) => Self::Problem(uncatalogued("reach the silences", &error)),
            error @ DecisionError::Random(_) => Self::Problem(Refusal::internal("make a silence", &error)),
        }
    }
}

impl IntoResponse for V2Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Said(status, reason) => (status, Json(reason)).into_response(),
            Self::Problem(refusal) => refusal.into_response(),
        }
    }
}

/// The query's parameters, of which some come several times.
fn parameters(uri: &Uri) -> Vec<(String, String)> {
    let Ok(url) = reqwest::Url::parse(&format!("http://localhost/?{}", uri.query().unwrap_or_default()))
    else {
        return Vec::new();
    };
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Whether a parameter that is `true` unless told is.
fn is_wanted(parameters: &[(String, String)], name: &str) -> bool {
    !parameters.iter().any(|(known, value)| known == name && value == "false")
}

/// An instant to the millisecond, as Alertmanager writes it.
fn rfc3339(at: UnixNanos) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into())
        .map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// Reads an instant; none where it is left out, or is Go's "no time".
fn instant(text: Option<&str>) -> Result<Option<UnixNanos>, V2Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01T00:00:00")) else {
        return Ok(None);
    };
    let read: Result<jiff::Timestamp, _> = text.parse();
    let nanos =
        read.map_err(|error| V2Refusal::invalid(format!("`{text}` is no instant: {error}")))?.as_nanosecond();
    let nanos = i64::try_from(nanos);
    nanos.map(|at| Some(UnixNanos(at))).map_err(|_| V2Refusal::invalid(format!("`{text}` is too far away")))
}

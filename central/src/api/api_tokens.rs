//! `/api/v1/api-tokens`: tokens of programs.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use goldentime_catalog::{ApiToken, Role};
use goldentime_model::problem::ProblemCode;
use goldentime_model::units::HumanDuration;
use serde::{Deserialize, Serialize};

use super::problem::{Body, Refusal, unjudged};
use super::state::ApiState;
use crate::access::Principal;
use crate::access::tokens::TokenError;

/// A token without its secret.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    name: String,
    role: Role,
    created_by: String,
    created_at_ms: i64,
    expires_at_ms: Option<i64>,
    /// To the minute.
    used_at_ms: Option<i64>,
    revoked_at_ms: Option<i64>,
}

/// A token that was just made.
#[derive(Serialize)]
struct Made {
    /// The token itself: shown this once.
    token: String,
    #[serde(flatten)]
    shown: Shown,
}

impl From<&ApiToken> for Shown {
    fn from(token: &ApiToken) -> Self {
        let millis = |at: Option<goldentime_model::UnixNanos>| at.map(goldentime_model::UnixNanos::as_millis);
        Self {
            id: token.secret.id(),
            name: token.name.clone(),
            role: token.role,
            created_by: token.created_by.clone(),
            created_at_ms: token.created_at.as_millis(),
            expires_at_ms: millis(token.expires_at),
            used_at_ms: millis(token.used_at),
            revoked_at_ms: millis(token.revoked_at),
        }
    }
}

/// What a new token shall be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    role: Role,
    /// How long it is good, such as `90d`; for ever unless given.
    expires_in: Option<HumanDuration>,
}

/// `GET /api/v1/api-tokens`: all, newest first.
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<Vec<Shown>>, Refusal> {
    let tokens = state.access.api_tokens().await;
    let tokens = tokens.map_err(|error| unjudged("list API tokens", &error))?;
    Ok(Json(tokens.iter().map(Shown::from).collect()))
}

/// `POST /api/v1/api-tokens`: makes one.
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    let expires_in = wanted.expires_in.map(HumanDuration::get);
    let made = state.access.create_api_token(&wanted.name, wanted.role, expires_in, &principal.name).await;
    let (secret, token) = made.map_err(|error| match error {
        TokenError::Name => Refusal::new(ProblemCode::InvalidRequest, error.to_string()),
        TokenError::TooMany => Refusal::new(ProblemCode::Conflict, error.to_string()),
        TokenError::Failed(error) => unjudged("make an API token", &error),
    })?;
    let made = Made { token: secret.to_string(), shown: (&token).into() };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// `DELETE /api/v1/api-tokens/{id}`: revokes one.
pub(super) async fn revoke(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let revoked = state.access.revoke_api_token(&id, &principal.name).await;
    match revoked.map_err(|error| unjudged("revoke an API token", &error))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::new(ProblemCode::NotFound, format!("no API token in force is `{id}`"))),
    }
}

//! `/api/v1/setup`: an account for a set-up link.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use goldentime_catalog::Role;
use goldentime_model::problem::ProblemCode;
use serde::{Deserialize, Serialize};

use super::peer::Peer;
use super::problem::{Body, Refusal, unjudged};
use super::session::{too_many, welcome};
use super::state::ApiState;
use crate::access::set_up::SetUpError;

/// The secret of a link. In a body, so that no log of a proxy has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    token: String,
}

/// What a link is for.
#[derive(Serialize)]
pub(super) struct Link {
    role: Role,
    /// The account that it is for; chosen by its holder if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    expires_at_ms: i64,
}

/// `POST /api/v1/setup/link`: what a link is for.
pub(super) async fn link(
    State(state): State<ApiState>,
    Body(asked): Body<Asked>,
) -> Result<Json<Link>, Refusal> {
    let link = state.access.link(&asked.token).await;
    let link = link.map_err(|error| unjudged("read the set-up link", &error))?;
    let link = link.ok_or_else(|| Refusal::new(ProblemCode::NotFound, SetUpError::Link.to_string()))?;
    Ok(Json(Link { role: link.role, name: link.name, expires_at_ms: link.expires_at.as_millis() }))
}

/// A link's secret with what its holder chose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chosen {
    token: String,
    name: String,
    password: String,
}

/// `POST /api/v1/setup`: makes the account, or sets its password, and signs in.
pub(super) async fn set_up(
    State(state): State<ApiState>,
    Extension(peer): Extension<Peer>,
    Body(Chosen { token, name, password }): Body<Chosen>,
) -> Result<Response, Refusal> {
    let signed_in = state.access.set_up(&token, &name, password, peer.address).await;
    welcome(&state, peer, &signed_in.map_err(refuse)?)
}

fn refuse(error: SetUpError) -> Refusal {
    let code = match &error {
        SetUpError::Link => ProblemCode::NotFound,
        SetUpError::NameTaken => ProblemCode::Conflict,
        SetUpError::Name | SetUpError::Weak(_) => ProblemCode::InvalidRequest,
        SetUpError::Busy => return too_many(Duration::from_secs(2)),
        SetUpError::Failed(error) => return unjudged("set up an account", error),
    };
    Refusal::new(code, error.to_string())
}

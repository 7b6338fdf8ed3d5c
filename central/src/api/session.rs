//! `/api/v1/session` and `/api/v1/sessions`: signing in and out.

use std::time::Duration;

use axum::extract::{FromRef, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use goldentime_catalog::Role;
use goldentime_model::problem::ProblemCode;
use serde::{Deserialize, Serialize};

use super::authorize::identify;
use super::cookie;
use super::peer::Peer;
use super::problem::{Body, Refusal, unjudged};
use super::state::{ApiState, Front};
use crate::access::sign_in::{SignInError, SignedIn};
use crate::access::{By, Principal};

/// Who looks at the page.
#[derive(Serialize)]
pub(super) struct Session {
    state: SignedState,
    /// Name of the account or API token.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    /// When it ends at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at_ms: Option<i64>,
    /// Whether there is any account yet.
    has_accounts: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum SignedState {
    /// Somebody at this machine looks, and there are no accounts.
    Open,
    SignedIn,
    SignedOut,
}

/// `GET /api/v1/session`: who asks. Answers everybody.
pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Result<Json<Session>, Refusal> {
    let principal = identify(&Front::from_ref(&state), &headers, peer).await?;
    let has_accounts = state.access.has_accounts().await;
    let has_accounts = has_accounts.map_err(|error| unjudged("look for accounts", &error))?;
    Ok(Json(describe(principal.as_ref(), has_accounts)))
}

fn describe(principal: Option<&Principal>, has_accounts: bool) -> Session {
    let Some(principal) = principal else {
        let state = SignedState::SignedOut;
        return Session { state, name: None, role: None, ends_at_ms: None, has_accounts };
    };
    let (state, ends_at_ms) = match principal.by {
        By::ThisMachine => (SignedState::Open, None),
        By::Session { ends_at, .. } => (SignedState::SignedIn, Some(ends_at.as_millis())),
        By::ApiToken(_) => (SignedState::SignedIn, None),
    };
    let name = (!principal.name.is_empty()).then(|| principal.name.to_string());
    Session { state, name, role: Some(principal.role), ends_at_ms, has_accounts }
}

/// Name and password.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    name: String,
    password: String,
}

/// `POST /api/v1/session`: signs in.
pub(super) async fn sign_in(
    State(state): State<ApiState>,
    Extension(peer): Extension<Peer>,
    Body(Credentials { name, password }): Body<Credentials>,
) -> Result<Response, Refusal> {
    let signed_in = state.access.sign_in(&name, password, peer.address).await.map_err(refuse)?;
    welcome(&state, peer, &signed_in)
}

/// Answers with the cookie of a session that has begun.
pub(super) fn welcome(state: &ApiState, peer: Peer, signed_in: &SignedIn) -> Result<Response, Refusal> {
    let lifetime = state.http.session_lifetime.get();
    let value = signed_in.secret.to_string();
    let cookie = cookie::set(state.http.listen.port(), peer.is_secure, &value, lifetime)
        .ok_or_else(|| Refusal::new(ProblemCode::Internal, "the cookie cannot be made"))?;
    let session = Json(describe(Some(&signed_in.principal), true));
    Ok(([(header::SET_COOKIE, cookie)], session).into_response())
}

fn refuse(error: SignInError) -> Refusal {
    match error {
        SignInError::Wrong => Refusal::new(ProblemCode::WrongCredentials, error.to_string()),
        SignInError::TooMany { retry_after } => too_many(retry_after),
        SignInError::Busy => too_many(Duration::from_secs(2)),
        SignInError::Failed(error) => unjudged("sign in", &error),
    }
}

pub(super) fn too_many(retry_after: Duration) -> Refusal {
    let seconds = retry_after.as_secs().max(1);
    Refusal::new(ProblemCode::TooMany, format!("too many attempts; try again in {seconds} s"))
        .after(retry_after)
}

/// `DELETE /api/v1/session`: signs out.
pub(super) async fn sign_out(
    State(state): State<ApiState>,
    Extension(peer): Extension<Peer>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, Refusal> {
    let ended = state.access.sign_out(&principal).await;
    ended.map_err(|error| unjudged("sign out", &error))?;
    let cookie = cookie::clear(state.http.listen.port(), peer.is_secure)
        .ok_or_else(|| Refusal::new(ProblemCode::Internal, "the cookie cannot be taken back"))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// A session of one's own.
#[derive(Serialize)]
pub(super) struct OwnSession {
    id: String,
    /// Where it signed in from.
    address: String,
    created_at_ms: i64,
    /// To the minute.
    seen_at_ms: i64,
    ends_at_ms: i64,
    /// It is the one that asks.
    current: bool,
}

/// `GET /api/v1/sessions`: one's own, newest first.
pub(super) async fn own(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
) -> Result<Json<Vec<OwnSession>>, Refusal> {
    let sessions = state.access.sessions(&principal).await;
    let sessions = sessions.map_err(|error| unjudged("list sessions", &error))?;
    let shown = sessions.into_iter().map(|session| OwnSession {
        id: session.secret.id(),
        address: session.address,
        created_at_ms: session.created_at.as_millis(),
        seen_at_ms: session.seen_at.as_millis(),
        ends_at_ms: session.ends_at.as_millis(),
        current: matches!(principal.by, By::Session { secret, .. } if secret == session.secret),
    });
    Ok(Json(shown.collect()))
}

/// `DELETE /api/v1/sessions/{id}`: ends one of one's own.
pub(super) async fn end(
    State(state): State<ApiState>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let ended = state.access.end_session(&principal, &id).await;
    match ended.map_err(|error| unjudged("end a session", &error))? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Refusal::new(ProblemCode::NotFound, format!("you have no session `{id}`"))),
    }
}

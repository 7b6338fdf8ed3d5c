//! Who may ask what: each route says whom it is for, and nobody else gets there.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use goldentime_catalog::Role;
use goldentime_model::problem::ProblemCode;

use super::cookie;
use super::guard::is_known_own;
use super::peer::Peer;
use super::problem::{Refusal, unjudged};
use super::state::Front;
use crate::access::{By, Principal};

/// Longest `Authorization` header that is looked at.
const HEADER_BYTES_MAX: usize = 1024;

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// Everybody, signed in or not. Such a route tells nothing about what the central watches.
    Everybody,
    /// Those with at least this role.
    Role(Role),
    /// Viewers, and programs on this machine: what only tells of the central's own health.
    ViewerOrThisMachine,
}

/// Lets a request through to its handler, which finds the [`Principal`] among its extensions.
pub(super) async fn authorize(
    State((front, allowed)): State<(Front, For)>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked =
        Asked { method: request.method(), headers: request.headers(), peer: request.extensions().get() };
    match judge(&front, allowed, asked).await {
        Ok(principal) => {
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// What is judged of a request. Its body is nobody's business here.
struct Asked<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    /// Where it comes from, as the guard before all routes noted.
    peer: Option<&'a Peer>,
}

async fn judge(front: &Front, allowed: For, asked: Asked<'_>) -> Result<Option<Principal>, Refusal> {
    let Asked { method, headers, peer } = asked;
    let Some(&peer) = peer else {
        return Err(Refusal::new(ProblemCode::Internal, "the request's origin is not known"));
    };
    let needed = match allowed {
        For::Everybody => return Ok(None),
        For::ViewerOrThisMachine if peer.is_here => return Ok(None),
        For::ViewerOrThisMachine => Role::Viewer,
        For::Role(role) => role,
    };
    let Some(principal) = identify(front, headers, peer).await? else {
        return Err(sign_in_required(headers, peer));
    };
    if principal.role < needed {
        metrics::counter!("goldentime_http_refused_total", "reason" => "role").increment(1);
        let detail = match principal.by {
            By::ThisMachine => {
                "there is no account yet; make one with the link of `goldentime-central setup-link`"
            }
            By::Session { .. } | By::ApiToken(_) => "this needs another role",
        };
        return Err(Refusal::new(ProblemCode::RoleTooLow, format!("{detail} (it is for {needed}s)")));
    }
    // Browsers send the cookie by themselves; that it was a page of ours that made them must be said.
    let by_cookie = matches!(principal.by, By::Session { .. });
    if by_cookie && !method.is_safe() && !is_known_own(headers) {
        metrics::counter!("goldentime_http_refused_total", "reason" => "origin").increment(1);
        let detail = "a cookie alone changes nothing: the browser must send `Origin` or `Sec-Fetch-Site`; programs \
                      use an API token";
        return Err(Refusal::new(ProblemCode::OriginNotAllowed, detail));
    }
    Ok(Some(principal))
}

/// Who asks; `None` if nobody that is known.
pub(super) async fn identify(
    front: &Front,
    headers: &HeaderMap,
    peer: Peer,
) -> Result<Option<Principal>, Refusal> {
    let failed = |error| unjudged("tell who asks", &error);
    if let Some(token) = brought_token(headers) {
        return front.access.of_api_token(&token).await.map_err(failed);
    }
    if let Some(value) = cookie::read(headers, front.http.listen.port(), peer.is_secure)
        && let Some(principal) = front.access.of_cookie(value).await.map_err(failed)?
    {
        return Ok(Some(principal));
    }
    let open = peer.is_here && front.access.is_open().await.map_err(failed)?;
    Ok(open.then(Principal::of_this_machine))
}

/// The token of `Authorization: Bearer <token>`, or the password of `Basic`, for programs that know no other way;
/// the user's name does not matter then. A header that is there counts, however wrong: a program that brings a bad
/// token is not let in for being on this machine.
fn brought_token(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let text = value.to_str().ok().filter(|text| text.len() <= HEADER_BYTES_MAX).unwrap_or_default();
    let token = text.split_once(' ').and_then(|(scheme, rest)| match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Some(rest.trim().into()),
        _ if scheme.eq_ignore_ascii_case("basic") => password(rest.trim()).map(Cow::Owned),
        _ => None,
    });
    Some(token.unwrap_or_default())
}

/// The password of Basic authentication (RFC 7617).
fn password(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

fn sign_in_required(headers: &HeaderMap, peer: Peer) -> Refusal {
    metrics::counter!("goldentime_http_refused_total", "reason" => "not_signed_in").increment(1);
    let detail = if brought_token(headers).is_some() {
        "the API token is unknown, was revoked or has expired; `goldentime-central api-token create` makes one"
    } else if headers.contains_key(header::COOKIE) {
        "nobody is signed in here, or the session has ended; sign in again"
    } else if !peer.is_secure {
        "sign in, or bring an API token as `Authorization: Bearer gta_…`; this connection is not encrypted"
    } else {
        "sign in, or bring an API token as `Authorization: Bearer gta_…`"
    };
    Refusal::new(ProblemCode::SignInRequired, detail)
}

//! Problems as answers.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use goldentime_catalog::CatalogueError;
use goldentime_follower::StoreError;
use goldentime_model::problem::{CONTENT_TYPE, Problem, ProblemCode};
use serde::de::DeserializeOwned;

use crate::access::AccessError;

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    problem: Problem,
    /// When to try again.
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { problem: Problem::new(code, detail), retry_after: None }
    }

    /// Tells when to try again.
    pub(super) fn after(self, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// A fault of ours: the log has the cause, the answer only that there is one.
    pub(super) fn internal(what: &str, error: &dyn std::error::Error) -> Self {
        tracing::error!(what, %error, "a request could not be answered");
        Self::new(ProblemCode::Internal, format!("cannot {what}; the central's log has the cause"))
    }
}

/// A store that follows the log gave no answer.
pub(super) fn unanswered(store: &'static str, error: &StoreError) -> Refusal {
    match error {
        StoreError::Unavailable { .. } | StoreError::Full { .. } => {
            tracing::warn!(error = %error.chain(), "{store} gave no answer");
            let detail = format!("{store} does not answer ({error}); ask again in a few seconds");
            Refusal::new(ProblemCode::Unavailable, detail)
        }
        StoreError::Corrupt { .. } | StoreError::Newer { .. } => {
            Refusal::internal("read what is stored", error)
        }
    }
}

/// Who may ask could not be judged or changed.
pub(super) fn unjudged(what: &str, error: &AccessError) -> Refusal {
    match error {
        AccessError::Store(error) => uncatalogued(what, error),
        error => Refusal::internal(what, error),
    }
}

/// The catalogue gave no answer.
pub(super) fn uncatalogued(what: &str, error: &CatalogueError) -> Refusal {
    if !matches!(error, CatalogueError::Unavailable { .. }) {
        return Refusal::internal(what, error);
    }
    tracing::warn!(what, error = error as &dyn std::error::Error, "the catalogue gave no answer");
    let detail = format!("cannot {what}: the catalogue does not answer; ask again in a few seconds");
    Refusal::new(ProblemCode::Unavailable, detail)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"goldentime\""));
        }
        response
    }
}

/// Query parameters, refused as a problem that names what is wrong.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(parameters)| Self(parameters)).map_err(|error| {
            Refusal::new(ProblemCode::InvalidRequest, format!("query: {}", error.body_text()))
        })
    }
}

/// A JSON body, refused as a problem that names what is wrong.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = axum::Json::<T>::from_request(request, state).await;
        body.map(|axum::Json(body)| Self(body)).map_err(|error| {
            let code = match &error {
                JsonRejection::BytesRejection(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                    ProblemCode::TooLarge
                }
                _ => ProblemCode::InvalidRequest,
            };
            Refusal::new(code, format!("body: {}", error.body_text()))
        })
    }
}

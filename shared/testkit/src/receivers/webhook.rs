//! A webhook endpoint that records what it gets and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::wait;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// When its body was complete.
    pub at: Instant,
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as JSON; null if it is none.
    pub body: serde_json::Value,
    /// Its body as it came.
    pub bytes: Bytes,
    /// Whether it was answered with 200.
    pub accepted: bool,
}

/// How to answer a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// With 200 and this JSON.
    Says(serde_json::Value),
    /// With 429 and `Retry-After` of so many seconds.
    RetryAfter(u64),
    /// With 200, so much later.
    Late(Duration),
    /// With 302 to this address.
    Redirect(String),
    /// Never.
    Hang,
}

#[derive(Default)]
struct Log {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
    always: Option<Answer>,
}

/// The endpoint. Ends when dropped.
pub struct WebhookReceiver {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
    _stop: DropGuard,
}

impl WebhookReceiver {
    /// Starts it on a free port; it answers 200.
    pub async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let address = listener.local_addr()?;
        let log: Arc<Mutex<Log>> = Arc::default();
        let app =
            Router::new().route("/", post(take)).route("/{*path}", post(take)).with_state(Arc::clone(&log));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        #[allow(
            clippy::disallowed_methods,
            reason = "a test's server ends with its guard, not with a program"
        )]
        tokio::spawn(async move {
            tokio::select! {
                result = axum::serve(listener, app) => drop(result),
                () = stopped.cancelled() => {}
            }
        });
        Ok(Self { address, log, _stop: stop.drop_guard() })
    }

    /// Where to POST.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers the next requests so, one each; then as before.
    pub fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.log).answers.extend(answers);
    }

    /// Answers every request so from now on; `None`: 200.
    pub fn always(&self, answer: Option<Answer>) {
        lock(&self.log).always = answer;
    }

    /// What came so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.log).received.clone()
    }

    /// Waits until `count` requests came.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<Received>> {
        let what = format!("{count} webhook requests");
        wait::until(&what, limit, || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

async fn take(State(log): State<Arc<Mutex<Log>>>, uri: Uri, headers: HeaderMap, bytes: Bytes) -> Response {
    let answer = {
        let mut log = lock(&log);
        let answer = log.answers.pop_front().or_else(|| log.always.clone());
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        let accepted = matches!(answer, None | Some(Answer::Status(200) | Answer::Says(_) | Answer::Late(_)));
        let path = uri.path().to_owned();
        log.received.push(Received { at: Instant::now(), path, headers, body, bytes, accepted });
        answer
    };
    match answer {
        None => StatusCode::OK.into_response(),
        Some(Answer::Status(status)) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Some(Answer::Says(json)) => axum::Json(json).into_response(),
        Some(Answer::RetryAfter(seconds)) => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Answer::Late(delay)) => {
            tokio::time::sleep(delay).await;
            StatusCode::OK.into_response()
        }
        Some(Answer::Hang) => std::future::pending().await,
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

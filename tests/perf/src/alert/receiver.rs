//! Notes when each side pages. Both post Alertmanager's webhook form.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use goldentime_model::UnixNanos;
use goldentime_runtime::{Clock, SystemClock};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Service and name of an alert.
pub type Key = (String, String);

/// The newest word on each alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word {
    /// It fires (else it is resolved).
    pub firing: bool,
    /// When the receiver had read it.
    pub at: UnixNanos,
}

/// A running receiver.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    words: Words,
    _server: JoinSet<()>,
}

/// What was said so far. Cheap to clone.
#[derive(Clone, Default)]
pub struct Words(Arc<Mutex<HashMap<Key, Vec<Word>>>>);

#[derive(Deserialize)]
struct Body {
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: HashMap<String, String>,
}

impl Receiver {
    /// Listens on a free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let words = Words::default();
        let router = Router::new().route("/hook", post(take)).with_state(words.clone());
        let mut server = JoinSet::new();
        server.spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("receiver ended: {error}");
            }
        });
        Ok(Self { url, words, _server: server })
    }

    /// What was said so far.
    #[must_use]
    pub fn words(&self) -> Words {
        self.words.clone()
    }
}

impl Words {
    /// When this alert was first said to fire at or after `since`.
    #[must_use]
    pub fn fired_since(&self, key: &Key, since: UnixNanos) -> Option<UnixNanos> {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.get(key)?.iter().find(|word| word.firing && word.at >= since).map(|word| word.at)
    }

    /// Whether the newest word on this alert is that it fires.
    #[must_use]
    pub fn is_firing(&self, key: &Key) -> bool {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.get(key).and_then(|words| words.last()).is_some_and(|word| word.firing)
    }

    /// How often anything was said to fire.
    #[must_use]
    pub fn pages(&self) -> usize {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.values().flatten().filter(|word| word.firing).count()
    }
}

async fn take(State(words): State<Words>, axum::Json(body): axum::Json<Body>) -> StatusCode {
    let at = SystemClock.now();
    let mut words = words.0.lock().unwrap_or_else(PoisonError::into_inner);
    for mut alert in body.alerts {
        let mut label = |name: &str| alert.labels.remove(name).unwrap_or_default();
        let key = (label("service"), label("alertname"));
        words.entry(key).or_default().push(Word { firing: alert.status == "firing", at });
    }
    StatusCode::OK
}

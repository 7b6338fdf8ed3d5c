//! Requests to the nodes of a cluster, bounded in time and size.

use std::sync::atomic::{AtomicUsize, Ordering};

use goldentime_model::config::Secret;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::config::ElasticConfig;
use super::error::{Failure, Told};

/// How long a node may take to accept a connection.
const CONNECT_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// Speaks to whichever node answers.
pub(super) struct Http {
    client: Client,
    nodes: Vec<String>,
    turn: AtomicUsize,
    /// Largest answer that is read, in bytes.
    answer_bytes_max: usize,
}

/// An answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Told,
}

impl Http {
    /// A client as configured; says what is wrong with the configuration otherwise.
    pub(super) fn new(config: &ElasticConfig, answer_bytes_max: usize) -> Result<Self, String> {
        // Where the program has chosen a provider already, that one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization(config) {
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| "`api_key` holds characters that no key has".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut builder = Client::builder()
            .timeout(config.request_timeout.get())
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .tcp_keepalive(std::time::Duration::from_secs(15))
            .default_headers(headers)
            .user_agent(concat!("goldentime/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &config.ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("ca_file {}: {error}", path.display()))?;
            let authorities = Certificate::from_pem_bundle(&pem)
                .map_err(|error| format!("ca_file {}: no certificates in PEM: {error}", path.display()))?;
            builder = builder.tls_certs_merge(authorities);
        }
        let client = builder.build().map_err(|error| format!("cannot make the HTTP client: {error}"))?;
        let nodes = config.urls.iter().map(|url| url.trim_end_matches('/').to_owned()).collect();
        Ok(Self { client, nodes, turn: AtomicUsize::new(0), answer_bytes_max })
    }

    /// Asks for something and takes any answer.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Body<'_>>,
    ) -> Result<Answer, Failure> {
        let mut failure = Failure::NoAnswer("no node is configured".to_owned());
        for _ in &self.nodes {
            let turn = self.turn.load(Ordering::Relaxed);
            let node = &self.nodes[turn % self.nodes.len()];
            let mut request = self.client.request(method.clone(), format!("{node}{path}"));
            request = match &body {
                Some(Body::Json(value)) => request.json(value),
                Some(Body::Lines(lines)) => {
                    request.header(CONTENT_TYPE, "application/x-ndjson").body(lines.to_vec())
                }
                None => request,
            };
            match request.send().await {
                Ok(response) => return read(response, self.answer_bytes_max).await,
                Err(error) => {
                    // The next request tries another node; this one does too where none has seen it.
                    let _ = self.turn.compare_exchange(
                        turn,
                        turn.wrapping_add(1),
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                    let was_seen = !error.is_connect();
                    failure = no_answer(error);
                    if was_seen {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    /// Asks for something; an answer other than 2xx is a failure.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        self.ask(method, path, body.map(Body::Json)).await?.read()
    }
}

/// What is sent.
pub(super) enum Body<'a> {
    Json(&'a Value),
    /// One JSON document a line.
    Lines(&'a [u8]),
}

impl Answer {
    /// What it says, when it is 2xx.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if !(200..300).contains(&self.status) {
            return Err(self.failure());
        }
        serde_json::from_slice(&self.body).map_err(|error| Failure::Garbled(error.to_string()))
    }

    /// What went wrong, when it is not.
    pub(super) fn failure(&self) -> Failure {
        self.told().judge(self.status)
    }

    /// The server's own words.
    pub(super) fn told(&self) -> Told {
        serde_json::from_slice::<Refusal>(&self.body).unwrap_or_default().error
    }
}

async fn read(mut response: Response, bytes_max: usize) -> Result<Answer, Failure> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Failure::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// The address is left out: whoever is told knows the store's place, and it may hold a password.
fn no_answer(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut reason = if error.is_timeout() { "none in time".to_owned() } else { error.to_string() };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    Failure::NoAnswer(reason)
}

fn authorization(config: &ElasticConfig) -> Option<String> {
    use base64::Engine as _;
    let expose = |secret: &Secret| secret.expose().to_owned();
    if let Some(key) = &config.api_key {
        return Some(format!("ApiKey {}", key.expose()));
    }
    let user = config.user.as_ref()?;
    let password = config.password.as_ref().map(expose).unwrap_or_default();
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    Some(format!("Basic {pair}"))
}

//! What channels over HTTP share: the client, and what an answer means.

use std::path::Path;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Certificate, Client, Response, StatusCode, redirect};

use super::SendError;

/// How long an idle connection is kept for the next page.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// A client that verifies certificates, follows no redirect (a page must not wander) and obeys the
/// environment's proxy settings.
pub(in crate::notify) fn client(timeout: Duration, ca_file: Option<&Path>) -> Result<Client, String> {
    let mut builder = Client::builder()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(15))
        .pool_idle_timeout(IDLE_MAX)
        .pool_max_idle_per_host(1)
        .user_agent(concat!("goldentime/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = ca_file {
        let pem = std::fs::read(path).map_err(|error| format!("ca_file {}: {error}", path.display()))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|error| format!("ca_file {}: no certificates in PEM: {error}", path.display()))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| format!("cannot make the HTTP client: {error}"))
}

/// What a failed request means. The address, which may hold a token, is left out.
pub(in crate::notify) fn failed(error: reqwest::Error) -> SendError {
    let error = error.without_url();
    let mut reason = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    SendError::Retry { reason, after: None }
}

/// What an answer means: 2xx is delivered; 408, 425, 429 and 5xx may pass; anything else will not.
pub(in crate::notify) fn judge(response: &Response) -> Result<(), SendError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let passes = status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        );
    let reason = format!("answered {status}");
    if passes {
        let seconds =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(SendError::Retry { reason, after: seconds.map(Duration::from_secs) })
    } else {
        Err(SendError::Permanent {
            reason: format!("{reason}; check the channel's address and what it expects"),
        })
    }
}

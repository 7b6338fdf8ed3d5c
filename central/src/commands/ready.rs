//! `goldentime-central ready`: whether the central of this configuration is ready, for health checks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::config::Config;

/// An answer takes no longer, or the central hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Answer {
    ready: bool,
    not_ready: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    detail: String,
}

/// Asks the central on this machine.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let scheme = if config.http.speaks_tls() { "https" } else { "http" };
    let url = format!("{scheme}://{}/readyz", reachable(config.http.listen));
    // Clients over TLS want a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The certificate names who is asked from elsewhere. Nothing is told here that could be stolen.
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(ANSWER_WITHIN)
        .danger_accept_invalid_certs(true)
        .build()
        .context("cannot make an HTTP client")?;
    let answer = client.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    let answer: Answer =
        answer.json().await.with_context(|| format!("{url} answered {status}, and not as a central does"))?;
    if answer.ready {
        println!("ready");
        return Ok(());
    }
    let reasons: Vec<String> =
        answer.not_ready.iter().map(|reason| format!("{}: {}", reason.code, reason.detail)).collect();
    bail!("not ready: {}", reasons.join("; "));
}

/// Where this machine reaches what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

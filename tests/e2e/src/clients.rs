//! Real StatsD clients, run as programs of their own. Each prints what it sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

/// What a client sent.
#[derive(Debug, Default, Deserialize)]
pub struct Sent {
    /// Requests and errors by method and endpoint, a space between.
    pub requests: BTreeMap<String, (u64, u64)>,
    /// Values by type.
    pub metrics: BTreeMap<String, u64>,
}

/// Runs Datadog's client for Python against a port or a socket. `mode` is `plain` (a datagram a
/// metric), `buffered` (several lines) or `aggregated` (kept by name and tags, sent together).
pub async fn datadog(target: &str, mode: &str, rounds: u32) -> Result<Sent> {
    run(&python(), "send_datadog.py", &[target, mode, &rounds.to_string()]).await
}

/// Runs the plain StatsD client for Python against a port.
pub async fn statsd(port: u16, rounds: u32) -> Result<Sent> {
    run(&python(), "send_statsd.py", &[&port.to_string(), &rounds.to_string()]).await
}

/// Runs hot-shots on Node.js against a port.
pub async fn hot_shots(port: u16, rounds: u32) -> Result<Sent> {
    run(Path::new("node"), "send_hot_shots.js", &[&port.to_string(), &rounds.to_string()]).await
}

async fn run(program: &Path, script: &str, arguments: &[&str]) -> Result<Sent> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let mut command = Command::new(program);
    command.arg(sources.join(script)).args(arguments).env("NODE_PATH", installed().join("node_modules"));
    let output = command.kill_on_drop(true).output().await.with_context(|| {
        format!("cannot run {}: `scripts/setup test` installs the clients", program.display())
    })?;
    ensure!(output.status.success(), "{script} failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).with_context(|| format!("{script} printed no JSON"))
}

/// Where `scripts/setup` installs the clients.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients")
}

fn python() -> PathBuf {
    installed().join("python/bin/python")
}

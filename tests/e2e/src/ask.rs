//! Questions to running programs.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_testkit::programs::{Agent, Central, program};
use goldentime_testkit::wait;
use serde_json::Value;

/// How long a state may take to come about.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What `goldentime-agent status --json` prints.
pub fn agent_status(agent: &Agent) -> Result<Value> {
    let mut command = Command::new(program("goldentime-agent")?);
    let output = command.args(["status", "--json", "--config"]).arg(agent.config.file()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the status is no JSON")
}

/// Waits until the agent's status is as it should be, and gives it.
pub async fn agent_until(agent: &Agent, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    let waited = wait::until(what, PATIENCE, || async { agent_status(agent).ok().filter(&is_so) });
    waited.await.with_context(|| format!("last status: {:?}", agent_status(agent)))
}

/// Waits until the central's answer to `path` is as it should be, and gives it.
pub async fn central_until(
    central: &Central,
    path: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let is_so = &is_so;
    let waited = wait::until(what, PATIENCE, || async { central.get(path).await.ok().filter(is_so) });
    match waited.await {
        Ok(value) => Ok(value),
        Err(error) => Err(error.context(format!("last answer: {:?}", central.get(path).await))),
    }
}

/// Waits until a service of the default project has `requests` in its last `seconds`, not more, and
/// gives the window.
pub async fn window_of(central: &Central, service: &str, seconds: u32, requests: u64) -> Result<Value> {
    let path = format!("/api/v1/windows?service=default/default/{service}&seconds={seconds}");
    let what = format!("{requests} requests of {service}");
    let reached = |window: &Value| window["total"]["requests"].as_u64() >= Some(requests);
    central_until(central, &path, &what, reached).await?;
    // Something counted twice may arrive late as well.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let window = central.get(&path).await?;
    ensure!(
        window["total"]["requests"] == requests,
        "{} requests, not {requests}",
        window["total"]["requests"]
    );
    Ok(window)
}

//! Questions to running programs.

use std::path::Path;
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
    status_by(&agent.config.file())
}

/// What it prints of the agent with this configuration.
pub fn status_by(config: &Path) -> Result<Value> {
    let mut command = Command::new(program("goldentime-agent")?);
    let output = command.args(["status", "--json", "--config"]).arg(config).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the status is no JSON")
}

/// Whether the agent is connected to the central at this address.
#[must_use]
pub fn is_connected_to(status: &Value, address: &str) -> bool {
    status["uplink"]["phase"] == "connected" && status["uplink"]["address"] == address
}

/// Waits until the agent's status is as it should be, and gives it.
pub async fn agent_until(agent: &Agent, what: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value> {
    let waited = wait::until(what, PATIENCE, || async { agent_status(agent).ok().filter(&is_so) });
    waited.await.with_context(|| format!("last status: {:?}", agent_status(agent)))
}

/// Records of an agent that were acknowledged since its start.
#[must_use]
pub fn acknowledged(status: &Value) -> u64 {
    status["uplink"]["acknowledged"].as_u64().unwrap_or_default()
}

/// Waits until the agent ships: more is acknowledged than when it was asked first.
pub async fn further(agent: &Agent) -> Result<()> {
    let before = agent_until(agent, "a status", |_| true).await?;
    let more = |status: &Value| acknowledged(status) > acknowledged(&before);
    agent_until(agent, "a further acknowledgement", more).await.map(drop)
}

/// Waits until these agents, which are all that there are, are connected and ship.
pub async fn all_ship(central: &Central, agents: &[Agent]) -> Result<()> {
    let all = |status: &Value| status["agents"]["connected"] == agents.len();
    central_until(central, "/api/v1/status", "every agent to be connected", all).await?;
    for agent in agents {
        further(agent).await?;
    }
    Ok(())
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

/// Every shipped line that `query` (`&q=…&level=…`) means, newest first, over all pages.
pub async fn log_lines(central: &Central, query: &str) -> Result<Vec<Value>> {
    let (mut lines, mut before) = (Vec::new(), String::new());
    loop {
        let page = central.get(&format!("/api/v1/logs?limit=1000{query}{before}")).await?;
        lines.extend(page["lines"].as_array().context("lines")?.iter().cloned());
        ensure!(page["damaged"] == 0, "{page}");
        let Some(next) = page["next"].as_str() else { return Ok(lines) };
        before = format!("&before={next}");
    }
}

/// What the central's metric shows that stands on a line with this beginning; `None` where there is none.
pub async fn metric(central: &Central, line: &str) -> Result<Option<f64>> {
    let text = central.text("/metrics").await?;
    let found = text.lines().find_map(|shown| shown.strip_prefix(line)?.strip_prefix(' '));
    found.map(|value| value.trim().parse().context("a metric is a number")).transpose()
}

/// Runs a command of the central beside it, and gives what it says.
pub fn central_command(arguments: &[&str], config: &Path) -> Result<String> {
    central_says(Command::new(program("goldentime-central")?).args(arguments).arg("--config").arg(config))
}

/// Makes an authority for several centrals in a folder.
pub fn make_authority(folder: &Path) -> Result<String> {
    let mut command = Command::new(program("goldentime-central")?);
    central_says(command.args(["authority", "create", "--dir"]).arg(folder))
}

fn central_says(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

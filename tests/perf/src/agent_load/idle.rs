//! What it costs to watch a host on which nothing else happens, for the agent and its peers.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use goldentime_testkit::peers::collectd::Collectd;
use goldentime_testkit::peers::node_exporter::NodeExporter;
use goldentime_testkit::process::Process;
use goldentime_testkit::programs::{AgentConfig, CentralConfig};
use tokio::time::{Instant, sleep};

use super::status::until_connected;

/// What starting costs is no part of idling.
const SETTLE: Duration = Duration::from_secs(5);

/// What one program takes.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Resident memory at the end, in MiB.
    pub rss_mib: f64,
    /// Share of one core, in percent. The kernel counts hundredths of a second, so a minute tells
    /// steps of 0.017.
    pub cpu_percent: f64,
}

/// All of them, measured at once.
#[derive(Clone, Copy, Debug)]
pub struct AllIdle {
    /// Our agent: host metrics each second, connected to a central.
    pub agent: Idle,
    /// Prometheus's node exporter, scraped each second.
    pub node_exporter: Idle,
    /// collectd, which reads each second and writes nowhere.
    pub collectd: Idle,
}

/// Lets the programs watch this host for `length`.
pub async fn measure(folder: &Path, length: Duration) -> Result<AllIdle> {
    let central = CentralConfig::new(&folder.join("central"), None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut config =
        AgentConfig::new(&folder.join("agent"), &address, &central.join_token("default")?, "bench-1")?;
    config.inputs_yaml.push_str("  host:\n    interval: 1s\n");
    let agent = config.start()?;
    let node_exporter = NodeExporter::start(folder).await?;
    let collectd = Collectd::start(&folder.join("collectd"))?;
    until_connected(&agent).await?;
    sleep(SETTLE).await;

    let processes = [agent.process(), node_exporter.process(), collectd.process()];
    let (start, before) = (Instant::now(), processes.map(Process::cpu_time));
    sleep(length).await;
    let (elapsed_s, after) = (start.elapsed().as_secs_f64(), processes.map(Process::cpu_time));
    let idle = |number: usize| Idle {
        rss_mib: mib(processes[number].rss_bytes()),
        cpu_percent: (after[number] - before[number]).as_secs_f64() / elapsed_s * 100.0,
    };
    let all = AllIdle { agent: idle(0), node_exporter: idle(1), collectd: idle(2) };
    agent.stop().await?;
    central.stop().await?;
    Ok(all)
}

/// Bytes as MiB.
#[must_use]
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

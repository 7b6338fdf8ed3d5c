//! What a running agent says of itself (`goldentime-agent status --json`), as far as it is wanted here.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_testkit::programs::{Agent, program};
use goldentime_testkit::wait;
use serde::Deserialize;
use tokio::process::Command;

/// How long an agent may take from its start to a central that welcomed it.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// An agent's report.
#[derive(Debug, Deserialize)]
pub struct Status {
    inputs: Vec<Input>,
    uplink: Uplink,
    flush: Flush,
    streams: Vec<Stream>,
    drops: BTreeMap<String, u64>,
    statsd: Option<Statsd>,
}

#[derive(Debug, Deserialize)]
struct Statsd {
    status: StatsdStatus,
}

#[derive(Debug, Deserialize)]
struct StatsdStatus {
    listeners: Vec<Listener>,
    packets: u64,
    metrics: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct Listener {
    kernel_drops: u64,
}

/// Reason under which datagrams are counted that the kernel had no room for.
const KERNEL: &str = "statsd_kernel_buffer_full";

#[derive(Debug, Deserialize)]
struct Input {
    status: Tail,
}

#[derive(Debug, Deserialize)]
struct Tail {
    lines: u64,
    observed: u64,
}

#[derive(Debug, Deserialize)]
struct Uplink {
    phase: String,
    acknowledged: u64,
}

#[derive(Debug, Deserialize)]
struct Flush {
    events: u64,
}

/// Numbers its records from 1, by partition.
#[derive(Debug, Deserialize)]
struct Stream {
    next: BTreeMap<u32, u64>,
}

impl Status {
    /// Asks a running agent.
    pub async fn of(agent: &Agent) -> Result<Self> {
        let mut command = Command::new(program("goldentime-agent")?);
        let output = command.args(["status", "--json", "--config"]).arg(agent.config.file()).output().await?;
        anyhow::ensure!(
            output.status.success(),
            "`goldentime-agent status` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).context("`goldentime-agent status --json` cannot be read")
    }

    /// Lines read by all inputs.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.inputs.iter().map(|input| input.status.lines).sum()
    }

    /// Whether that many requests were read, committed and acknowledged.
    #[must_use]
    pub fn has_shipped(&self, requests: u64) -> bool {
        self.flush.events >= requests && self.is_acknowledged()
    }

    /// Whether everything that was committed is acknowledged.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        let numbered: u64 =
            self.streams.iter().flat_map(|stream| stream.next.values()).map(|next| next - 1).sum();
        self.uplink.acknowledged >= numbered
    }

    /// Metrics taken by StatsD.
    #[must_use]
    pub fn statsd_metrics(&self) -> u64 {
        self.statsd.iter().flat_map(|statsd| statsd.status.metrics.values()).sum()
    }

    /// Datagrams of StatsD that were taken or that the kernel dropped.
    #[must_use]
    pub fn statsd_seen(&self) -> u64 {
        let seen = |statsd: &Statsd| {
            let drops: u64 = statsd.status.listeners.iter().map(|listener| listener.kernel_drops).sum();
            statsd.status.packets + drops
        };
        self.statsd.as_ref().map_or(0, seen)
    }

    /// Whether StatsD is listened to.
    #[must_use]
    pub fn has_listener(&self) -> bool {
        self.statsd.as_ref().is_some_and(|statsd| !statsd.status.listeners.is_empty())
    }

    /// Fails if anything was dropped but by the kernel.
    pub fn ensure_only_the_kernel_dropped(&self) -> Result<()> {
        let is_fine = self.drops.iter().all(|(reason, n)| reason == KERNEL || *n == 0);
        anyhow::ensure!(is_fine, "dropped: {:?}", self.drops);
        Ok(())
    }

    /// Fails unless exactly that many lines were read, each counted as a request, and nothing dropped.
    pub fn ensure_all_counted(&self, requests: u64) -> Result<()> {
        let observed: u64 = self.inputs.iter().map(|input| input.status.observed).sum();
        anyhow::ensure!(
            self.lines() == requests && observed == requests && self.drops.values().all(|n| *n == 0),
            "of {requests} lines {} were read and {observed} counted; dropped: {:?}",
            self.lines(),
            self.drops
        );
        Ok(())
    }
}

/// Waits until the central has welcomed the agent.
pub async fn until_connected(agent: &Agent) -> Result<()> {
    wait::until("the agent to reach its central", CONNECT_WITHIN, || async {
        let status = Status::of(agent).await.ok()?;
        (status.uplink.phase == "connected").then_some(())
    })
    .await
    .with_context(|| agent.process().output())
}

//! A real agent under StatsD: what a metric costs it, and how many it takes without a loss.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_testkit::ports::{free_udp, loopback};
use goldentime_testkit::process::Process;
use goldentime_testkit::programs::{Agent, AgentConfig, Central, CentralConfig};
use goldentime_testkit::wait;

use super::datagrams::{Dialect, datagrams};
use super::sender::send;
use super::status::{Status, until_connected};

/// Metrics packed into one datagram.
const PACKED: usize = 10;
/// Rates at which the cost is measured, in datagrams a second: high enough that programs are busy, low
/// enough that one core sends them.
const RATE: f64 = 500_000.0;
/// With packed ones.
const PACKED_RATE: f64 = 150_000.0;
/// Length of one trial of the highest rate.
const TRIAL: Duration = Duration::from_secs(3);
/// First rate that is tried, in datagrams a second, and how much higher the next one is.
const FIRST_RATE: f64 = 200_000.0;
const RATE_STEP: f64 = 1.15;
/// More than one core sends.
const RATE_MAX: f64 = 3_000_000.0;
/// How long what was sent may take to be counted and acknowledged.
const COUNT_WITHIN: Duration = Duration::from_secs(20);

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatsdFigures {
    /// Metrics for each second of processor time, one to a datagram.
    pub metrics_per_core_s: f64,
    /// The same, ten to a datagram.
    pub packed_metrics_per_core_s: f64,
    /// Share of those sent for the first that the kernel had no room for.
    pub lost_share: f64,
    /// The same of the packed ones.
    pub packed_lost_share: f64,
    /// Highest rate without a loss, one to a datagram.
    pub lossless_per_s: f64,
    /// Most resident memory.
    pub rss_bytes: u64,
}

/// Measures the agent, for `length` at each of the two rates.
pub async fn measure(folder: &Path, length: Duration) -> Result<StatsdFigures> {
    let central = CentralConfig::new(&folder.join("central"), None)?.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut config =
        AgentConfig::new(&folder.join("agent"), &address, &central.join_token("default")?, "bench-1")?;
    let port = free_udp();
    config.inputs_yaml =
        format!("  host:\n    enabled: false\n  statsd:\n    enabled: true\n    udp: ['127.0.0.1:{port}']\n");
    let agent = config.start()?;
    until_connected(&agent).await?;
    let run = Run { agent: &agent, address: loopback(port) };
    let figures = run.all(length).await.with_context(|| agent.process().output())?;
    stop(agent, central).await?;
    Ok(figures)
}

async fn stop(agent: Agent, central: Central) -> Result<()> {
    agent.stop().await?;
    central.stop().await?;
    Ok(())
}

struct Run<'a> {
    agent: &'a Agent,
    address: SocketAddr,
}

/// One stretch of sending.
struct Stretch {
    sent: u64,
    taken: u64,
    cpu: Duration,
    length: Duration,
}

impl Stretch {
    fn per_core_s(&self) -> f64 {
        self.taken as f64 / self.cpu.as_secs_f64()
    }

    /// Metrics a second, if none was lost.
    fn lossless_per_s(&self) -> Option<f64> {
        (self.taken == self.sent).then(|| self.sent as f64 / self.length.as_secs_f64())
    }

    fn lost_share(&self) -> f64 {
        1.0 - self.taken as f64 / self.sent as f64
    }
}

impl Run<'_> {
    async fn all(&self, length: Duration) -> Result<StatsdFigures> {
        // Once for the series to be known and the socket to be open.
        self.stretch(1, FIRST_RATE, Duration::from_secs(1)).await?;
        let single = self.stretch(1, RATE, length).await?;
        let packed = self.stretch(PACKED, PACKED_RATE, length).await?;
        let mut figures = StatsdFigures {
            metrics_per_core_s: single.per_core_s(),
            packed_metrics_per_core_s: packed.per_core_s(),
            lost_share: single.lost_share(),
            packed_lost_share: packed.lost_share(),
            lossless_per_s: single.lossless_per_s().unwrap_or_default(),
            ..StatsdFigures::default()
        };
        let mut rate = FIRST_RATE;
        while rate < RATE_MAX {
            let trial = self.stretch(1, rate, TRIAL).await?;
            let Some(reached) = trial.lossless_per_s() else { break };
            figures.lossless_per_s = figures.lossless_per_s.max(reached);
            // The sender cannot do more.
            if reached < rate * 0.97 {
                break;
            }
            rate *= RATE_STEP;
        }
        figures.rss_bytes = self.agent.process().rss_bytes();
        Ok(figures)
    }

    /// Sends for a while, waits until everything that was taken is counted, committed and acknowledged,
    /// and fails if anything but the kernel dropped some.
    async fn stretch(&self, metrics_each: usize, rate: f64, length: Duration) -> Result<Stretch> {
        let before = self.settled(None).await?;
        let cpu_before = self.agent.process().cpu_time();
        let sent = send_from_thread(self.address, Dialect::Dogstatsd, metrics_each, rate, length).await?;
        let after = self.settled(Some((&before, sent))).await?;
        let cpu = self.agent.process().cpu_time() - cpu_before;
        after.ensure_only_the_kernel_dropped()?;
        let each = metrics_each as u64;
        Ok(Stretch {
            sent: sent * each,
            taken: after.statsd_metrics() - before.statsd_metrics(),
            cpu,
            length,
        })
    }

    /// Waits until the datagrams `sent` since `before` are taken or dropped by the kernel, and nothing
    /// waits to be acknowledged.
    async fn settled(&self, sent: Option<(&Status, u64)>) -> Result<Status> {
        let settled = wait::until("the agent to count what was sent", COUNT_WITHIN, || async {
            let status = Status::of(self.agent).await.ok()?;
            let seen = status.statsd_seen();
            let is_seen = sent.is_none_or(|(before, sent)| seen >= before.statsd_seen() + sent);
            (is_seen && status.has_listener() && status.is_acknowledged()).then_some(status)
        });
        settled.await
    }
}

/// Sends from a thread of its own. Gives how many datagrams.
pub(super) async fn send_from_thread(
    address: SocketAddr,
    dialect: Dialect,
    metrics_each: usize,
    rate: f64,
    length: Duration,
) -> Result<u64> {
    let datagrams = datagrams(dialect, metrics_each);
    Ok(tokio::task::spawn_blocking(move || send(address, &datagrams, rate, length)).await??)
}

/// Metrics that a peer takes for each second of its processor time, one and ten to a datagram. What the
/// kernel dropped on its socket does not count.
pub async fn measure_peer(
    process: &Process,
    port: u16,
    dialect: Dialect,
    length: Duration,
) -> Result<[f64; 2]> {
    let mut figures = [0.0; 2];
    for (figure, (each, rate)) in figures.iter_mut().zip([(1, RATE), (PACKED, PACKED_RATE)]) {
        let (cpu_before, drops_before) = (process.cpu_time(), kernel_drops(port)?);
        let sent = send_from_thread(loopback(port), dialect, each, rate, length).await?;
        let emptied = wait::until("the peer to empty its socket", COUNT_WITHIN, || async {
            (waiting_bytes(port).ok()? == 0).then_some(())
        });
        emptied.await?;
        let taken = sent - (kernel_drops(port)? - drops_before);
        *figure = (taken * each as u64) as f64 / (process.cpu_time() - cpu_before).as_secs_f64();
    }
    Ok(figures)
}

/// Datagrams that the kernel dropped on a port (`/proc/net/udp`, last column).
fn kernel_drops(port: u16) -> Result<u64> {
    let line = socket_line(port)?;
    line.split_whitespace().last().and_then(|drops| drops.parse().ok()).context("drops in /proc/net/udp")
}

/// Bytes that wait on a port (`tx_queue:rx_queue`, the fifth column).
fn waiting_bytes(port: u16) -> Result<u64> {
    let line = socket_line(port)?;
    let waiting =
        line.split_whitespace().nth(4).and_then(|queues| queues.split(':').nth(1)).map(str::to_owned);
    u64::from_str_radix(&waiting.context("rx_queue in /proc/net/udp")?, 16).context("rx_queue")
}

fn socket_line(port: u16) -> Result<String> {
    let text = std::fs::read_to_string("/proc/net/udp")?;
    let suffix = format!(":{port:04X}");
    let line =
        text.lines().find(|line| line.split_whitespace().nth(1).is_some_and(|own| own.ends_with(&suffix)));
    line.map(str::to_owned).with_context(|| format!("nobody listens on port {port}"))
}

//! `make bench-agent`: lines that the agent reads for each second of processor time, and what it takes
//! when there is nothing to read, beside node exporter and collectd in the same run; and metrics by
//! StatsD (`make bench-statsd` measures those alone, beside a peer).
//!
//! `RUNS` is how many million lines are read (default 5), how many fifths of a minute the idle programs
//! are watched, a minute at most, and how many times two seconds StatsD is sent.

use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_perf::agent_load::feed::{Cost, feed};
use goldentime_perf::agent_load::idle::{self, mib};
use goldentime_perf::agent_load::lines::Traffic;
use goldentime_perf::agent_load::statsd;
use goldentime_perf::report::Report;

/// Lines of one run.
const LINES_PER_RUN: u64 = 1_000_000;
/// Longest time that the idle programs are watched, in seconds.
const IDLE_S_MAX: u32 = 60;
/// Services of the agent under heavy load.
const HEAVY_SERVICES: usize = 4;
/// Series of each of them: 2,000 in all.
const HEAVY_SERIES_EACH: usize = 500;

#[tokio::main]
async fn main() -> Result<()> {
    let runs: u32 = std::env::var("RUNS").ok().map_or(Ok(5), |runs| runs.parse()).context("RUNS")?;
    let lines = u64::from(runs.max(1)) * LINES_PER_RUN;
    let folder = tempfile::Builder::new().prefix("goldentime-bench-agent-").tempdir()?;
    let root = folder.path();

    let idle_s = runs.max(1).saturating_mul(12).min(IDLE_S_MAX);
    let idle = idle::measure(&root.join("idle"), Duration::from_secs(idle_s.into())).await?;
    let tail = feed(&root.join("tail"), vec![Traffic::shop()], lines).await?;
    let heavy: Vec<Traffic> = (0..HEAVY_SERVICES).map(|_| Traffic::series(HEAVY_SERIES_EACH)).collect();
    let heavy = feed(&root.join("heavy"), heavy, lines).await?;

    let statsd_length = Duration::from_secs(2 * u64::from(runs.max(1)));
    let statsd = statsd::measure(&root.join("statsd"), statsd_length).await?;

    let per_core_s = |cost: &Cost| cost.lines as f64 / cost.cpu.as_secs_f64();
    let mut report = Report::new("agent", runs);
    report
        .figure("tail_lines_per_core_s", per_core_s(&tail))
        .figure("tail_rss_mib", mib(tail.rss_bytes_max))
        .figure("heavy_lines_per_core_s", per_core_s(&heavy))
        .figure("heavy_rss_mib", mib(heavy.rss_bytes_max))
        .figure("statsd_metrics_per_core_s", statsd.metrics_per_core_s)
        .figure("statsd_packed_metrics_per_core_s", statsd.packed_metrics_per_core_s)
        .figure("statsd_lossless_per_s", statsd.lossless_per_s)
        .figure("idle_rss_mib", idle.agent.rss_mib)
        .figure("idle_cpu_percent", idle.agent.cpu_percent)
        .figure("node_exporter_idle_rss_mib", idle.node_exporter.rss_mib)
        .figure("node_exporter_idle_cpu_percent", idle.node_exporter.cpu_percent)
        .figure("collectd_idle_rss_mib", idle.collectd.rss_mib)
        .figure("collectd_idle_cpu_percent", idle.collectd.cpu_percent);
    report.finish()?;
    Ok(())
}

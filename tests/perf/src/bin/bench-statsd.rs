//! `make bench-statsd`: metrics that the agent takes for each second of processor time, and how many a
//! second without a loss, beside collectd (without tags) in the same run.
//!
//! `RUNS` is how many fifths of ten seconds each rate is sent for (default 5).

use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_perf::agent_load::datagrams::Dialect;
use goldentime_perf::agent_load::idle::mib;
use goldentime_perf::agent_load::statsd::{measure, measure_peer};
use goldentime_perf::report::Report;
use goldentime_testkit::peers::collectd::Collectd;
use goldentime_testkit::ports::free_udp;

#[tokio::main]
async fn main() -> Result<()> {
    let runs: u32 = std::env::var("RUNS").ok().map_or(Ok(5), |runs| runs.parse()).context("RUNS")?;
    let length = Duration::from_secs(2 * u64::from(runs.max(1)));
    let folder = tempfile::Builder::new().prefix("goldentime-bench-statsd-").tempdir()?;
    let agent = measure(&folder.path().join("agent"), length).await?;
    let port = free_udp();
    let collectd = Collectd::start_statsd(&folder.path().join("collectd"), port).await?;
    let [single, packed] = measure_peer(collectd.process(), port, Dialect::Plain, length).await?;
    let mut report = Report::new("statsd", runs);
    report
        .figure("statsd_metrics_per_core_s", agent.metrics_per_core_s)
        .figure("statsd_packed_metrics_per_core_s", agent.packed_metrics_per_core_s)
        .figure("statsd_lossless_per_s", agent.lossless_per_s)
        .figure("statsd_lost_share", agent.lost_share)
        .figure("statsd_packed_lost_share", agent.packed_lost_share)
        .figure("statsd_rss_mib", mib(agent.rss_bytes))
        .figure("collectd_untagged_metrics_per_core_s", single)
        .figure("collectd_untagged_packed_metrics_per_core_s", packed);
    report.finish()?;
    Ok(())
}

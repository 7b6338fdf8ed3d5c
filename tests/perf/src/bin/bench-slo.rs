//! `make bench-slo`: what ten thousand SLOs take of a core each second, and how fast history is replayed.
//!
//! `RUNS` is the number of simulated minutes and of replays; default 3.

use anyhow::{Context, Result};
use goldentime_perf::report::{Report, median};
use goldentime_perf::series::feed::store;
use goldentime_perf::slo::{live, replayed};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let runs: u32 = std::env::var("RUNS").ok().map_or(Ok(3), |runs| runs.parse()).context("RUNS")?;
    let live = live::measure(60 * i64::from(runs))?;
    let folder = tempfile::Builder::new().prefix("goldentime-bench-slo-").tempdir()?;
    let speeds = replayed::measure(store(folder.path()), runs).await?;
    let mut report = Report::new("slo", runs);
    report
        .figure("core_share_at_10k_slos", live.core_share)
        .figure("core_share_at_10k_slos_four_burn_rates", live.core_share_four_burn_rates)
        .figure("replay_times_real_time", median(&speeds));
    report.finish()?;
    Ok(())
}

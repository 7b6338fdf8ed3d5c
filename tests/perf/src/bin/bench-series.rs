//! `make bench-series`: what the series store writes and takes for each row, and how long a chart over
//! thirty days waits.
//!
//! `RUNS` is the number of times that each chart is asked for; default 50.

use anyhow::{Context, Result};
use goldentime_perf::report::Report;
use goldentime_perf::series::feed::store;
use goldentime_perf::series::{charts, writes};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let runs: u32 = std::env::var("RUNS").ok().map_or(Ok(50), |runs| runs.parse()).context("RUNS")?;
    let written = writes::measure().await?;
    let mut report = Report::new("series", runs);
    report
        .figure("rows_per_core_s", written.rows_per_core_s)
        .figure("row_bytes", written.row_bytes)
        .figure("written_bytes_per_row", written.written_bytes_per_row)
        .figure("rolled_series_per_s", written.rolled_series_per_s)
        .figure("disk_3000_series_gib", written.disk_3000_series_gib());
    let folder = tempfile::Builder::new().prefix("goldentime-bench-series-").tempdir()?;
    for chart in charts::measure(store(folder.path()), runs).await? {
        report
            .figure(format!("chart_{}_ms", chart.name), chart.p50_ms)
            .figure(format!("chart_{}_p99_ms", chart.name), chart.p99_ms)
            .figure(format!("chart_{}_points", chart.name), chart.points as f64);
    }
    report.finish()?;
    Ok(())
}

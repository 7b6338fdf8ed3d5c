//! `make bench-central`: deltas through intake, log, merge and evaluation for each second of processor
//! time, and what reading a 60-second window costs.
//!
//! `RUNS` is the number of runs (default 3) of ten seconds each.

use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_model::ServiceId;
use goldentime_perf::alert::rules::openslo;
use goldentime_perf::fleet::agent::{Sent, Shape, run};
use goldentime_perf::report::{Report, median};
use goldentime_perf::window_read;
use goldentime_testkit::programs::CentralConfig;
use tokio::task::JoinSet;

/// Simulated agents.
const AGENTS: usize = 8;
/// Services in all; every agent serves each of them.
const SERVICES: usize = 20;
/// Routes of each service.
const ENDPOINTS: usize = 25;
/// Length of one run.
const LENGTH: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runs: u32 = std::env::var("RUNS").ok().map_or(Ok(3), |runs| runs.parse()).context("RUNS")?;
    let (mut per_core, mut rates, mut rss) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let measured = throughput().await?;
        per_core.push(measured.deltas as f64 / measured.cpu_s);
        rates.push(measured.deltas as f64 / measured.elapsed_s);
        rss.push(measured.rss_bytes as f64 / f64::from(1 << 20));
    }
    let reads = window_read::measure_embedded().await?;
    let mut report = Report::new("central", runs);
    report
        .figure("deltas_per_core_s", median(&per_core))
        .figure("deltas_per_s", median(&rates))
        .figure("rss_mib", median(&rss))
        .figure("window_read_60s_p50_ms", reads.p50_ms)
        .figure("window_read_60s_p99_ms", reads.p99_ms);
    report.finish()?;
    Ok(())
}

struct Measured {
    deltas: u64,
    cpu_s: f64,
    elapsed_s: f64,
    rss_bytes: u64,
}

async fn throughput() -> Result<Measured> {
    let folder = tempfile::Builder::new().prefix("goldentime-bench-central-").tempdir()?;
    let config = CentralConfig::new(&folder.path().join("central"), None)?;
    std::fs::write(config.slo_dir.join("bench.yaml"), openslo())?;
    let central = config.start().await?;
    let token = central.join_token("default")?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let services = (0..SERVICES)
        .map(|number| ServiceId::new("default", "default", &format!("service-{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    let mut agents = JoinSet::new();
    let (cpu_before, start) = (central.process().cpu_time(), tokio::time::Instant::now());
    for number in 0..AGENTS {
        let shape = Shape {
            host: format!("host-{number}"),
            services: services.clone(),
            endpoints: ENDPOINTS,
            records_per_s: None,
        };
        agents.spawn(run(address.clone(), token.clone(), shape, LENGTH));
    }
    let mut all = Sent::default();
    while let Some(sent) = agents.join_next().await {
        let sent = sent??;
        all.records += sent.records;
        all.deltas += sent.deltas;
    }
    let elapsed_s = start.elapsed().as_secs_f64();
    let cpu_s = (central.process().cpu_time() - cpu_before).as_secs_f64();
    let rss_bytes = central.process().rss_bytes();
    central.stop().await?;
    Ok(Measured { deltas: all.deltas, cpu_s, elapsed_s, rss_bytes })
}

//! `make bench-cluster`: deltas through intake, Kafka, merge with evaluation and Redis; how long a record takes
//! through all of it at half of that; what reading a 60-second window from Redis costs, what a service takes there,
//! and charts from PostgreSQL.
//!
//! `RUNS` is the number of runs (default 3) of ten seconds each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_model::ServiceId;
use goldentime_model::config::Secret;
use goldentime_perf::alert::rules::openslo;
use goldentime_perf::fleet::agent::{Sent, Shape, run};
use goldentime_perf::fleet::probe;
use goldentime_perf::report::{Report, median};
use goldentime_perf::series::charts;
use goldentime_perf::series::feed::KEEP;
use goldentime_perf::window_read;
use goldentime_postgres::PostgresConfig;
use goldentime_runtime::{SystemClock, Tasks};
use goldentime_series::PostgresSeries;
use goldentime_testkit::engines::Engines;
use goldentime_testkit::oracle;
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::servers::{postgres, redis};
use goldentime_testkit::{http_client, wait};
use goldentime_windows::{RedisConfig, RedisWindows};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Simulated agents.
const AGENTS: usize = 8;
/// Services in all; every agent serves each of them.
const SERVICES: usize = 20;
/// Routes of each service.
const ENDPOINTS: usize = 25;
/// Length of one run.
const LENGTH: Duration = Duration::from_secs(10);
/// How long what was sent may take to be merged.
const MERGED_WITHIN: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runs: u32 = std::env::var("RUNS").ok().map_or(Ok(3), |runs| runs.parse()).context("RUNS")?;
    let folder = tempfile::Builder::new().prefix("goldentime-bench-cluster-").tempdir()?;
    let engines = Engines::start(folder.path(), 1).await?;
    let mut config = CentralConfig::new(&folder.path().join("central"), None)?;
    engines.give_to(&mut config, "central-1")?;
    std::fs::write(config.slo_dir.join("bench.yaml"), openslo())?;
    let central = config.start().await?;
    let token = central.join_token("default")?;

    let (mut rates, mut per_core) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let measured = load(&central, &token, None).await?;
        rates.push(measured.deltas_per_s);
        per_core.push(measured.deltas_per_core_s);
    }
    let most = median(&rates);
    let tasks = Tasks::new();
    let clock: goldentime_runtime::SharedClock = Arc::new(SystemClock);
    let redis = RedisConfig {
        nodes: vec![engines.redis.address().to_string()],
        password: Some(Secret::new(redis::PASSWORD)),
        ..RedisConfig::default()
    };
    let windows = RedisWindows::open(redis, &tasks, Arc::clone(&clock)).await?;

    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let probed = probe::run(address, token.clone(), &windows, LENGTH);
    let (half, lags_ms) = tokio::try_join!(load(&central, &token, Some(most / 2.0)), probed)?;
    let used: f64 = info(&engines, "used_memory")?;
    central.stop().await?;
    let reads = window_read::measure(&windows, clock.now().second().offset(-300)).await?;

    let mut report = Report::new("cluster", runs);
    report
        .figure("deltas_per_s", most)
        .figure("deltas_per_core_s", median(&per_core))
        .figure("half_deltas_per_s", half.deltas_per_s)
        .figure("merge_lag_p99_ms", half.merge_lag_p99_ms)
        .figure("end_to_end_lag_p50_ms", oracle::quantile(&lags_ms, 0.5)?)
        .figure("end_to_end_lag_p99_ms", oracle::quantile(&lags_ms, 0.99)?)
        .figure("redis_bytes_per_service", used / SERVICES as f64)
        .figure("redis_read_60s_p50_ms", reads.p50_ms)
        .figure("redis_read_60s_p99_ms", reads.p99_ms);
    let database = PostgresConfig {
        port: engines.postgres.address().port(),
        database: engines.postgres.create_database().await?,
        user: postgres::USER.to_owned(),
        password_file: Some(engines.postgres.password_file()),
        ca_file: Some(engines.postgres.authority()),
        ..PostgresConfig::default()
    };
    let series = Arc::new(PostgresSeries::new(database, KEEP));
    for chart in charts::measure(series, 50).await? {
        report
            .figure(format!("chart_{}_ms", chart.name), chart.p50_ms)
            .figure(format!("chart_{}_p99_ms", chart.name), chart.p99_ms);
    }
    report.finish()?;
    Ok(())
}

struct Load {
    deltas_per_s: f64,
    deltas_per_core_s: f64,
    merge_lag_p99_ms: f64,
}

/// Sends for [`LENGTH`], as much as is taken or at a rate, and waits until all is merged.
async fn load(central: &Central, token: &str, deltas_per_s: Option<f64>) -> Result<Load> {
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let services = (0..SERVICES)
        .map(|number| ServiceId::new("default", "default", &format!("service-{number}")))
        .collect::<Result<Vec<_>, _>>()?;
    let (before, lags_before) = (merged(central).await?, lags(&metrics(central).await?));
    let mut agents = JoinSet::new();
    let (cpu_before, start) = (central.process().cpu_time(), Instant::now());
    for number in 0..AGENTS {
        let shape = Shape {
            host: format!("host-{number}"),
            services: services.clone(),
            endpoints: ENDPOINTS,
            records_per_s: deltas_per_s.map(|deltas| deltas / (AGENTS * ENDPOINTS) as f64),
        };
        agents.spawn(run(address.clone(), token.to_owned(), shape, LENGTH));
    }
    let mut all = Sent::default();
    while let Some(sent) = agents.join_next().await {
        let sent = sent??;
        all.records += sent.records;
        all.deltas += sent.deltas;
    }
    let whole = async || {
        let merged = merged(central).await.ok()?;
        (merged - before >= all.records as f64).then_some(())
    };
    wait::until("everything to be merged", MERGED_WITHIN, whole).await?;
    let elapsed_s = start.elapsed().as_secs_f64();
    let cpu_s = (central.process().cpu_time() - cpu_before).as_secs_f64();
    let mut lags = lags(&metrics(central).await?);
    lags.iter_mut().zip(lags_before).for_each(|((_, count), (_, before))| *count -= before);
    Ok(Load {
        deltas_per_s: all.deltas as f64 / elapsed_s,
        deltas_per_core_s: all.deltas as f64 / cpu_s,
        merge_lag_p99_ms: quantile(&lags, 0.99) * 1000.0,
    })
}

/// Batches by how far they were behind the log: at most this many seconds, and how many, lower ones included.
fn lags(metrics: &HashMap<String, f64>) -> Vec<(f64, f64)> {
    let bucket = |(name, count): (&String, &f64)| -> Option<(f64, f64)> {
        let le = name.strip_prefix("goldentime_merge_lag_seconds_bucket{le=\"")?.strip_suffix("\"}")?;
        Some((le.parse().ok()?, *count))
    };
    let mut buckets: Vec<(f64, f64)> = metrics.iter().filter_map(bucket).collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets
}

/// As `histogram_quantile` of Prometheus has it: evenly spread within a bucket.
fn quantile(buckets: &[(f64, f64)], rank: f64) -> f64 {
    let wanted = buckets.last().map_or(0.0, |(_, all)| all * rank);
    let (mut from, mut below) = (0.0, 0.0);
    for &(until, count) in buckets {
        if count >= wanted && count > below {
            return if until.is_finite() {
                from + (until - from) * (wanted - below) / (count - below)
            } else {
                from
            };
        }
        (from, below) = (until, count);
    }
    f64::NAN
}

/// Records that were merged, as the offsets of all partitions tell.
async fn merged(central: &Central) -> Result<f64> {
    let metrics = metrics(central).await?;
    let offsets = metrics.iter().filter(|(name, _)| name.starts_with("goldentime_merge_offset{"));
    Ok(offsets.map(|(_, value)| value).sum())
}

async fn metrics(central: &Central) -> Result<HashMap<String, f64>> {
    let text = http_client().get(format!("{}/metrics", central.url())).send().await?.text().await?;
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    Ok(text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect())
}

/// A figure of Redis's own report.
fn info(engines: &Engines, name: &str) -> Result<f64> {
    let told = engines.redis.cli(["INFO", "memory"])?;
    let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.with_context(|| format!("no {name}"))?.trim().parse().context("a number")
}

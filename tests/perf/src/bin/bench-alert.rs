//! `make bench-alert`: tipping request to webhook, beside Prometheus and Alertmanager in the same run,
//! once more while somebody else holds the series store, once more while the central bears half of the
//! load that `bench-central` found, and once more through Kafka and Redis, with PostgreSQL and Elasticsearch and
//! without.
//!
//! `RUNS` is the number of trials of each kind (errors, latency); default 50. The rows without
//! Prometheus take a fifth of them. `ROWS=cluster` runs those through Kafka and Redis alone, as often as
//! `RUNS` says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_model::ServiceId;
use goldentime_perf::alert::outcome::{Outcome, Side, outcomes, together};
use goldentime_perf::alert::receiver::Receiver;
use goldentime_perf::alert::rules::Rule;
use goldentime_perf::alert::stage::{SERVICES, Stage};
use goldentime_perf::alert::trial::Trial;
use goldentime_perf::earlier::read_figure;
use goldentime_perf::fleet::agent::{self, Shape};
use goldentime_perf::report::Report;
use goldentime_testkit::blocked::{Blocked, series_of};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::peers::prometheus::PrometheusStack;
use tokio::task::JoinSet;

/// Services in all while the central is loaded, and the agents that feed those that are not broken.
const LOADED_SERVICES: usize = 200;
const LOADED_AGENTS: usize = 4;
/// Routes of each of them.
const LOADED_ENDPOINTS: usize = 20;

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runs: usize = std::env::var("RUNS").ok().map_or(Ok(50), |runs| runs.parse()).context("RUNS")?;
    let folder = tempfile::Builder::new().prefix("goldentime-bench-alert-").tempdir()?;
    let cluster = folder.path().join("cluster");
    match std::env::var("ROWS").as_deref() {
        Ok("cluster") => {
            let mut report = Report::new("alert-cluster", u32::try_from(runs)?);
            report_cluster(&mut report, cluster_trials(&cluster, runs).await?);
            report.finish()?;
            return Ok(());
        }
        Ok(other) => anyhow::bail!("ROWS={other}: only `cluster` can be chosen"),
        Err(_) => {}
    }
    let peer = Receiver::start().await?;
    let stage = Stage::start(folder.path(), None).await?;

    let rules: Vec<_> = Rule::all().into_iter().map(Rule::prometheus).collect();
    let scraped = stage.upstream.address.to_string();
    let prometheus =
        PrometheusStack::start(&folder.path().join("prometheus"), &scraped, &rules, &peer.url).await?;
    let beside = stage.trials(runs, Some(&peer)).await;
    drop(prometheus);

    let blocked = blocked_trials(&stage, runs.div_ceil(5)).await?;
    let load = read_figure("central", "deltas_per_s").map(|most| most / 2.0);
    let loaded = match load {
        Some(deltas_per_s) => loaded_trials(&stage, runs.div_ceil(5), deltas_per_s).await?,
        None => {
            println!("no row under load: run `make bench-central` first, which says what half of it is");
            Vec::new()
        }
    };

    let logs = stage.stop().await?;
    let all = tell("beside Prometheus and Alertmanager", outcomes(&beside, &logs), true);
    let mut report = Report::new("alert", u32::try_from(beside.len())?);
    report
        .figure("tipping_to_webhook_p50_ms", all.ours.tipping(0.5))
        .figure("tipping_to_webhook_p99_ms", all.ours.tipping(0.99))
        .figure("onset_to_webhook_p50_ms", all.ours.onset(0.5))
        .figure("prometheus_tipping_to_webhook_p50_ms", all.peer.tipping(0.5))
        .figure("prometheus_tipping_to_webhook_p95_ms", all.peer.tipping(0.95))
        .figure("tipping_ratio_vs_prometheus", all.peer.tipping(0.5) / all.ours.tipping(0.5))
        .figure("missed", all.ours.missed as f64)
        .figure("prometheus_missed", all.peer.missed as f64)
        .figure("without_tipping", all.without_tipping as f64);
    let blocked = tell("while the series store is blocked", outcomes(&blocked, &logs), false);
    report
        .figure("blocked_tipping_to_webhook_p50_ms", blocked.ours.tipping(0.5))
        .figure("blocked_tipping_to_webhook_p99_ms", blocked.ours.tipping(0.99))
        .figure("blocked_missed", blocked.ours.missed as f64);
    if let Some(deltas_per_s) = load {
        let loaded = tell("while loaded", outcomes(&loaded, &logs), false);
        report
            .figure("loaded_deltas_per_s", deltas_per_s)
            .figure("loaded_tipping_to_webhook_p50_ms", loaded.ours.tipping(0.5))
            .figure("loaded_tipping_to_webhook_p99_ms", loaded.ours.tipping(0.99))
            .figure("loaded_missed", loaded.ours.missed as f64);
    }
    report_cluster(&mut report, cluster_trials(&cluster, runs.div_ceil(5)).await?);
    report.finish()?;
    Ok(())
}

/// Trials through Kafka and Redis: while PostgreSQL and Elasticsearch run as well, and after they were killed.
async fn cluster_trials(root: &Path, runs: usize) -> Result<[BTreeMap<Rule, Outcome>; 2]> {
    std::fs::create_dir_all(root)?;
    let mut engines = Engines::start(root, 1).await?.and_search().await?;
    let stage = Stage::start(root, Some(&engines)).await?;
    let with = stage.trials(runs, None).await;
    engines.postgres.kill9();
    engines.search = None;
    let without = stage.trials(runs, None).await;
    let logs = stage.stop().await?;
    Ok([outcomes(&with, &logs), outcomes(&without, &logs)])
}

fn report_cluster(report: &mut Report, [with, without]: [BTreeMap<Rule, Outcome>; 2]) {
    for (title, name, row) in [
        ("through Kafka and Redis", "cluster", with),
        ("the same with PostgreSQL and Elasticsearch stopped", "cluster_alone", without),
    ] {
        let row = tell(title, row, false);
        report
            .figure(format!("{name}_tipping_to_webhook_p50_ms"), row.ours.tipping(0.5))
            .figure(format!("{name}_tipping_to_webhook_p99_ms"), row.ours.tipping(0.99))
            .figure(format!("{name}_missed"), row.ours.missed as f64);
    }
}

/// Trials without the peer while somebody else holds the series store.
async fn blocked_trials(stage: &Stage, runs: usize) -> Result<Vec<Trial>> {
    let blocked = Blocked::lock(&series_of(&stage.central.config)).await?;
    let trials = stage.trials(runs, None).await;
    blocked.release().await?;
    Ok(trials)
}

/// Trials without the peer while simulated agents bring as many deltas of other services.
async fn loaded_trials(stage: &Stage, runs: usize, deltas_per_s: f64) -> Result<Vec<Trial>> {
    let token = stage.central.join_token("default")?;
    let address = stage.agents_address();
    let others = (SERVICES..LOADED_SERVICES).map(|number| {
        ServiceId::new("default", "default", &format!("loaded-{number:03}")).context("a valid name")
    });
    let others = others.collect::<Result<Vec<_>>>()?;
    let records_per_s = deltas_per_s / (LOADED_ENDPOINTS * LOADED_AGENTS) as f64;
    let mut feeding = JoinSet::new();
    for number in 0..LOADED_AGENTS {
        let shape = Shape {
            host: format!("loaded-{number}"),
            services: others.clone(),
            endpoints: LOADED_ENDPOINTS,
            records_per_s: Some(records_per_s),
        };
        // Until the trials are over.
        feeding.spawn(agent::run(address.clone(), token.clone(), shape, Duration::from_secs(3600)));
    }
    let trials = stage.trials(runs, None).await;
    if let Some(ended) = feeding.try_join_next() {
        ended??;
        anyhow::bail!("a simulated agent ended before the trials did");
    }
    Ok(trials)
}

/// Prints a row for each rule, the peer's part where it took part, and gives them all together.
fn tell(title: &str, by_rule: BTreeMap<Rule, Outcome>, with_peer: bool) -> Outcome {
    println!("{title}: milliseconds from the tipping request to the webhook");
    let peer_header = format!(" |{:>9}{:>9}{:>8}", "peer p50", "p99", "missed");
    let header = if with_peer { peer_header.as_str() } else { "" };
    println!("  {:<13}{:>7} |{:>9}{:>9}{:>8}{header}", "rule", "trials", "our p50", "p99", "missed");
    for (rule, outcome) in &by_rule {
        let trials = outcome.ours.tipping_ms.len() + outcome.ours.missed;
        let peer = if with_peer { columns(&outcome.peer) } else { String::new() };
        println!("  {:<13}{trials:>7}{}{peer}", rule.name(), columns(&outcome.ours));
    }
    together(by_rule)
}

fn columns(side: &Side) -> String {
    format!(" |{:>9.0}{:>9.0}{:>8}", side.tipping(0.5), side.tipping(0.99), side.missed)
}

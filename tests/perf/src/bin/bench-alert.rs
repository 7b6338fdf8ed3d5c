//! `make bench-alert`: tipping request to webhook, beside Prometheus and Alertmanager in the same run.
//!
//! `RUNS` is the number of trials of each kind (errors, latency); default 50.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use goldentime_perf::alert::outcome::{Outcome, outcomes, together};
use goldentime_perf::alert::receiver::Receiver;
use goldentime_perf::alert::rules::{Rule, openslo};
use goldentime_perf::alert::trial::{Sides, Trial, run};
use goldentime_perf::alert::upstream::{Upstream, service_name};
use goldentime_perf::report::Report;
use goldentime_testkit::load::Steady;
use goldentime_testkit::nginx::{Nginx, Site};
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::peers::prometheus::PrometheusStack;
use goldentime_testkit::ports;
use goldentime_testkit::programs::{AgentConfig, CentralConfig};
use tokio::task::JoinSet;

/// Services that are broken in turn, side by side.
const SERVICES: usize = 10;
/// Requests per second to each.
const PER_SERVICE_S: f64 = 60.0;

#[tokio::main]
async fn main() -> Result<()> {
    let runs: usize = std::env::var("RUNS").ok().map_or(Ok(50), |runs| runs.parse()).context("RUNS")?;
    let folder = tempfile::Builder::new().prefix("goldentime-bench-alert-").tempdir()?;
    let root = folder.path();

    let upstream = Upstream::start(SERVICES).await?;
    let log = |number| root.join(format!("{}.access.log", service_name(number)));
    let sites: Vec<Site> = (0..SERVICES)
        .map(|number| Site {
            port: ports::free_tcp(),
            access_log: log(number),
            body: format!("location / {{ proxy_pass http://{}/{number}/; }}", upstream.address),
        })
        .collect();
    let nginx = Nginx::start(&root.join("nginx"), &sites).await?;

    let (ours, peer) = (Receiver::start().await?, Receiver::start().await?);
    let mut config = CentralConfig::new(&root.join("central"), Some(&ours.url))?;
    config.notify_yaml.push_str("  debounce: 0s\n");
    std::fs::write(config.slo_dir.join("bench.yaml"), openslo())?;
    let central = config.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut agent =
        AgentConfig::new(&root.join("agent"), &address, &central.join_token("default")?, "bench-1")?;
    for number in 0..SERVICES {
        let name = service_name(number);
        agent = agent.tail(&name, &log(number), &name);
    }
    let agent = agent.start()?;
    let rules: Vec<_> = Rule::all().into_iter().map(Rule::prometheus).collect();
    let scraped = upstream.address.to_string();
    let prometheus = PrometheusStack::start(&root.join("prometheus"), &scraped, &rules, &peer.url).await?;

    // The same requests for both sides; the load goes on through all trials.
    let urls = sites.iter().map(|site| format!("http://127.0.0.1:{}/items/1", site.port)).collect();
    let load = Steady::start(urls, PER_SERVICE_S * SERVICES as f64);

    let mut running = JoinSet::new();
    let per_service = (2 * runs).div_ceil(SERVICES);
    for number in 0..SERVICES {
        let sides = Sides { ours: ours.words(), peer: Some(peer.words()) };
        running.spawn(run(number, per_service, upstream.services.clone(), sides));
    }
    let trials: Vec<Trial> = running.join_all().await.into_iter().flatten().collect();

    drop(load);
    agent.stop().await?;
    central.stop().await?;
    drop(prometheus);
    nginx.stop().await?;
    let mut logs = BTreeMap::new();
    for number in 0..SERVICES {
        let mut lines = read_access_log(&log(number))?;
        lines.sort_by(|a, b| a.at.total_cmp(&b.at));
        logs.insert(service_name(number), lines);
    }
    tell(&trials, outcomes(&trials, &logs))
}

fn tell(trials: &[Trial], by_rule: BTreeMap<Rule, Outcome>) -> Result<()> {
    println!("{:<13}{:>7}{:>28}{:>34}", "", "", "Goldentime, tipping → webhook", "Prometheus + Alertmanager");
    println!(
        "{:<13}{:>7}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "rule", "trials", "p50 ms", "p99 ms", "missed", "p50 ms", "p99 ms", "missed"
    );
    for (rule, outcome) in &by_rule {
        println!(
            "{:<13}{:>7}{:>10.0}{:>10.0}{:>10}{:>10.0}{:>10.0}{:>10}",
            rule.name(),
            outcome.ours.tipping_ms.len() + outcome.ours.missed,
            outcome.ours.tipping(0.5),
            outcome.ours.tipping(0.99),
            outcome.ours.missed,
            outcome.peer.tipping(0.5),
            outcome.peer.tipping(0.99),
            outcome.peer.missed,
        );
    }
    let all = together(by_rule);
    let runs = u32::try_from(trials.len())?;
    let mut report = Report::new("alert", runs);
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
    report.finish()?;
    Ok(())
}

//! What the central counted, beside what nginx wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use goldentime_testkit::oracle::{AccessLine, quantile, read_access_log, tally};
use goldentime_testkit::programs::Central;
use goldentime_testkit::{http_client, wait};
use serde::Deserialize;
use serde_json::Value;

use crate::ask::status_by;
use crate::history;
use crate::world::World;

/// How long the last requests may take to reach the central's windows.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Relative error of a percentile that the sketch promises, with room for rounding of the decimal.
pub(crate) const PERCENTILE_ERROR_MAX: f64 = 0.0055;

/// Answer of `GET /api/v1/windows`.
#[derive(Debug, Deserialize)]
pub(crate) struct Window {
    total: Part,
    endpoints: Vec<EndpointPart>,
    hosts: Vec<HostPart>,
}

#[derive(Debug, Deserialize)]
struct Part {
    requests: u64,
    bad: u64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct EndpointPart {
    endpoint: String,
    method: String,
    #[serde(flatten)]
    part: Part,
}

#[derive(Debug, Deserialize)]
struct HostPart {
    host: String,
    #[serde(flatten)]
    part: Part,
}

/// Requests and errors by whatever names them.
pub type Counts<K> = BTreeMap<K, (u64, u64)>;

/// Counts of one service by endpoint and by host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests and errors in all.
    pub total: (u64, u64),
    /// By method and endpoint.
    pub endpoints: Counts<(String, String)>,
    /// By host.
    pub hosts: Counts<String>,
}

/// What nginx wrote, over all hosts.
pub fn written(world: &World) -> Result<(Counted, Vec<AccessLine>)> {
    let mut counted = Counted::default();
    let mut all = Vec::new();
    for host in &world.hosts {
        let mut lines = Vec::new();
        // Rotated parts stand beside the log, with a suffix.
        let folder = host.log.parent().context("a log stands in a folder")?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.to_string_lossy().starts_with(&*host.log.to_string_lossy()) {
                lines.extend(read_access_log(&path)?);
            }
        }
        for (key, part) in tally(&lines, |line| (line.method.clone(), route(&line.path))) {
            let sum = counted.endpoints.entry(key).or_default();
            *sum = (sum.0 + part.requests, sum.1 + part.errors);
        }
        let errors = lines.iter().filter(|line| line.status >= 500).count() as u64;
        counted.hosts.insert(host.name.clone(), (lines.len() as u64, errors));
        counted.total = (counted.total.0 + lines.len() as u64, counted.total.1 + errors);
        all.extend(lines);
    }
    Ok((counted, all))
}

/// The route that the agent should make of a path of these tests.
fn route(path: &str) -> String {
    match path.strip_prefix("/orders/") {
        Some(_) => "/orders/{id}".to_owned(),
        None => path.to_owned(),
    }
}

pub(crate) async fn window(world: &World, central: &Central) -> Result<Window> {
    let path = format!("/api/v1/windows?service=default/default/{}&seconds=1200", world.service);
    Ok(serde_json::from_value(central.get(&path).await?)?)
}

pub(crate) fn counted(window: &Window) -> Counted {
    let endpoints = window
        .endpoints
        .iter()
        .map(|of| ((of.method.clone(), of.endpoint.clone()), (of.part.requests, of.part.bad)));
    let hosts = window.hosts.iter().map(|of| (of.host.clone(), (of.part.requests, of.part.bad)));
    Counted {
        total: (window.total.requests, window.total.bad),
        endpoints: endpoints.collect(),
        hosts: hosts.collect(),
    }
}

/// Waits until nothing is on its way any more that an outage had held up.
pub(crate) async fn without_backlog(world: &World) -> Result<()> {
    let is_backlog = |stream: &Value| stream["current"] == false;
    for host in &world.hosts {
        let config = world.folder().join(&host.name).join("agent.yaml");
        let sent = wait::until("the agent to have no backlog", SETTLE_MAX, || async {
            let status = status_by(&config).ok()?;
            (!status["streams"].as_array()?.iter().any(is_backlog)).then_some(())
        });
        sent.await.with_context(|| format!("{}: {:?}", host.name, status_by(&config)))?;
    }
    Ok(())
}

/// Asks each host for one more thing: what is read is counted in the order in which it was read, so that
/// whatever was to be counted by mistake is counted before this.
pub(crate) async fn mark(world: &World) -> Result<()> {
    for host in &world.hosts {
        http_client().get(format!("http://127.0.0.1:{}/settled", host.port)).send().await?;
    }
    Ok(())
}

/// The central's window, once it has all that nginx wrote, and what nginx wrote then.
async fn settled(world: &World, central: &Central) -> Option<(Window, Counted, Vec<AccessLine>)> {
    let (expected, lines) = written(world).ok()?;
    let window = window(world, central).await.ok()?;
    // Read again: nginx still logs a request whose client just went away.
    let is_whole = window.total.requests >= expected.total.0 && written(world).ok()?.0 == expected;
    is_whole.then_some((window, expected, lines))
}

/// Waits until the central has counted as many requests as nginx wrote, then compares every count and
/// the percentiles, in live windows and in history. Every host's agent must run, and nothing else may
/// be sent to nginx meanwhile.
pub async fn assert_exact(world: &World, central: &Central) -> Result<u64> {
    without_backlog(world).await?;
    assert_exact_without_agents(world, central).await
}

/// The same where others than agents read what nginx wrote.
pub async fn assert_exact_without_agents(world: &World, central: &Central) -> Result<u64> {
    mark(world).await?;
    compare(world, central).await
}

/// The same of several centrals, which share what they know.
pub async fn assert_exact_on(world: &World, centrals: &[Central]) -> Result<()> {
    without_backlog(world).await?;
    mark(world).await?;
    let compared = centrals.iter().map(|central| async move {
        compare(world, central).await.with_context(|| central.config.folder.display().to_string())
    });
    try_join_all(compared).await.map(drop)
}

async fn compare(world: &World, central: &Central) -> Result<u64> {
    let all = wait::until("the central to count every request", SETTLE_MAX, || settled(world, central));
    let (window, expected, lines) = match all.await {
        Ok(all) => all,
        Err(error) => {
            let (seen, expected) = (counted(&window(world, central).await?), written(world)?.0);
            return Err(error.context(format!("central {seen:?}\n nginx   {expected:?}")));
        }
    };
    let seen = counted(&window);
    ensure!(seen == expected, "central and nginx differ:\n central {seen:?}\n nginx   {expected:?}");
    let seconds: Vec<f64> = lines.iter().map(|line| line.seconds).collect();
    for (q, shown) in [(0.5, window.total.p50_ms), (0.95, window.total.p95_ms), (0.99, window.total.p99_ms)] {
        let exact = quantile(&seconds, q)? * 1000.0;
        let shown = shown.with_context(|| format!("no percentile {q}"))?;
        let error = if exact == 0.0 { shown } else { (shown - exact).abs() / exact };
        ensure!(
            error <= PERCENTILE_ERROR_MAX,
            "percentile {q}: {shown} ms, exactly {exact} ms, off by {error}"
        );
    }
    history::assert_exact(world, central, &expected, &lines).await?;
    Ok(expected.total.0)
}

//! What the series store holds, beside what nginx wrote.

use anyhow::{Context, Result, ensure};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::oracle::{AccessLine, quantile};
use goldentime_testkit::programs::Central;
use goldentime_testkit::wait;
use serde::Deserialize;
use serde_json::Value;

use crate::ask::PATIENCE;
use crate::counts::{Counted, PERCENTILE_ERROR_MAX};
use crate::world::World;

/// Ten seconds, a minute, an hour.
const STEPS_S: [i64; 3] = [10, 60, 3600];
/// How far back the tests look: none of them takes longer.
const REACH_S: i64 = 2 * 3600;

/// Answer of `GET /api/v1/services/…/history`.
#[derive(Debug, Deserialize)]
struct History {
    step_s: i64,
    points: Vec<Point>,
}

#[derive(Debug, Deserialize)]
struct Point {
    requests: u64,
    bad: u64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// The series store, as `GET /api/v1/status` tells of it.
#[must_use]
pub fn store_in(status: &Value) -> &Value {
    &status["stores"][0]
}

/// Whether its readers cannot write, and have something to.
#[must_use]
pub fn is_waiting(status: &Value) -> bool {
    store_in(status)["state"] == "waiting" && store_in(status)["behind_records"].as_u64() > Some(0)
}

/// Whether its readers write, and have written something.
#[must_use]
pub fn is_writing(status: &Value) -> bool {
    store_in(status)["state"] == "ok" && store_in(status)["rows"].as_u64() > Some(0)
}

async fn history(world: &World, central: &Central, step_s: i64, of: &str) -> Result<History> {
    let to = SystemClock.now().second().0 + 60;
    let path = format!(
        "/api/v1/services/default/default/{}/history?from={}&to={to}&step={step_s}{of}",
        world.service,
        to - REACH_S
    );
    let history: History = serde_json::from_value(central.get(&path).await?)?;
    ensure!(history.step_s == step_s, "{path} is answered by {} s", history.step_s);
    Ok(history)
}

fn sum(history: &History) -> (u64, u64) {
    history.points.iter().fold((0, 0), |sum, point| (sum.0 + point.requests, sum.1 + point.bad))
}

/// What the store holds of everything that nginx wrote, by rows of `step_s`.
async fn stored(world: &World, central: &Central, step_s: i64, of: &Counted) -> Result<Counted> {
    let mut counted =
        Counted { total: sum(&history(world, central, step_s, "").await?), ..Counted::default() };
    for host in of.hosts.keys() {
        let part = history(world, central, step_s, &format!("&host={host}")).await?;
        counted.hosts.insert(host.clone(), sum(&part));
    }
    for (method, endpoint) in of.endpoints.keys() {
        let part = history(world, central, step_s, &format!("&endpoint={endpoint}&method={method}")).await?;
        counted.endpoints.insert((method.clone(), endpoint.clone()), sum(&part));
    }
    Ok(counted)
}

/// Compares every count by rows of ten seconds, of a minute and of an hour.
pub(crate) async fn assert_holds(world: &World, central: &Central, expected: &Counted) -> Result<()> {
    for step_s in STEPS_S {
        let stored = stored(world, central, step_s, expected).await?;
        ensure!(
            stored == *expected,
            "history by {step_s} s differs:\n history  {stored:?}\n expected {expected:?}"
        );
    }
    Ok(())
}

/// Waits until the series store holds as many requests as nginx wrote, then compares every count by
/// rows of ten seconds, of a minute and of an hour, and the percentiles where they stand in one row.
pub async fn assert_exact(
    world: &World,
    central: &Central,
    expected: &Counted,
    lines: &[AccessLine],
) -> Result<()> {
    let settled = wait::until("history to hold every request", PATIENCE, || async {
        let total = sum(&history(world, central, 10, "").await.ok()?);
        (total.0 >= expected.total.0).then_some(())
    });
    let settled = settled.await;
    assert_holds(world, central, expected).await.with_context(|| format!("{settled:?}"))?;
    let hours = history(world, central, 3600, "").await?;
    if let [hour] = &hours.points[..] {
        let seconds: Vec<f64> = lines.iter().map(|line| line.seconds).collect();
        for (q, shown) in [(0.5, hour.p50_ms), (0.95, hour.p95_ms), (0.99, hour.p99_ms)] {
            let (exact, shown) = (quantile(&seconds, q)? * 1000.0, shown.context("no percentile")?);
            let error = if exact == 0.0 { shown } else { (shown - exact).abs() / exact };
            ensure!(
                error <= PERCENTILE_ERROR_MAX,
                "percentile {q} of the hour: {shown} ms, exactly {exact} ms"
            );
        }
    }
    Ok(())
}

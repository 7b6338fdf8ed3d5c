//! What people ask of a central over HTTP, and how long they wait.

use std::time::Instant;

use anyhow::{Result, ensure};
use goldentime_model::ServiceId;
use goldentime_testkit::oracle::quantile;
use goldentime_testkit::programs::Central;

/// Days that a chart is drawn over at least, for it to be the one that was asked for.
const CHARTED_HOURS_MIN: usize = 29 * 24;

/// Milliseconds of many answers.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

impl Waits {
    fn of(waits_ms: &[f64]) -> Result<Self> {
        Ok(Self { p50_ms: quantile(waits_ms, 0.5)?, p99_ms: quantile(waits_ms, 0.99)? })
    }
}

/// Asks for a chart of a service by the hour from second `from` to now, with percentiles.
pub async fn chart(central: &Central, service: &ServiceId, from: i64, times: u32) -> Result<Waits> {
    let path = format!("/api/v1/services/{service}/history?from={from}&step=3600");
    let mut waits = Vec::new();
    for _ in 0..times {
        let began = Instant::now();
        let answer = central.get(&path).await?;
        waits.push(began.elapsed().as_secs_f64() * 1000.0);
        let points = answer["points"].as_array().map_or(0, Vec::len);
        ensure!(points >= CHARTED_HOURS_MIN, "{path}: {points} points");
    }
    Waits::of(&waits)
}

/// Asks for the newest lines of each query, in turn. A wait ends with the first lines, or when all that is
/// kept was searched.
pub async fn search(central: &Central, queries: &[String], times: u32) -> Result<Waits> {
    let mut waits = Vec::new();
    for _ in 0..times {
        for query in queries {
            let began = Instant::now();
            let mut path = format!("/api/v1/logs?{query}");
            loop {
                let answer = central.get(&path).await?;
                let is_empty = answer["lines"].as_array().is_none_or(Vec::is_empty);
                match answer["next"].as_str() {
                    Some(next) if is_empty => path = format!("/api/v1/logs?{query}&before={next}"),
                    _ => break,
                }
            }
            waits.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Waits::of(&waits)
}

//! Thirty days of one service among others, and charts of them with percentiles.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use goldentime_model::Second;
use goldentime_series::{ChartQuery, Requests, SeriesStore, Span};
use goldentime_testkit::oracle::quantile;

use super::feed::{DAY_S, Feed, Shape};

const DAYS: i64 = 30;
/// The beginning of a day, so that rows of every width begin with it.
const START: i64 = 20_000 * DAY_S;

/// One chart, asked for again and again.
pub struct Chart {
    /// What it covers.
    pub name: &'static str,
    /// Milliseconds, median.
    pub p50_ms: f64,
    /// Milliseconds, 99th percentile.
    pub p99_ms: f64,
    /// Points with percentiles.
    pub points: usize,
}

/// Fills thirty days of an empty store and asks for each chart `runs` times.
pub async fn measure(store: Arc<dyn SeriesStore>, runs: u32) -> Result<Vec<Chart>> {
    let shape = Shape::new(0, 1, 2, 50)?;
    let mut feed = Feed::new(store);
    let end = START + DAYS * DAY_S;
    feed.fill(&shape, START, end).await?;
    let asked =
        [("30d", DAYS * DAY_S, 3600), ("7d", 7 * DAY_S, 600), ("1d", DAY_S, 60), ("6h", DAY_S / 4, 10)];
    let mut charts = Vec::new();
    for (name, length_s, step_s) in asked {
        let span = Span { from: Second(end - length_s), until: Second(end), step_s };
        let mut times = Vec::new();
        let mut points = 0;
        for _ in 0..runs {
            let query = ChartQuery { service: shape.service.clone(), of: Requests::All, span };
            let began = Instant::now();
            let chart = feed.store().chart(query).await?;
            let mut quantiles = [0.0; 3];
            for point in &chart.points {
                ensure!(point.value.latency.quantiles(&[0.5, 0.95, 0.99], &mut quantiles), "an empty point");
            }
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            points = chart.points.len();
            ensure!(chart.step_s == step_s && points as i64 == length_s / step_s, "{name}: {points} points");
        }
        charts.push(Chart { name, p50_ms: quantile(&times, 0.5)?, p99_ms: quantile(&times, 0.99)?, points });
    }
    feed.store().close().await;
    Ok(charts)
}

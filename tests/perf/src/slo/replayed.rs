//! `rules replay` over a day of stored history.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, anyhow};
use goldentime_central::evaluate::openslo::RuleSet;
use goldentime_central::rehearse::replay::{Asked, replay};
use goldentime_model::Second;
use goldentime_model::config::load::source;
use goldentime_series::SeriesStore;

use crate::series::feed::{DAY_S, Feed, Shape};

const START: i64 = 1_767_571_200;

/// Services of the replayed day.
pub const SERVICES: usize = 10;

const RULES: &str = "\
apiVersion: openslo/v1
kind: SLO
metadata: {name: all, annotations: {goldentime.io/burn_rates: default}}
spec:
  service: '*'
  timeWindow: [{duration: 28d, isRolling: true}]
  indicator:
    metadata: {name: i}
    spec:
      ratioMetric:
        good: {metricSource: {type: goldentime, spec: {signal: errors}}}
        total: {metricSource: {type: goldentime, spec: {signal: errors}}}
  objectives: [{target: 0.985}]
  alertPolicies:
    - metadata: {name: p}
      spec:
        conditions:
          - metadata: {name: c}
            spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1m}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: slow}
spec:
  service: '*'
  timeWindow: [{duration: 28d, isRolling: true}]
  indicator:
    metadata: {name: i}
    spec: {thresholdMetric: {metricSource: {type: goldentime, spec: {signal: latency, threshold: 100ms}}}}
  objectives: [{target: 0.99}]
  alertPolicies:
    - metadata: {name: p}
      spec:
        conditions:
          - metadata: {name: c}
            spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 5m}}
";

/// How many times faster than it happened a day of [`SERVICES`] services is replayed, once for each of `runs`.
pub async fn measure(store: Arc<dyn SeriesStore>, runs: u32) -> Result<Vec<f64>> {
    let mut feed = Feed::new(Arc::clone(&store));
    for number in 0..SERVICES {
        feed.fill(&Shape::new(number, 2, 4, 50)?, START, START + DAY_S).await?;
    }
    let set = RuleSet::compile(&[source(std::path::Path::new("slo.yaml"), RULES.to_owned())]);
    let set = set.map_err(|faults| anyhow!("{faults}"))?;
    let asked = Asked { from: Second(START), until: Second(START + DAY_S), services: Vec::new() };
    let mut speeds = Vec::new();
    for _ in 0..runs {
        let began = Instant::now();
        let replayed = replay(store.as_ref(), &set, &asked).await?;
        anyhow::ensure!(replayed.services == SERVICES, "{} services", replayed.services);
        speeds.push(DAY_S as f64 / began.elapsed().as_secs_f64());
    }
    Ok(speeds)
}

//! `GET /api/v1/windows`: everything that one service did in a stretch of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use goldentime_model::problem::ProblemCode;
use goldentime_model::{Counts, Second, ServiceId};
use goldentime_windows::{Aggregate, Detail, Tier, WindowSummary, read_window};
use serde::{Deserialize, Serialize};

use super::problem::{Parameters, Refusal};
use super::state::ApiState;

/// Which window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `project/environment/service`.
    service: String,
    /// Its length, up to 1200 s. Up to 360 s it is read by the second, beyond by ten seconds.
    #[serde(default = "default_seconds")]
    seconds: i64,
    /// The first second after it; default: now.
    until: Option<i64>,
}

const fn default_seconds() -> i64 {
    60
}

/// The window.
#[derive(Serialize)]
pub(super) struct Window {
    service: String,
    /// First second.
    from: i64,
    /// First second after it.
    until: i64,
    /// Width of the buckets that were read, in seconds.
    bucket_s: i64,
    /// State was lost: counts are a lower bound.
    partial: bool,
    total: Part,
    endpoints: Vec<EndpointPart>,
    hosts: Vec<HostPart>,
    /// Newest reading of each metric, in the metric's unit, by `name{label="value",…}`.
    gauges: BTreeMap<Arc<str>, f64>,
}

/// What requests add up to, live or in history.
#[derive(Serialize)]
pub(super) struct Part {
    requests: u64,
    /// Those that spend the error budget by default: `server_error` and `timeout`.
    bad: u64,
    #[serde(flatten)]
    counts: Counts,
    /// Within 0.5415% of the exact percentile; null without durations.
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Serialize)]
struct EndpointPart {
    endpoint: String,
    method: String,
    #[serde(flatten)]
    part: Part,
}

#[derive(Serialize)]
struct HostPart {
    host: String,
    #[serde(flatten)]
    part: Part,
}

impl From<&Aggregate> for Part {
    fn from(aggregate: &Aggregate) -> Self {
        let mut quantiles = [0.0; 3];
        let timed = aggregate.latency.quantiles(&[0.5, 0.95, 0.99], &mut quantiles);
        let [p50_ms, p95_ms, p99_ms] = quantiles.map(|seconds| timed.then_some(seconds * 1000.0));
        let (counts, requests, bad) = (aggregate.counts, aggregate.counts.total(), aggregate.counts.bad());
        Self { requests, bad, counts, p50_ms, p95_ms, p99_ms }
    }
}

pub(super) async fn window(
    State(state): State<ApiState>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Window>, Refusal> {
    let refuse = |detail: String| Refusal::new(ProblemCode::InvalidRequest, detail);
    let service: ServiceId = asked.service.parse().map_err(|error| refuse(format!("service: {error}")))?;
    let reach = Tier::TenSeconds.retention_s();
    if !(1..=reach).contains(&asked.seconds) {
        return Err(refuse(format!("seconds: {} is not between 1 and {reach}", asked.seconds)));
    }
    let tier =
        if asked.seconds <= Tier::OneSecond.retention_s() { Tier::OneSecond } else { Tier::TenSeconds };
    let until = asked.until.map_or_else(|| state.clock.now().second().offset(1), Second);
    let width = tier.width_s();
    let from = Second(until.offset(-asked.seconds).0.div_euclid(width) * width);
    let summary = read_window(&*state.windows, &service, tier, from, until, Detail::ALL).await;
    let summary = summary.map_err(|error| Refusal::internal("read the window", &error))?;
    Ok(Json(describe(&service, from, until, width, summary)))
}

fn describe(service: &ServiceId, from: Second, until: Second, width: i64, summary: WindowSummary) -> Window {
    let endpoints = summary.endpoints.iter().map(|(key, aggregate)| EndpointPart {
        endpoint: key.endpoint.to_string(),
        method: key.method.to_string(),
        part: aggregate.into(),
    });
    let hosts = summary
        .hosts
        .iter()
        .map(|(host, aggregate)| HostPart { host: host.to_string(), part: aggregate.into() });
    Window {
        service: service.to_string(),
        from: from.0,
        until: until.0,
        bucket_s: width,
        partial: summary.partial,
        total: (&summary.total).into(),
        endpoints: endpoints.collect(),
        hosts: hosts.collect(),
        gauges: summary.gauges,
    }
}

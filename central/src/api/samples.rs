//! `GET /api/v1/samples`: readings of one metric over time, by label set and host.

use axum::Json;
use axum::extract::State;
use goldentime_model::{SampleKind, ServiceId};
use goldentime_series::{MetricChart, Point, Reading, SamplesQuery};
use serde::{Deserialize, Serialize};

use super::problem::{Parameters, Refusal, unanswered};
use super::span::{Asked as AskedSpan, STORE, invalid, span_of, store_of};
use super::state::ApiState;

/// Label sets and hosts of one answer.
const SERIES_MAX: usize = 100;

/// Which readings, and when.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `project/environment/service`; a host's own metrics stand under `…/host:<name>`.
    service: String,
    /// The metric's name, with labels (`name{a="b"}`) or without for every label set.
    metric: String,
    /// Only what this host read.
    host: Option<String>,
    /// First second; default: an hour before `to`.
    from: Option<i64>,
    /// First second after it; default: now.
    to: Option<i64>,
    /// Seconds of one point, a multiple of 10; default: what gives a few hundred points.
    step: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Samples {
    service: String,
    metric: String,
    series: Vec<MetricSeries>,
    /// There are more label sets and hosts than are answered.
    truncated: bool,
}

#[derive(Serialize)]
struct MetricSeries {
    metric: String,
    host: String,
    kind: SampleKind,
    unit: String,
    /// Seconds of one point: as asked for, or more where that is not kept any more.
    step_s: i64,
    /// Width of the rows that were read.
    resolution: &'static str,
    points: Vec<SamplePoint>,
}

#[derive(Serialize)]
struct SamplePoint {
    /// First second of the step.
    at: i64,
    /// The newest reading.
    last: f64,
    min: f64,
    max: f64,
    mean: f64,
    /// Of a counter: by how much it grew.
    sum: f64,
    count: u64,
}

impl From<&Point<Reading>> for SamplePoint {
    fn from(point: &Point<Reading>) -> Self {
        let Reading { count, sum, min, max, last, .. } = point.value;
        Self { at: point.at.0, last, min, max, mean: point.value.mean(), sum, count }
    }
}

impl From<MetricChart> for MetricSeries {
    fn from(MetricChart { key, chart }: MetricChart) -> Self {
        Self {
            metric: key.metric.to_string(),
            host: key.host.to_string(),
            kind: key.kind,
            unit: key.unit.to_string(),
            step_s: chart.step_s,
            resolution: chart.resolution.as_str(),
            points: chart.points.iter().map(SamplePoint::from).collect(),
        }
    }
}

pub(super) async fn samples(
    State(state): State<ApiState>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Samples>, Refusal> {
    let store = store_of(&state)?;
    let Asked { service, metric, host, from, to, step } = asked;
    let id: ServiceId = service.parse().map_err(|error| invalid(format!("service: {error}")))?;
    let query = SamplesQuery {
        service: id,
        metric: metric.as_str().into(),
        host: host.as_deref().map(Into::into),
        span: span_of(AskedSpan { from, to, step }, state.clock.now())?,
        // One more tells whether there are more.
        series_max: SERIES_MAX + 1,
    };
    let mut charts = store.samples(query).await.map_err(|error| unanswered(STORE, &error))?;
    let truncated = charts.len() > SERIES_MAX;
    charts.truncate(SERIES_MAX);
    let series = charts.into_iter().map(MetricSeries::from).collect();
    Ok(Json(Samples { service, metric, series, truncated }))
}

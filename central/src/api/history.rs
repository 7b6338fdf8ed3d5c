//! `GET /api/v1/services/{project}/{environment}/{service}/history`: requests over time, as far back as
//! they are kept; `…/series`: what there is to ask for.

use axum::Json;
use axum::extract::{Path, State};
use goldentime_model::ServiceId;
use goldentime_series::{Chart, ChartQuery, Part, Point, Requests, Span};
use goldentime_windows::Aggregate;
use serde::{Deserialize, Serialize};

use super::problem::{Parameters, Refusal, unanswered};
use super::span::{Asked as AskedSpan, STORE, invalid, span_of, store_of};
use super::state::ApiState;
use super::windows;

/// Series of one service that are listed.
const LISTED_MAX: u32 = 10_000;

/// The relative error of every percentile, for those who draw it.
const PERCENTILE_ERROR: f64 = goldentime_sketch::RELATIVE_ERROR_MAX;

/// The service's path.
type ServicePath = Path<(String, String, String)>;

/// Which requests, and when. The span's parameters stand here again because a flattened struct refuses
/// no unknown ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// First second; default: an hour before `to`.
    from: Option<i64>,
    /// First second after it; default: now.
    to: Option<i64>,
    /// Seconds of one point, a multiple of 10; default: what gives a few hundred points.
    step: Option<i64>,
    /// Only requests to this normalised route.
    endpoint: Option<String>,
    /// Only those by this method; only together with `endpoint`.
    method: Option<String>,
    /// Only requests on this host; not together with `endpoint`.
    host: Option<String>,
}

#[derive(Serialize)]
pub(super) struct History {
    service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// First second of the first point that there may be.
    from: i64,
    /// First second after the last.
    to: i64,
    /// Seconds of one point: as asked for, or more where that is not kept any more.
    step_s: i64,
    /// Width of the rows that were read.
    resolution: &'static str,
    percentile_error: f64,
    /// Steps in which there was anything.
    points: Vec<HistoryPoint>,
}

#[derive(Serialize)]
struct HistoryPoint {
    /// First second of the step.
    at: i64,
    #[serde(flatten)]
    part: windows::Part,
}

impl From<&Point<Aggregate>> for HistoryPoint {
    fn from(point: &Point<Aggregate>) -> Self {
        Self { at: point.at.0, part: (&point.value).into() }
    }
}

pub(super) async fn history(
    State(state): State<ApiState>,
    path: ServicePath,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<History>, Refusal> {
    let store = store_of(&state)?;
    let service = service_of(path)?;
    let Asked { from, to, step, endpoint, method, host } = asked;
    let span = span_of(AskedSpan { from, to, step }, state.clock.now())?;
    let of = match (&endpoint, &method, &host) {
        (None, None, None) => Requests::All,
        (None, None, Some(host)) => Requests::OnHost(host.as_str().into()),
        (Some(endpoint), method, None) => {
            Requests::To { endpoint: endpoint.as_str().into(), method: method.as_deref().map(Into::into) }
        }
        (Some(_), _, Some(_)) => {
            return Err(invalid("host and endpoint: requests are kept by one or the other; ask for one"));
        }
        (None, Some(_), _) => return Err(invalid("method: only together with endpoint")),
    };
    let query = ChartQuery { service: service.clone(), of, span };
    let chart = store.chart(query).await.map_err(|error| unanswered(STORE, &error))?;
    let Chart { step_s, resolution, points } = chart;
    let whole = Span { step_s, ..span }.whole_steps();
    Ok(Json(History {
        service: service.to_string(),
        endpoint,
        method,
        host,
        from: whole.from.0,
        to: whole.until.0,
        step_s,
        resolution: resolution.as_str(),
        percentile_error: PERCENTILE_ERROR,
        points: points.iter().map(HistoryPoint::from).collect(),
    }))
}

#[derive(Default, Serialize)]
pub(super) struct SeriesList {
    endpoints: Vec<EndpointName>,
    hosts: Vec<String>,
    metrics: Vec<MetricName>,
    /// There are more than are listed.
    truncated: bool,
}

#[derive(Serialize)]
struct EndpointName {
    endpoint: String,
    method: String,
}

#[derive(Serialize)]
struct MetricName {
    metric: String,
    host: String,
    kind: goldentime_model::SampleKind,
    unit: String,
}

pub(super) async fn series(
    State(state): State<ApiState>,
    path: ServicePath,
) -> Result<Json<SeriesList>, Refusal> {
    let store = store_of(&state)?;
    let parts =
        store.parts(service_of(path)?, LISTED_MAX).await.map_err(|error| unanswered(STORE, &error))?;
    let mut list = SeriesList { truncated: parts.len() >= LISTED_MAX as usize, ..SeriesList::default() };
    for part in parts {
        match part {
            Part::Whole => {}
            Part::Host(host) => list.hosts.push(host.to_string()),
            Part::Endpoint(key) => list
                .endpoints
                .push(EndpointName { endpoint: key.endpoint.to_string(), method: key.method.to_string() }),
            Part::Metric(key) => list.metrics.push(MetricName {
                metric: key.metric.to_string(),
                host: key.host.to_string(),
                kind: key.kind,
                unit: key.unit.to_string(),
            }),
        }
    }
    Ok(Json(list))
}

fn service_of(Path((project, environment, service)): ServicePath) -> Result<ServiceId, Refusal> {
    ServiceId::new(&project, &environment, &service).map_err(|error| invalid(format!("service: {error}")))
}

//! Log lines: search, counts over time, what stands around a line, what belongs to a trace.

use axum::Json;
use axum::extract::{Path, State};
use goldentime_model::UnixNanos;
use goldentime_model::problem::ProblemCode;
use goldentime_search::page::{BUCKETS_MAX, LINES_MAX};
use goldentime_search::{Line, LineId, NewLine, PageRequest, Query, Span};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::problem::{Parameters, Refusal};
use super::state::ApiState;
use crate::persist::Logs;
use crate::push::sources::millis;

/// Longest trace id or host name that can be asked for, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// Stretch of time of a histogram that names none, in nanoseconds.
const HOUR_NS: i64 = 3_600_000_000_000;

/// What lines are meant, as query parameters; an absent one means any.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    /// Words, `"phrases"` and `-exclusions`.
    #[serde(default)]
    pub(super) q: String,
    /// `warn`: at least that. `=warn`: just that. `info,error,unknown`: any of these.
    pub(super) level: Option<String>,
    /// `project/environment/service`, each part a name or `*`.
    pub(super) service: Option<String>,
    /// Host name.
    pub(super) host: Option<String>,
    /// W3C trace id.
    pub(super) trace_id: Option<String>,
}

/// A search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    level: Option<String>,
    service: Option<String>,
    host: Option<String>,
    trace_id: Option<String>,
    /// First millisecond.
    from_ms: Option<i64>,
    /// First millisecond after.
    until_ms: Option<i64>,
    /// Lines in the answer.
    limit: Option<u32>,
    /// `next` of the page before.
    before: Option<String>,
    /// Buckets of a histogram.
    buckets: Option<u32>,
}

/// A line.
#[derive(Debug, Serialize)]
pub(super) struct LineView {
    /// To ask for its context with; none for a line of the live tail.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Where it came from: stream, partition, number, index.
    origin: String,
    at_ms: f64,
    level: String,
    service: String,
    host: String,
    message: String,
    trace_id: String,
    span_id: String,
    attributes: std::collections::BTreeMap<String, String>,
}

impl From<NewLine> for LineView {
    fn from(line: NewLine) -> Self {
        let NewLine { identity, service, host, record } = line;
        Self {
            id: None,
            origin: identity.to_string(),
            at_ms: millis(record.at),
            level: record.level,
            service: service.to_string(),
            host: host.to_string(),
            message: record.message,
            trace_id: record.trace_id,
            span_id: record.span_id,
            attributes: record.attributes,
        }
    }
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        let Line { id, identity, service, host, record } = line;
        Self { id: Some(id.to_string()), ..NewLine { identity, service, host, record }.into() }
    }
}

/// A page of lines.
#[derive(Serialize)]
pub(super) struct LinesFound {
    /// Newest first; of a trace oldest first.
    lines: Vec<LineView>,
    /// `before` of the next page; null when all was searched. A page may be short or empty and yet have
    /// a next one.
    next: Option<String>,
    /// Everything after this time was searched.
    searched_back_to_ms: Option<f64>,
    /// Stored pieces that could not be read; their lines are missing.
    damaged: u64,
}

/// Counts over time.
#[derive(Serialize)]
pub(super) struct Counts {
    from_ms: f64,
    width_ms: f64,
    /// Oldest first.
    buckets: Vec<Count>,
    total: u64,
    /// The counts are a projection from a sample.
    approximate: bool,
    damaged: u64,
}

#[derive(Serialize)]
struct Count {
    lines: u64,
    /// Those at `error` or graver.
    errors: u64,
}

/// How much context.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reach {
    #[serde(default = "default_reach")]
    before: u32,
    #[serde(default = "default_reach")]
    after: u32,
}

const fn default_reach() -> u32 {
    20
}

/// A line among those of its service and host.
#[derive(Serialize)]
pub(super) struct Around {
    /// Oldest first.
    lines: Vec<LineView>,
    /// Place of the line itself.
    focus: usize,
}

/// Which part of a trace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    limit: Option<u32>,
    before: Option<String>,
}

pub(super) fn refuse(detail: impl Into<String>) -> Refusal {
    Refusal::new(ProblemCode::InvalidRequest, detail)
}

impl Filter {
    /// The query, or what is wrong with it.
    pub(super) fn query(&self) -> Result<Query, Refusal> {
        let name = |what: &str, name: &Option<String>| match name {
            Some(name) if name.is_empty() || name.len() > NAME_BYTES_MAX => Err(refuse(format!(
                "{what}: 1 to {NAME_BYTES_MAX} bytes are allowed; leave it out to mean any"
            ))),
            name => Ok(name.clone()),
        };
        let service = self.service.as_deref().map(str::parse).transpose();
        Ok(Query {
            terms: self.q.parse().map_err(|error| refuse(format!("q: {error}")))?,
            levels: match &self.level {
                Some(levels) => levels.parse().map_err(|error| refuse(format!("level: {error}")))?,
                None => Query::default().levels,
            },
            service: service.map_err(|error| refuse(format!("service: {error}")))?,
            host: name("host", &self.host)?,
            trace_id: name("trace_id", &self.trace_id)?,
            ..Query::default()
        })
    }
}

impl Asked {
    fn query(&self) -> Result<Query, Refusal> {
        let Self { q, level, service, host, trace_id, .. } = self;
        let (q, level, service) = (q.clone(), level.clone(), service.clone());
        let query = Filter { q, level, service, host: host.clone(), trace_id: trace_id.clone() }.query()?;
        let from = self.from_ms.map_or(query.from, UnixNanos::from_millis);
        let until = self.until_ms.map_or(query.until, UnixNanos::from_millis);
        if until <= from {
            return Err(refuse("until_ms is not after from_ms"));
        }
        Ok(Query { from, until, ..query })
    }
}

fn page(limit: Option<u32>, before: Option<&str>) -> Result<PageRequest, Refusal> {
    let limit = limit.unwrap_or(100);
    if !(1..=LINES_MAX).contains(&limit) {
        return Err(refuse(format!("limit: {limit} is not between 1 and {LINES_MAX}")));
    }
    let before = before.map(str::parse).transpose().map_err(|error| refuse(format!("before: {error}")))?;
    Ok(PageRequest { before, limit })
}

pub(super) fn logs(state: &ApiState) -> Result<&Logs, Refusal> {
    state.logs.as_ref().ok_or_else(|| {
        Refusal::new(
            ProblemCode::Unavailable,
            "no log lines are kept: `logs.enabled` is false in central.yaml",
        )
    })
}

/// The store, and a place among those who search.
fn place(state: &ApiState) -> Result<(&Logs, OwnedSemaphorePermit), Refusal> {
    let logs = logs(state)?;
    let place = logs.place().ok_or_else(|| {
        Refusal::new(ProblemCode::TooMany, "as many searches as allowed run already; try again in a second")
    })?;
    Ok((logs, place))
}

/// `GET /api/v1/logs`: the newest lines that are meant.
pub(super) async fn search(
    State(state): State<ApiState>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<LinesFound>, Refusal> {
    if asked.buckets.is_some() {
        return Err(refuse("buckets belongs to /api/v1/logs/histogram"));
    }
    let (query, page) = (asked.query()?, page(asked.limit, asked.before.as_deref())?);
    find(&state, query, page).await.map(Json)
}

async fn find(state: &ApiState, query: Query, page: PageRequest) -> Result<LinesFound, Refusal> {
    let (logs, _place) = place(state)?;
    let found = logs.store().search(query, page).await;
    let found = found.map_err(|error| Refusal::internal("search log lines", &error))?;
    Ok(LinesFound {
        searched_back_to_ms: found.next.map(|next| millis(UnixNanos(next.at))),
        next: found.next.map(|next| next.to_string()),
        lines: found.lines.into_iter().map(LineView::from).collect(),
        damaged: found.damaged,
    })
}

/// `GET /api/v1/logs/histogram`: how many lines are meant, over time. Without times: the last hour.
pub(super) async fn histogram(
    State(state): State<ApiState>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Counts>, Refusal> {
    if asked.limit.is_some() || asked.before.is_some() {
        return Err(refuse("limit and before belong to /api/v1/logs"));
    }
    let query = asked.query()?;
    let buckets = asked.buckets.unwrap_or(60);
    if !(1..=BUCKETS_MAX).contains(&buckets) {
        return Err(refuse(format!("buckets: {buckets} is not between 1 and {BUCKETS_MAX}")));
    }
    let until = if asked.until_ms.is_some() { query.until } else { state.clock.now() };
    let from = if asked.from_ms.is_some() { query.from } else { until.saturating_add(-HOUR_NS) };
    if until <= from {
        return Err(refuse("from_ms lies in the future; give until_ms too"));
    }
    // Rounded up, so that the last bucket ends at or behind `until`.
    let width_ns = (i128::from(until.0) - i128::from(from.0)).div_euclid(i128::from(buckets)) + 1;
    let width_ns = i64::try_from(width_ns).unwrap_or(i64::MAX);
    let (logs, _place) = place(&state)?;
    let counted = logs.store().histogram(query, Span { from, width_ns, buckets }).await;
    let counted = counted.map_err(|error| Refusal::internal("count log lines", &error))?;
    Ok(Json(Counts {
        from_ms: millis(from),
        width_ms: width_ns as f64 / 1e6,
        total: counted.total(),
        buckets: counted
            .buckets
            .iter()
            .map(|bucket| Count { lines: bucket.lines, errors: bucket.errors })
            .collect(),
        approximate: counted.is_approximate,
        damaged: counted.damaged,
    }))
}

/// `GET /api/v1/logs/{id}/context`: what the same service wrote on the same host before and after.
pub(super) async fn context(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Parameters(reach): Parameters<Reach>,
) -> Result<Json<Around>, Refusal> {
    let id: LineId = id.parse().map_err(|error| refuse(format!("id: {error}")))?;
    for (what, lines) in [("before", reach.before), ("after", reach.after)] {
        if lines > LINES_MAX {
            return Err(refuse(format!("{what}: {lines} is more than {LINES_MAX}")));
        }
    }
    let (logs, _place) = place(&state)?;
    let around = logs.store().context(id, reach.before, reach.after).await;
    let around = around.map_err(|error| Refusal::internal("read log lines", &error))?;
    let around = around.ok_or_else(|| {
        Refusal::new(ProblemCode::NotFound, "this line is not kept any more; search again for what is")
    })?;
    Ok(Json(Around { lines: around.lines.into_iter().map(LineView::from).collect(), focus: around.focus }))
}

/// `GET /api/v1/traces/{trace_id}/logs`: a trace's lines over all services, oldest first. Of a trace
/// with more lines than `limit` these are the last ones; `next` leads to those before.
pub(super) async fn trace(
    State(state): State<ApiState>,
    Path(trace_id): Path<String>,
    Parameters(part): Parameters<Part>,
) -> Result<Json<LinesFound>, Refusal> {
    let query = Filter { trace_id: Some(trace_id), ..Filter::default() }.query()?;
    let page = page(part.limit.or(Some(LINES_MAX)), part.before.as_deref())?;
    let mut found = find(&state, query, page).await?;
    found.lines.reverse();
    Ok(Json(found))
}

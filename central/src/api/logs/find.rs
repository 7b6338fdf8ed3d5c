//! Searches: lines, counts over time, what stands around a line, what belongs to a trace.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use goldentime_model::UnixNanos;
use goldentime_model::problem::ProblemCode;
use goldentime_search::page::{BUCKETS_MAX, LINES_MAX};
use goldentime_search::{LineId, PageRequest, Query, Span};
use tokio::sync::OwnedSemaphorePermit;

use super::super::problem::{Parameters, Refusal, unanswered};
use super::super::state::ApiState;
use super::asked::{Asked, Filter, Part, Reach, page, refuse};
use super::shown::{Around, Count, Counts, LineView, LinesFound};
use crate::persist::Logs;
use crate::push::sources::millis;

/// Stretch of time of a histogram that names none, in nanoseconds.
const HOUR_NS: i64 = 3_600_000_000_000;
/// When to try again after a refusal for too many searches.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How the store is called in an answer.
const STORE: &str = "the log store";

/// The log lines, where they are kept.
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
            .after(TRY_AGAIN_AFTER)
    })?;
    Ok((logs, place))
}

/// `GET /api/v1/logs`: the newest lines that are meant.
pub(in crate::api) async fn search(
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
    let found = found.map_err(|error| unanswered(STORE, &error))?;
    Ok(LinesFound {
        searched_back_to_ms: found.next.map(|next| millis(UnixNanos(next.at))),
        next: found.next.map(|next| next.to_string()),
        lines: found.lines.into_iter().map(LineView::from).collect(),
        damaged: found.damaged,
    })
}

/// `GET /api/v1/logs/histogram`: how many lines are meant, over time. Without times: the last hour.
pub(in crate::api) async fn histogram(
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
    let width_ns =
        (i128::from(until.0) - i128::from(from.0) + i128::from(buckets) - 1).div_euclid(i128::from(buckets));
    let width_ns = i64::try_from(width_ns).unwrap_or(i64::MAX);
    let (logs, _place) = place(&state)?;
    let counted = logs.store().histogram(query, Span { from, width_ns, buckets }).await;
    let counted = counted.map_err(|error| unanswered(STORE, &error))?;
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
pub(in crate::api) async fn context(
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
    let around = around.map_err(|error| unanswered(STORE, &error))?;
    let around = around.ok_or_else(|| {
        Refusal::new(ProblemCode::NotFound, "this line is not kept any more; search again for what is")
    })?;
    Ok(Json(Around { lines: around.lines.into_iter().map(LineView::from).collect(), focus: around.focus }))
}

/// `GET /api/v1/traces/{trace_id}/logs`: a trace's lines over all services, oldest first. Of a trace
/// with more lines than `limit` these are the last ones; `next` leads to those before.
pub(in crate::api) async fn trace(
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

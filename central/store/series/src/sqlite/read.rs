//! Answers: charts of requests and of readings, each from one snapshot of the file.

use std::collections::BTreeMap;

use goldentime_follower::StoreError;
use goldentime_follower::sqlite::File;
use goldentime_model::{Second, ServiceId};
use goldentime_windows::Aggregate;
use sqlx::SqliteConnection;

use super::names::{find_service, series_of};
use super::points::{Stretch, Value, for_each};
use super::state;
use crate::chart::{Chart, ChartQuery, MetricChart, Point, SamplesQuery, Span};
use crate::choice::Choice;
use crate::key::Part;
use crate::key::stored_service;
use crate::resolution::Resolution;
use crate::state::State;

/// Series of one service that a question looks through.
const SERIES_OF_SERVICE_MAX: u32 = 100_000;

/// How a span is answered.
struct Plan {
    span: Span,
    tier: Resolution,
    partition: u32,
    rolled_until: Second,
}

impl Plan {
    const fn new(choice: Choice, partition: u32, state: &State) -> Self {
        let Choice { span, tier } = choice;
        Self { span, tier, partition, rolled_until: state.rolled_until }
    }

    /// Adds the points of one series to `points`.
    async fn read<V: Value>(
        &self,
        file: &File,
        on: &mut SqliteConnection,
        series: i64,
        points: &mut BTreeMap<Second, V>,
    ) -> Result<(), StoreError> {
        let Self { span, tier, partition, rolled_until } = *self;
        let mut add = |start: Second, value: V| match points.get_mut(&span.step_of(start)) {
            Some(sum) => sum.merge(&value),
            None => drop(points.insert(span.step_of(start), value)),
        };
        let Span { from, until, .. } = span;
        let all = Stretch { tier, partition, series, from, until };
        for_each(file, on, all, &mut add).await?;
        if tier == Resolution::TenSeconds {
            return Ok(());
        }
        // What is not rolled up yet.
        let rest = Stretch { tier: Resolution::TenSeconds, from: from.max(rolled_until), ..all };
        for_each(file, on, rest, &mut add).await
    }

    fn chart<V>(&self, points: BTreeMap<Second, V>) -> Chart<V> {
        let points = points.into_iter().map(|(at, value)| Point { at, value }).collect();
        Chart { step_s: self.span.step_s, resolution: self.tier, points }
    }
}

pub(super) async fn chart(file: &File, query: ChartQuery) -> Result<Chart, StoreError> {
    let failed = |error| file.failed("read a chart", error);
    let mut read = file.read().await?;
    let Some((plan, service)) = plan(file, &mut read, &query.service, query.span).await? else {
        return Ok(nothing(query.span));
    };
    let mut points = BTreeMap::new();
    for (series, part) in series_of(&mut read, service, SERIES_OF_SERVICE_MAX).await.map_err(failed)? {
        if query.of.includes(&part) {
            plan.read::<Aggregate>(file, &mut read, series, &mut points).await?;
        }
    }
    Ok(plan.chart(points))
}

pub(super) async fn samples(file: &File, query: SamplesQuery) -> Result<Vec<MetricChart>, StoreError> {
    let failed = |error| file.failed("read readings", error);
    let mut read = file.read().await?;
    let Some((plan, service)) = plan(file, &mut read, &query.service, query.span).await? else {
        return Ok(Vec::new());
    };
    let mut charts = Vec::new();
    for (series, part) in series_of(&mut read, service, SERIES_OF_SERVICE_MAX).await.map_err(failed)? {
        let Part::Metric(key) = part else { continue };
        if !query.includes(&key) || charts.len() >= query.series_max {
            continue;
        }
        let mut points = BTreeMap::new();
        plan.read(file, &mut read, series, &mut points).await?;
        if !points.is_empty() {
            charts.push(MetricChart { key, chart: plan.chart(points) });
        }
    }
    Ok(charts)
}

pub(super) async fn services(file: &File, max: u32) -> Result<Vec<ServiceId>, StoreError> {
    let failed = |error| file.failed("list services", error);
    let mut read = file.read().await?;
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT project, environment, service FROM services ORDER BY project, environment, service LIMIT ?",
    )
    .bind(max)
    .fetch_all(&mut *read)
    .await
    .map_err(failed)?;
    Ok(rows
        .iter()
        .filter_map(|(project, environment, name)| stored_service(project, environment, name))
        .collect())
}

pub(super) async fn parts(file: &File, service: &ServiceId, max: u32) -> Result<Vec<Part>, StoreError> {
    let failed = |error| file.failed("list series", error);
    let mut read = file.read().await?;
    let Some((service, _)) = find_service(&mut read, service).await.map_err(failed)? else {
        return Ok(Vec::new());
    };
    let series = series_of(&mut read, service, max).await.map_err(failed)?;
    Ok(series.into_iter().map(|(_, part)| part).collect())
}

/// How the span is answered for a service, and the service's number; `None` where it is not known.
async fn plan(
    file: &File,
    on: &mut SqliteConnection,
    service: &ServiceId,
    span: Span,
) -> Result<Option<(Plan, i64)>, StoreError> {
    let failed = |error| file.failed("find a service", error);
    let Some((service, partition)) = find_service(on, service).await.map_err(failed)? else {
        return Ok(None);
    };
    let state = state::load(on, partition).await.map_err(failed)?;
    Ok(state.map(|state| (Plan::new(Choice::of(span, &state.dropped_until), partition, &state), service)))
}

fn nothing(span: Span) -> Chart {
    Chart { step_s: span.step_s, resolution: Resolution::TenSeconds, points: Vec::new() }
}

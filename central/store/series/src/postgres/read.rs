//! Answers: charts of requests and of readings, each from one snapshot of the database.

use std::collections::BTreeMap;

use goldentime_model::{Second, ServiceId};
use goldentime_postgres::{Database, Error};
use goldentime_windows::Aggregate;
use hashbrown::HashMap;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};

use super::names;
use super::position::{self, Partition};
use super::rows::{Value, for_each};
use crate::chart::{Chart, ChartQuery, MetricChart, Point, Requests, SamplesQuery, Span};
use crate::choice::Choice;
use crate::key::{MetricKey, Part, stored_service};
use crate::resolution::Resolution;

/// Series of one service that a question looks through.
const SERIES_OF_SERVICE_MAX: i64 = 100_000;

type Points<V> = BTreeMap<Second, V>;

/// A label set on a host, with its series, each given with its service: a service that moved has one a
/// partition.
type LabelSet = (MetricKey, Vec<(i64, i64)>);

/// A service, and how a span of it is answered. It has a place in each partition that it was ever in.
struct Question {
    places: HashMap<i64, Partition>,
    choice: Choice,
}

impl Question {
    /// `None` where the service is not known.
    async fn of(on: &mut PgConnection, service: &ServiceId, span: Span) -> Result<Option<Self>, Error> {
        let services = names::services(on, service).await?;
        let partitions = position::all(on).await?;
        let place = |(id, number): &(i64, i64)| {
            let partition = partitions.iter().find(|partition| i64::from(partition.number) == *number);
            partition.map(|partition| (*id, partition.clone()))
        };
        let places: HashMap<i64, Partition> = services.iter().filter_map(place).collect();
        let mut kept_from = [Second(i64::MIN); 3];
        for partition in places.values() {
            for (all, one) in kept_from.iter_mut().zip(partition.state.dropped_until) {
                *all = one.max(*all);
            }
        }
        let choice = Choice::of(span, &kept_from);
        Ok((!places.is_empty()).then_some(Self { places, choice }))
    }

    fn services(&self) -> Vec<i64> {
        self.places.keys().copied().collect()
    }

    /// Hands every row of some series, each given with its service, to `each` with the step that it lies in.
    async fn read<V: Value>(
        &self,
        on: &mut PgConnection,
        series: &[(i64, i64)],
        mut each: impl FnMut(i64, Second, V) + Send,
    ) -> Result<(), Error> {
        let Choice { span, tier } = self.choice;
        for (service, partition) in &self.places {
            let series: Vec<i64> = series.iter().filter(|(_, of)| of == service).map(|(id, _)| *id).collect();
            let state = partition.state;
            let kept_from = |tier: Resolution| span.from.max(state.dropped_until[tier.index()]);
            let mut in_steps = |series, start, value| each(series, span.step_of(start), value);
            for_each(on, tier, &series, (kept_from(tier), span.until), &mut in_steps).await?;
            if tier != Resolution::TenSeconds {
                // What is not rolled up yet.
                let from = kept_from(Resolution::TenSeconds).max(state.rolled_until);
                for_each(on, Resolution::TenSeconds, &series, (from, span.until), &mut in_steps).await?;
            }
        }
        Ok(())
    }

    fn chart<V>(&self, points: Points<V>) -> Chart<V> {
        let points = points.into_iter().map(|(at, value)| Point { at, value }).collect();
        Chart { step_s: self.choice.span.step_s, resolution: self.choice.tier, points }
    }
}

pub(super) async fn chart(database: &Database, query: ChartQuery) -> Result<Chart, Error> {
    let mut on = database.read().await?;
    let Some(question) = Question::of(&mut on, &query.service, query.span).await? else {
        on.commit().await?;
        let step_s = query.span.step_s;
        return Ok(Chart { step_s, resolution: Resolution::TenSeconds, points: Vec::new() });
    };
    let (kind, name, method) = match &query.of {
        Requests::All => (0_i16, "", None),
        Requests::OnHost(host) => (1, &**host, None),
        Requests::To { endpoint, method } => (2, &**endpoint, method.as_deref()),
    };
    let series: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT id, service FROM series WHERE service = ANY($1) AND kind = $2 \
         AND CASE kind WHEN 1 THEN host = $3 WHEN 2 THEN endpoint = $3 AND method = coalesce($4, method) \
             ELSE true END LIMIT $5",
    )
    .bind(question.services())
    .bind(kind)
    .bind(name)
    .bind(method)
    .bind(SERIES_OF_SERVICE_MAX)
    .fetch_all(&mut *on)
    .await?;
    let mut points = Points::new();
    question.read(&mut on, &series, |_, at, value: Aggregate| merge(&mut points, at, value)).await?;
    on.commit().await?;
    Ok(question.chart(points))
}

pub(super) async fn samples(database: &Database, query: SamplesQuery) -> Result<Vec<MetricChart>, Error> {
    let mut on = database.read().await?;
    let Some(question) = Question::of(&mut on, &query.service, query.span).await? else {
        on.commit().await?;
        return Ok(Vec::new());
    };
    let rows = sqlx::query(
        "SELECT id, service, kind, metric, endpoint, method, host, unit FROM series \
         WHERE service = ANY($1) AND kind >= 3 AND (metric = $2 OR split_part(metric, '{', 1) = $2) \
           AND host = coalesce($3, host) \
         ORDER BY kind, metric COLLATE \"C\", host COLLATE \"C\", unit COLLATE \"C\" LIMIT $4",
    )
    .bind(question.services())
    .bind(&*query.metric)
    .bind(query.host.as_deref())
    .bind(SERIES_OF_SERVICE_MAX)
    .fetch_all(&mut *on)
    .await?;
    let series = by_key(&rows)?;
    let mut charts = Vec::new();
    let mut rest = series.as_slice();
    while charts.len() < query.series_max && !rest.is_empty() {
        // As many as are wanted, and more only if some of them are empty.
        let (now, later) = rest.split_at(rest.len().min(query.series_max - charts.len()));
        rest = later;
        let ids: Vec<(i64, i64)> = now.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let places: HashMap<i64, usize> = (0..)
            .zip(now)
            .flat_map(|(place, (_, ids))| ids.iter().map(move |(id, _)| (*id, place)))
            .collect();
        let mut found = vec![Points::new(); now.len()];
        question
            .read(&mut on, &ids, |series, at, value| {
                if let Some(place) = places.get(&series) {
                    merge(&mut found[*place], at, value);
                }
            })
            .await?;
        let charted = now.iter().zip(found).filter(|(_, points)| !points.is_empty());
        charts.extend(
            charted.map(|((key, _), points)| MetricChart { key: key.clone(), chart: question.chart(points) }),
        );
    }
    on.commit().await?;
    Ok(charts)
}

pub(super) async fn services(database: &Database, max: u32) -> Result<Vec<ServiceId>, Error> {
    let mut on = database.read().await?;
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT project, environment, service FROM services GROUP BY project, environment, service \
         ORDER BY project COLLATE \"C\", environment COLLATE \"C\", service COLLATE \"C\" LIMIT $1",
    )
    .bind(i64::from(max))
    .fetch_all(&mut *on)
    .await?;
    on.commit().await?;
    Ok(rows
        .iter()
        .filter_map(|(project, environment, name)| stored_service(project, environment, name))
        .collect())
}

pub(super) async fn parts(database: &Database, service: ServiceId, max: u32) -> Result<Vec<Part>, Error> {
    let mut on = database.read().await?;
    let services: Vec<i64> = names::services(&mut on, &service).await?.iter().map(|(id, _)| *id).collect();
    let rows = sqlx::query(
        "SELECT kind, metric, endpoint, method, host, unit FROM series WHERE service = ANY($1) \
         GROUP BY kind, metric, endpoint, method, host, unit \
         ORDER BY kind, metric COLLATE \"C\", endpoint COLLATE \"C\", method COLLATE \"C\", \
           host COLLATE \"C\", unit COLLATE \"C\" LIMIT $2",
    )
    .bind(services)
    .bind(i64::from(max))
    .fetch_all(&mut *on)
    .await?;
    on.commit().await?;
    rows.iter().map(names::part).collect()
}

/// Rows of one label set stand side by side.
fn by_key(rows: &[PgRow]) -> Result<Vec<LabelSet>, Error> {
    let mut series: Vec<LabelSet> = Vec::new();
    for row in rows {
        let Part::Metric(key) = names::part(row)? else { continue };
        let ids = (row.try_get("id")?, row.try_get("service")?);
        match series.last_mut() {
            Some((last, known)) if *last == key => known.push(ids),
            _ => series.push((key, vec![ids])),
        }
    }
    Ok(series)
}

fn merge<V: Value>(points: &mut Points<V>, at: Second, value: V) {
    match points.get_mut(&at) {
        Some(sum) => sum.merge(&value),
        None => drop(points.insert(at, value)),
    }
}

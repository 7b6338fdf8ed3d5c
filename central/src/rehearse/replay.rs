//! Rules over stored history: when they would have fired.
//!
//! History keeps rows of ten seconds, a minute and an hour, the older the wider. A row is fed as its last
//! second, as after a restart, so that a window is right to within a row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use goldentime_follower::StoreError;
use goldentime_model::indicator::Compared;
use goldentime_model::{Second, ServiceId};
use goldentime_series::{ChartQuery, Part, Requests, SamplesQuery, SeriesStore, Span};
use goldentime_windows::SecondCell;

use super::desk::Desk;
use crate::evaluate::budget::Answer;
use crate::evaluate::budget::history;
use crate::evaluate::openslo::RuleSet;
use crate::evaluate::project::Projection;
use crate::evaluate::rule::{GroupBy, Measure, Rule};

/// Seconds that are held in memory at a time, a multiple of every row's width.
const CHUNK_S: i64 = 3_600;
/// Width of the finest rows.
const ROW_S: i64 = 10;
/// Services that are looked through.
const SERVICES_MAX: u32 = 100_000;
/// Parts of one service that are read.
const PARTS_MAX: u32 = 2_000;
/// Label sets of one metric that are read.
const METRICS_MAX: usize = 500;

/// What is replayed.
#[derive(Clone, Debug)]
pub struct Asked {
    /// First second.
    pub from: Second,
    /// First second after it.
    pub until: Second,
    /// Only these services; empty: all that a rule selects.
    pub services: Vec<ServiceId>,
}

/// What came of it.
pub struct Replayed {
    /// The evaluator at the end, with what fired.
    pub desk: Desk,
    /// Services that were replayed.
    pub services: usize,
    /// Rows that were fed.
    pub rows: u64,
    /// Width of the widest of them, in seconds.
    pub widest_s: i64,
    /// Rules that are judged by single seconds, and were left out.
    pub left_out: Vec<String>,
}

/// Replays a stretch of stored history, with what came before it for budgets.
pub async fn replay(store: &dyn SeriesStore, set: &RuleSet, asked: &Asked) -> Result<Replayed, StoreError> {
    let from = Second(asked.from.0 - asked.from.0.rem_euclid(ROW_S));
    let (set, left_out) = replayable(set);
    let counted: Vec<_> = counted(&set).map(|rule| Projection::new(Arc::clone(rule))).collect();
    let sources = sources(store, &counted, &asked.services).await?;
    let mut desk = Desk::new(&set, from);
    let (mut rows, mut widest_s) = (0, ROW_S);
    let mut at = from.0;
    while at < asked.until.0 {
        let end = (at - at.rem_euclid(CHUNK_S) + CHUNK_S).min(asked.until.0);
        let chunk =
            read_chunk(store, &sources, Span { from: Second(at), until: Second(end), step_s: ROW_S }).await?;
        let width_s = chunk.width_s;
        widest_s = widest_s.max(width_s);
        let mut cells = chunk.cells;
        let mut start = at;
        while start < end {
            let second = Second(start + width_s - 1);
            let cells: Vec<_> = cells.remove(&start).unwrap_or_default().into_iter().collect();
            rows += cells.len() as u64;
            desk.step(second, &cells);
            while let Some(wanted) = desk.next_wanted() {
                let past = history::read(store, &wanted).await?;
                desk.fill(&Answer { wanted, past });
            }
            start += width_s;
        }
        at = end;
    }
    Ok(Replayed { desk, services: sources.len(), rows, widest_s, left_out })
}

/// The rules without those that history cannot answer, and the names of these.
fn replayable(set: &RuleSet) -> (RuleSet, Vec<String>) {
    let (left_out, rules): (Vec<_>, Vec<_>) =
        set.rules.iter().cloned().partition(|rule| matches!(rule.measure, Measure::Stray(_)));
    let left_out = left_out.iter().map(|rule| rule.name.to_string()).collect();
    (RuleSet { rules, ..set.clone() }, left_out)
}

fn counted(set: &RuleSet) -> impl Iterator<Item = &Arc<Rule>> {
    set.rules.iter().chain(set.objectives.iter().map(|objective| &objective.counted))
}

/// What is read of one service.
struct Source {
    service: ServiceId,
    parts: Vec<Part>,
    metrics: BTreeSet<Arc<str>>,
}

async fn sources(
    store: &dyn SeriesStore,
    counted: &[Projection],
    only: &[ServiceId],
) -> Result<Vec<Source>, StoreError> {
    let mut sources = Vec::new();
    for service in store.services(SERVICES_MAX).await? {
        if !only.is_empty() && !only.contains(&service) {
            continue;
        }
        let rules: Vec<&Rule> =
            counted.iter().filter(|one| one.selects(&service)).map(|one| one.rule().as_ref()).collect();
        if rules.is_empty() {
            continue;
        }
        let by_host = rules.iter().any(|rule| rule.group_by == GroupBy::Host || rule.selector.host.is_some());
        let by_endpoint = rules.iter().any(|rule| {
            rule.group_by == GroupBy::Endpoint
                || rule.selector.endpoint.is_some()
                || rule.selector.method.is_some()
        });
        let parts = store.parts(service.clone(), PARTS_MAX).await?.into_iter().filter(|part| match part {
            Part::Whole => true,
            Part::Host(_) => by_host,
            Part::Endpoint(_) => by_endpoint,
            Part::Metric(_) => false,
        });
        let metrics = rules.iter().filter_map(|rule| metric_of(&rule.measure)).collect();
        sources.push(Source { parts: parts.collect(), metrics, service });
    }
    Ok(sources)
}

fn metric_of(measure: &Measure) -> Option<Arc<str>> {
    let metric = match measure {
        Measure::Saturation { metric, .. } => metric.as_ref(),
        Measure::Stray(straying) => match &straying.of {
            Compared::Saturation { metric } => metric,
            Compared::Errors { .. } | Compared::Latency { .. } | Compared::Traffic => return None,
        },
        Measure::Availability { .. } | Measure::Latency { .. } | Measure::Traffic => return None,
    };
    metric.split('{').next().map(|name| name.trim().into())
}

/// What services did in a stretch, by the first second of each row.
struct Chunk {
    width_s: i64,
    cells: BTreeMap<i64, BTreeMap<ServiceId, SecondCell>>,
}

async fn read_chunk(store: &dyn SeriesStore, sources: &[Source], span: Span) -> Result<Chunk, StoreError> {
    let mut chunk = Chunk { width_s: span.step_s, cells: BTreeMap::new() };
    for source in sources {
        for part in &source.parts {
            let of = match part {
                Part::Whole => Requests::All,
                Part::Host(host) => Requests::OnHost(Arc::clone(host)),
                Part::Endpoint(key) => Requests::To {
                    endpoint: Arc::clone(&key.endpoint),
                    method: Some(Arc::clone(&key.method)),
                },
                Part::Metric(_) => continue,
            };
            let chart = store.chart(ChartQuery { service: source.service.clone(), of, span }).await?;
            chunk.width_s = chunk.width_s.max(chart.step_s);
            for point in chart.points {
                let cell = chunk.cell(point.at, span, &source.service);
                match part {
                    Part::Host(host) => cell.hosts.entry(Arc::clone(host)).or_default().merge(&point.value),
                    Part::Endpoint(key) => cell.endpoints.entry(key.clone()).or_default().merge(&point.value),
                    Part::Whole | Part::Metric(_) => cell.total.merge(&point.value),
                }
            }
        }
        read_metrics(store, source, span, &mut chunk).await?;
    }
    Ok(chunk)
}

async fn read_metrics(
    store: &dyn SeriesStore,
    source: &Source,
    span: Span,
    chunk: &mut Chunk,
) -> Result<(), StoreError> {
    for metric in &source.metrics {
        let query = SamplesQuery {
            service: source.service.clone(),
            metric: Arc::clone(metric),
            host: None,
            span,
            series_max: METRICS_MAX,
        };
        for found in store.samples(query).await? {
            chunk.width_s = chunk.width_s.max(found.chart.step_s);
            let name: Arc<str> = gauge_of(&source.service, &found.key.metric, &found.key.host).into();
            for point in found.chart.points {
                let cell = chunk.cell(point.at, span, &source.service);
                cell.gauges.insert(Arc::clone(&name), point.value.mean());
            }
        }
    }
    Ok(())
}

/// A gauge as live windows name it: with its host, unless the service is one.
fn gauge_of(service: &ServiceId, metric: &str, host: &str) -> String {
    match (service.host(), metric.strip_suffix('}')) {
        (Some(_), _) => metric.to_owned(),
        (None, Some(labeled)) => format!("{labeled},host=\"{host}\"}}"),
        (None, None) => format!("{metric}{{host=\"{host}\"}}"),
    }
}

impl Chunk {
    fn cell(&mut self, at: Second, span: Span, service: &ServiceId) -> &mut SecondCell {
        // A row that begins before the stretch belongs to its first step.
        let at = at.0.max(span.from.0);
        self.cells.entry(at).or_default().entry(service.clone()).or_default()
    }
}

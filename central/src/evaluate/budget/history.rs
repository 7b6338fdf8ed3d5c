//! What was before: the past of a track, read from the series store.
//!
//! Rows of an hour for the far past, finer ones for what shorter windows reach and around maintenance,
//! so that thirty days are some hundred rows, once.

use std::sync::Arc;

use goldentime_follower::StoreError;
use goldentime_model::indicator::ANY;
use goldentime_model::{Second, ServiceId};
use goldentime_series::{ChartQuery, Part as StoredPart, Reading, Requests, SamplesQuery, SeriesStore, Span};

use super::super::project::{Part, Projection};
use super::super::ring::Tally;
use super::super::rule::Measure;
use super::maintenance;
use super::objective::{GoodSlice, Method, Objective};
use super::period::BudgetWindow;
use super::track::Past;

/// Steps that one question asks for at most.
const STEPS_MAX: i64 = 1_440;

/// Label sets of one metric that are read at most.
const METRICS_MAX: usize = 500;

/// Parts of a service that are looked through for those with one method.
const PARTS_LISTED: u32 = 10_000;

/// Widths of rows and of what is made of them, the widest first.
const STEPS_S: [i64; 4] = [3_600, 600, 60, 10];

/// The past that one track wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The service.
    pub service: ServiceId,
    /// What is counted.
    pub objective: Arc<Objective>,
    /// Of which part.
    pub part: Part,
    /// First second that is known already; a multiple of ten.
    pub until: Second,
    /// Widths of slots, and how many seconds back they reach.
    pub reaches: Vec<(i64, i64)>,
}

/// A stretch that is read in steps of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: i64,
    until: i64,
    step_s: i64,
}

/// Reads what is wanted, by time.
pub async fn read(store: &dyn SeriesStore, wanted: &Wanted) -> Result<Vec<Past>, StoreError> {
    let counted = Projection::new(Arc::clone(&wanted.objective.counted));
    let asked = requests(store, wanted).await?;
    let stretches = stretches(wanted);
    let Some(first) = stretches.first() else { return Ok(Vec::new()) };
    let off = maintenance::between(&wanted.objective.maintenance, Second(first.from), wanted.until);
    let is_floor = matches!(wanted.objective.method, Method::Slices { good: GoodSlice::RateAtLeast(_), .. });
    let mut past: Vec<Past> = Vec::new();
    for stretch in stretches {
        let span = Span { from: Second(stretch.from), until: Second(stretch.until), step_s: stretch.step_s };
        let mut found = if wanted.objective.reads_samples() {
            readings(store, wanted, &counted, span).await?
        } else {
            let mut found = Vec::new();
            for of in &asked {
                let query = ChartQuery { service: wanted.service.clone(), of: of.clone(), span };
                let chart = store.chart(query).await?;
                let points = chart.points.iter();
                found.extend(points.map(|point| Past {
                    at: point.at,
                    width_s: chart.step_s,
                    tally: counted.tally(&point.value),
                }));
            }
            found
        };
        found.sort_by_key(|one| one.at);
        if is_floor {
            found = with_silence(found, stretch, past.is_empty());
        }
        past.extend(found.into_iter().filter_map(|one| counting(one, stretch, &off)));
    }
    Ok(past)
}

/// The stretches that make up the past, by time, none of more than [`STEPS_MAX`] steps.
fn stretches(wanted: &Wanted) -> Vec<Stretch> {
    let until = wanted.until.0;
    let floor = |at: i64, step: i64| at - at.rem_euclid(step);
    let back = |width_s: i64| {
        let reach = wanted.reaches.iter().find(|(width, _)| *width == width_s);
        reach.map_or(until, |(_, reach_s)| until - reach_s)
    };
    let by_ten = floor(until, 60).min(floor(back(1), 60));
    let by_minute = floor(until, 3_600).min(floor(back(60), 3_600)).min(by_ten);
    let by_ten_minutes = floor(back(600), 3_600).min(by_minute);
    let begin = match &wanted.objective.window {
        calendar @ BudgetWindow::Calendar(_) => {
            let begin = calendar.period(wanted.until).0.0;
            begin.min(by_ten_minutes)
        }
        BudgetWindow::Rolling(_) => floor(back(3_600), 3_600).min(by_ten_minutes),
    };
    let finest = match wanted.objective.method {
        Method::Occurrences => 3_600,
        Method::Slices { slice_s, .. } => {
            let divides = |step: &&i64| i64::from(slice_s) % **step == 0;
            *STEPS_S.iter().find(divides).unwrap_or(&10)
        }
    };
    let off = maintenance::between(&wanted.objective.maintenance, Second(begin), wanted.until);
    let mut edges: Vec<i64> = vec![begin, by_ten_minutes, by_minute, by_ten, until];
    // The calendar's own beginning need not be that of an hour, nor maintenance's.
    edges.push(floor(begin + 3_599, 3_600));
    for (from, to) in &off {
        edges.extend([floor(from.0, 3_600), floor(to.0 + 3_599, 3_600)]);
    }
    edges.retain(|edge| (begin..=until).contains(edge));
    edges.sort_unstable();
    edges.dedup();
    let mut stretches = Vec::new();
    for pair in edges.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let is_off = off.iter().any(|(begin, end)| begin.0 < to && end.0 > from);
        let step_s = match from {
            _ if from >= by_ten => 10,
            _ if from >= by_minute || is_off || from % 3_600 != 0 => 60,
            _ if from >= by_ten_minutes => 600,
            _ => 3_600,
        };
        let step_s = step_s.min(finest);
        while from < to {
            let end = to.min(floor(from + STEPS_MAX * step_s, 3_600).max(from + 3_600));
            stretches.push(Stretch { from, until: end, step_s });
            from = end;
        }
    }
    stretches
}

/// The part of a row that lies in its stretch and not in maintenance; a row cut in two has its events
/// spread evenly.
fn counting(one: Past, stretch: Stretch, off: &[(Second, Second)]) -> Option<Past> {
    let (from, until) = (one.at.0.max(stretch.from), (one.at.0 + one.width_s).min(stretch.until));
    let lost: i64 = off.iter().map(|(begin, end)| (end.0.min(until) - begin.0.max(from)).max(0)).sum();
    let counts_s = until - from - lost;
    if counts_s <= 0 {
        return None;
    }
    let at = Second(from);
    if counts_s == one.width_s {
        return Some(Past { at, ..one });
    }
    let share = counts_s as f64 / one.width_s as f64;
    let of = |count: u64| (count as f64 * share).round() as u64;
    let Tally { seen, bad_low, bad_high } = one.tally;
    let tally = Tally { seen: of(seen), bad_low: of(bad_low), bad_high: of(bad_high) };
    Some(Past { at, width_s: counts_s, tally })
}

/// Steps of which there is no row had no requests, from the first row on.
fn with_silence(found: Vec<Past>, stretch: Stretch, is_first: bool) -> Vec<Past> {
    let step_s = found.first().map_or(stretch.step_s, |one| one.width_s);
    let silent = |at: i64| Past { at: Second(at), width_s: step_s, tally: Tally::default() };
    let mut at = match (is_first, found.first()) {
        (true, None) => return found,
        (true, Some(first)) => first.at.0,
        (false, _) => stretch.from - stretch.from.rem_euclid(step_s),
    };
    let mut whole = Vec::new();
    for one in found {
        while at < one.at.0 {
            whole.push(silent(at));
            at += step_s;
        }
        at = one.at.0 + one.width_s;
        whole.push(one);
    }
    while at < stretch.until {
        whole.push(silent(at));
        at += step_s;
    }
    whole
}

/// Which requests are asked for: the questions' answers add up to what is counted.
async fn requests(store: &dyn SeriesStore, wanted: &Wanted) -> Result<Vec<Requests>, StoreError> {
    let selector = &wanted.objective.counted.selector;
    let picked = |part: &Option<String>| part.clone().filter(|part| part != ANY);
    Ok(match &wanted.part {
        Part::Host(host) => vec![Requests::OnHost(Arc::clone(host))],
        Part::Endpoint(key) => {
            vec![Requests::To { endpoint: Arc::clone(&key.endpoint), method: Some(Arc::clone(&key.method)) }]
        }
        Part::Service => match (picked(&selector.endpoint), picked(&selector.method), picked(&selector.host))
        {
            (Some(endpoint), method, _) => {
                vec![Requests::To { endpoint: endpoint.into(), method: method.map(Into::into) }]
            }
            (None, Some(method), _) => {
                let parts = store.parts(wanted.service.clone(), PARTS_LISTED).await?;
                let of_method = parts.into_iter().filter_map(|part| match part {
                    StoredPart::Endpoint(key) if *key.method == *method => {
                        Some(Requests::To { endpoint: key.endpoint, method: Some(key.method) })
                    }
                    _ => None,
                });
                of_method.collect()
            }
            (None, None, Some(host)) => vec![Requests::OnHost(host.into())],
            (None, None, None) => vec![Requests::All],
        },
    })
}

/// Readings of a gauge: of a row only its bounds are known, so that its events are an interval.
async fn readings(
    store: &dyn SeriesStore,
    wanted: &Wanted,
    counted: &Projection,
    span: Span,
) -> Result<Vec<Past>, StoreError> {
    let Measure::Saturation { metric, threshold } = &counted.rule().measure else { return Ok(Vec::new()) };
    let name = metric.split('{').next().unwrap_or_default().trim();
    let query = SamplesQuery {
        service: wanted.service.clone(),
        metric: name.into(),
        host: None,
        span,
        series_max: METRICS_MAX,
    };
    let charts = store.samples(query).await?;
    let selected = charts.iter().filter(|chart| counted.selects_gauge(&chart.key.metric, &chart.key.host));
    let points = selected.flat_map(|chart| {
        let width_s = chart.chart.step_s;
        chart.chart.points.iter().map(move |point| (width_s, point))
    });
    Ok(points
        .map(|(width_s, point)| Past { at: point.at, width_s, tally: above(&point.value, *threshold) })
        .collect())
}

fn above(reading: &Reading, threshold: f64) -> Tally {
    let count = reading.count;
    let (bad_low, bad_high) = match (reading.min > threshold, reading.max > threshold) {
        (true, _) => (count, count),
        (false, false) => (0, 0),
        (false, true) => (1, count.saturating_sub(1).max(1)),
    };
    Tally { seen: count, bad_low, bad_high }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{objective, service};
    use super::super::maintenance::Maintenance;
    use super::*;

    const DAY_S: i64 = 86_400;
    /// 2026-11-23 00:00 UTC, and some minutes.
    const UNTIL: i64 = 1_795_392_000 + 754 * 10;

    fn wanted(objective: Objective, reaches: &[(i64, i64)]) -> Wanted {
        Wanted {
            service: service("shop"),
            objective: Arc::new(objective),
            part: Part::Service,
            until: Second(UNTIL),
            reaches: reaches.to_vec(),
        }
    }

    fn steps(wanted: &Wanted) -> Vec<i64> {
        stretches(wanted).iter().map(|stretch| stretch.step_s).collect()
    }

    fn check_whole(stretches: &[Stretch], from: i64) {
        assert_eq!(stretches[0].from, from);
        assert_eq!(stretches.last().expect("some").until, UNTIL);
        for pair in stretches.windows(2) {
            assert_eq!(pair[0].until, pair[1].from, "{stretches:?}");
        }
    }

    #[test]
    fn a_month_is_read_by_hours_and_its_end_by_what_shorter_windows_need() {
        let month =
            wanted(objective("a"), &[(60, 3_660), (600, 3 * DAY_S + 600), (3_600, 28 * DAY_S + 3_600)]);
        let found = stretches(&month);
        check_whole(&found, (UNTIL - 28 * DAY_S - 3_600) / 3_600 * 3_600);
        assert_eq!(steps(&month), [3_600, 600, 60, 10]);
        let rows: i64 = found.iter().map(|one| (one.until - one.from) / one.step_s).sum();
        assert!(rows < 1_300, "{rows}");
    }

    #[test]
    fn around_maintenance_it_is_read_by_minutes() {
        let mut objective = objective("a");
        let once: Maintenance = "2026-11-10T02:30/30m kim: x".parse().expect("valid");
        objective.maintenance = [once].into();
        let month = wanted(objective, &[(60, 3_660), (3_600, 28 * DAY_S + 3_600)]);
        assert_eq!(steps(&month), [3_600, 60, 3_600, 60, 10]);
        let cut = stretches(&month)[1];
        assert_eq!(cut.until - cut.from, 3_600);
        let off = maintenance::between(&month.objective.maintenance, Second(cut.from), Second(cut.until));
        let row = |minute: i64| Past {
            at: Second(cut.from + minute * 60),
            width_s: 60,
            tally: Tally { seen: 60, bad_low: 6, bad_high: 6 },
        };
        assert_eq!(counting(row(0), cut, &off), Some(row(0)));
        assert_eq!(counting(row(30), cut, &off), None);
        // Where only hours are left, half of the hour counts.
        let hour = Past { at: Second(cut.from), width_s: 3_600, ..row(0) };
        let half = counting(hour, cut, &off).expect("half");
        assert_eq!((half.width_s, half.tally.seen, half.tally.bad_low), (1_800, 30, 3));
    }

    #[test]
    fn slices_are_read_no_wider_than_they_are_a_day_at_a_time() {
        let mut objective = objective("a");
        objective.method = Method::Slices { slice_s: 60, good: GoodSlice::ShareAtLeast(0.9) };
        let month = wanted(objective, &[(60, 3_660), (3_600, 28 * DAY_S + 3_600)]);
        let found = stretches(&month);
        check_whole(&found, (UNTIL - 28 * DAY_S - 3_600) / 3_600 * 3_600);
        assert!(found.iter().all(|one| one.step_s <= 60 && one.until - one.from <= DAY_S));
    }

    #[test]
    fn silence_between_rows_is_no_requests() {
        let stretch = Stretch { from: 0, until: 60, step_s: 10 };
        let row =
            |at| Past { at: Second(at), width_s: 10, tally: Tally { seen: 5, bad_low: 0, bad_high: 0 } };
        let at = |found: Vec<Past>| found.iter().map(|one| (one.at.0, one.tally.seen)).collect::<Vec<_>>();
        let first = at(with_silence(vec![row(20), row(40)], stretch, true));
        assert_eq!(first, [(20, 5), (30, 0), (40, 5), (50, 0)]);
        assert_eq!(at(with_silence(vec![row(50)], stretch, false)).len(), 6);
        assert_eq!(with_silence(Vec::new(), stretch, true), []);
    }

    #[test]
    fn of_a_row_of_readings_only_the_bounds_are_known() {
        let reading = |min, max| Reading { count: 10, sum: 0.0, min, max, last: max, last_ms: 0 };
        assert_eq!(above(&reading(0.1, 0.2), 0.9), Tally { seen: 10, bad_low: 0, bad_high: 0 });
        assert_eq!(above(&reading(0.1, 0.95), 0.9), Tally { seen: 10, bad_low: 1, bad_high: 9 });
        assert_eq!(above(&reading(0.92, 0.95), 0.9), Tally { seen: 10, bad_low: 10, bad_high: 10 });
    }
}

//! What every backend must do, run against a fresh store for each case.
//!
//! A backend's test calls [`run`] with a way to make an empty store that keeps what it is told to; a case
//! that fails panics with its name, as a test does.

use std::future::Future;
use std::sync::Arc;

use futures_util::future::join;
use goldentime_follower::{Advance, BoxFuture, Committed, Mark, StreamPosition};
use goldentime_model::{Counts, HostName, SampleKind, Second, ServiceId};
use goldentime_windows::{Aggregate, EndpointKey};

use crate::chart::{Chart, ChartQuery, Requests, SamplesQuery, Span};
use crate::key::{MetricKey, Part};
use crate::reading::Reading;
use crate::resolution::Resolution;
use crate::rows::Rows;
use crate::store::{Keep, SeriesStore, Tended};

/// A store of the suite.
pub type Shared = Arc<dyn SeriesStore>;
type Case = fn(Shared) -> BoxFuture<'static, ()>;

/// What the stores of the suite keep: ten seconds for six hours, minutes for a day, hours for a week.
pub const KEEP: Keep = Keep { seconds: [6 * HOUR, DAY, 7 * DAY], bytes_max: u64::MAX, series_max: 12 };

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A round day, so that buckets of every width begin at it.
const START: i64 = 19_700 * DAY;

const CASES: [(&str, Case); 13] = [
    ("a step is read back as it was committed", |s| Box::pin(read_back(s))),
    ("a step is taken once", |s| Box::pin(taken_once(s))),
    ("a step made elsewhere changes nothing", |s| Box::pin(made_elsewhere(s))),
    ("of two steps from one mark one is taken", |s| Box::pin(one_of_two(s))),
    ("a writer that slept finds its steps refused", |s| Box::pin(zombie(s))),
    ("all resolutions agree while they are rolled up", |s| Box::pin(resolutions_agree(s))),
    ("what comes late is in every row", |s| Box::pin(late_is_everywhere(s))),
    ("percentiles of an hour are those of its requests", |s| Box::pin(percentiles(s))),
    ("hosts and endpoints are told apart and sum up", |s| Box::pin(parts_sum_up(s))),
    ("old rows go, and their step is raised", |s| Box::pin(old_rows_go(s))),
    ("a row that was deleted is not written again", |s| Box::pin(deleted_stays(s))),
    ("series beyond the limit are dropped and the others are not", |s| Box::pin(series_limit(s))),
    ("readings are charted by label set and host", |s| Box::pin(readings(s))),
];

/// Runs every case, each over what `fresh` makes; it must keep what [`KEEP`] says.
pub async fn run<F, Made>(fresh: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Shared>,
{
    for (name, case) in CASES {
        eprintln!("series store: {name}");
        case(fresh().await).await;
    }
}

/// The service of the suite.
///
/// # Panics
/// Never: the id is valid.
#[must_use]
pub fn service() -> ServiceId {
    "shop/prod/order-api".parse().expect("valid")
}

/// Adds requests that took `took_ms` at `second` to rows.
pub fn add(rows: &mut Rows, second: i64, host: &str, route: &str, counts: Counts, took_ms: f64) {
    let mut delta = Aggregate { counts, ..Aggregate::default() };
    delta.latency.insert_n(took_ms / 1000.0, counts.total());
    let (host, endpoint) =
        (HostName::from(host), EndpointKey { endpoint: route.into(), method: "GET".into() });
    let overflow = rows.cell(&service(), Second(second)).add(&host, &endpoint, &delta);
    assert_eq!((overflow.hosts, overflow.endpoints), (0, 0));
}

fn ok(n: u64) -> Counts {
    Counts { ok: n, ..Counts::default() }
}

/// One request a second in `seconds`.
fn steady(seconds: std::ops::Range<i64>) -> Rows {
    let mut rows = Rows::default();
    seconds.for_each(|second| add(&mut rows, second, "web-1", "/orders/{id}", ok(1), 20.0));
    rows
}

/// A step of partition 0 that ends at log time `at`.
#[must_use]
pub fn step(from: u64, to: u64, at: i64) -> Advance {
    let mark = |offset| Mark { generation: 1, offset };
    let log_time = Second(at).start();
    Advance {
        partition: 0,
        from: (from > 0).then(|| mark(from)),
        to: mark(to),
        log_time,
        streams: vec![StreamPosition { stream: [7; 16], number: to, log_time }],
        forget_before: None,
    }
}

async fn take(store: &Shared, rows: &Rows, advance: &Advance) -> u64 {
    match store.commit(rows, advance).await.expect("commits") {
        Committed::Done { dropped, .. } => dropped,
        Committed::Stale => panic!("the step {advance:?} is stale"),
    }
}

/// Tends until nothing is left to do.
///
/// # Panics
/// When the store fails, or never comes to rest.
pub async fn tend(store: &Shared, at: i64) {
    for _ in 0..100_000 {
        if store.tend(Second(at).start()).await.expect("tends") == Tended::Rest {
            return;
        }
    }
    panic!("upkeep does not come to an end");
}

async fn chart(store: &Shared, of: Requests, from: i64, until: i64, step_s: i64) -> Chart {
    let span = Span { from: Second(from), until: Second(until), step_s };
    store.chart(ChartQuery { service: service(), of, span }).await.expect("charts")
}

fn sum(chart: &Chart) -> Aggregate {
    let mut sum = Aggregate::default();
    chart.points.iter().for_each(|point| sum.merge(&point.value));
    sum
}

/// Sums over the whole at every resolution.
async fn sums(store: &Shared, from: i64, until: i64) -> [Aggregate; 3] {
    let mut sums = [(); 3].map(|()| Aggregate::default());
    for (total, tier) in sums.iter_mut().zip(Resolution::ALL) {
        let chart = chart(store, Requests::All, from, until, tier.width_s()).await;
        assert_eq!(chart.resolution, tier);
        *total = sum(&chart);
    }
    sums
}

async fn read_back(store: Shared) {
    assert_eq!(store.position(0).await.expect("reads"), None);
    let counts = Counts { ok: 5, client_error: 4, server_error: 3, timeout: 2 };
    let mut rows = Rows::default();
    add(&mut rows, START + 13, "web-1", "/orders/{id}", counts, 20.0);
    take(&store, &rows, &step(0, 9, START + 14)).await;
    let chart = chart(&store, Requests::All, START, START + 60, 10).await;
    assert_eq!(chart.points.len(), 1);
    assert_eq!((chart.points[0].at, chart.points[0].value.counts), (Second(START + 10), counts));
    assert_eq!(chart.points[0].value.latency.count(), 14);
    let position = store.position(0).await.expect("reads").expect("there");
    assert_eq!((position.mark.offset, position.log_time), (9, Second(START + 14).start()));
    assert_eq!(position.streams, step(0, 9, START + 14).streams);
    assert_eq!(store.position(1).await.expect("reads"), None);
}

async fn taken_once(store: Shared) {
    let rows = steady(START..START + 20);
    take(&store, &rows, &step(0, 20, START + 20)).await;
    for from in [0, 19] {
        let again = store.commit(&rows, &step(from, 20, START + 20)).await.expect("answers");
        assert_eq!(again, Committed::Stale);
    }
    let more = steady(START + 20..START + 30);
    take(&store, &more, &step(20, 30, START + 30)).await;
    assert_eq!(sums(&store, START, START + 60).await.map(|sum| sum.counts), [ok(30); 3]);
}

async fn made_elsewhere(store: Shared) {
    let refused = store.commit(&steady(START..START + 5), &step(3, 8, START + 5)).await.expect("answers");
    assert_eq!(refused, Committed::Stale);
    assert_eq!(store.position(0).await.expect("reads"), None);
    assert_eq!(chart(&store, Requests::All, START, START + 60, 10).await.points, []);
}

/// Two centrals take themselves for the owner of a partition.
async fn one_of_two(store: Shared) {
    for n in 0..5_i64 {
        let (rows, at) = (steady(START + 10 * n..START + 10 * n + 10), START + 10 * n + 10);
        let (from, to) = (n as u64, n as u64 + 1);
        let (one, other) = (step(from, to, at), step(from, to, at));
        let (one, other) = join(store.commit(&rows, &one), store.commit(&rows, &other)).await;
        let stale = [one, other].map(|taken| taken.expect("answers") == Committed::Stale);
        assert!(stale[0] != stale[1], "{stale:?}");
    }
    assert_eq!(sums(&store, START, START + 60).await.map(|sum| sum.counts), [ok(50); 3]);
}

/// Another central went on where it stood, and the streams' numbers with it.
async fn zombie(store: Shared) {
    take(&store, &steady(START..START + 10), &step(0, 10, START + 10)).await;
    let slept = (steady(START + 10..START + 30), step(10, 30, START + 30));
    take(&store, &steady(START + 10..START + 20), &step(10, 20, START + 20)).await;
    take(&store, &steady(START + 20..START + 30), &step(20, 30, START + 30)).await;
    for _ in 0..2 {
        assert_eq!(store.commit(&slept.0, &slept.1).await.expect("answers"), Committed::Stale);
    }
    assert_eq!(sums(&store, START, START + 60).await.map(|sum| sum.counts), [ok(30); 3]);
    let position = store.position(0).await.expect("reads").expect("there");
    assert_eq!((position.mark.offset, position.streams[0].number), (30, 30));
}

async fn resolutions_agree(store: Shared) {
    let (mut at, mut sent) = (START + 5 * HOUR / 2, 0);
    let first = at;
    let mut offset = 0;
    while at < first + 2 * HOUR {
        let rows = steady(at..at + 97);
        (at, sent) = (at + 97, sent + 97);
        take(&store, &rows, &step(offset, offset + 97, at)).await;
        offset += 97;
        if offset % 5 == 0 {
            tend(&store, at).await;
        }
        assert_eq!(sums(&store, START, at + HOUR).await.map(|sum| sum.counts), [ok(sent); 3]);
    }
    tend(&store, at).await;
    let [fine, minutes, hours] = sums(&store, START, at + HOUR).await;
    assert_eq!((&fine, &minutes), (&minutes, &hours));
    assert_eq!(fine.latency.count(), sent);
}

async fn late_is_everywhere(store: Shared) {
    let end = START + 3 * HOUR;
    take(&store, &steady(START..START + 100), &step(0, 1, START + 100)).await;
    take(&store, &steady(end..end + 10), &step(1, 2, end + 10)).await;
    tend(&store, end + 10).await;
    // Into rows that are rolled up, between them, and before everything that was there.
    for (n, late) in [START + 50, START + HOUR, START - 2 * HOUR].into_iter().enumerate() {
        let offset = n as u64 + 2;
        take(&store, &steady(late..late + 10), &step(offset, offset + 1, end + 10)).await;
        let all = sums(&store, START - DAY / 4, end + HOUR).await;
        assert_eq!(all.map(|sum| sum.counts), [ok(110 + 10 * (n as u64 + 1)); 3]);
    }
}

async fn percentiles(store: Shared) {
    let mut rows = Rows::default();
    for n in 0..1_000_i64 {
        add(&mut rows, START + n, "web-1", "/orders/{id}", ok(1), (n + 1) as f64);
    }
    take(&store, &rows, &step(0, 1, START + 2 * HOUR)).await;
    tend(&store, START + 2 * HOUR).await;
    let chart = chart(&store, Requests::All, START, START + HOUR, HOUR).await;
    assert_eq!(chart.points.len(), 1);
    for (q, exact) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99)] {
        let shown: f64 = chart.points[0].value.latency.quantile(q).expect("not empty");
        assert!((shown - exact).abs() / exact < 0.0055, "{q}: {shown} s");
    }
}

async fn parts_sum_up(store: Shared) {
    let mut rows = Rows::default();
    add(&mut rows, START, "web-1", "/orders/{id}", ok(3), 20.0);
    add(&mut rows, START, "web-2", "/orders/{id}", ok(4), 20.0);
    add(&mut rows, START, "web-2", "/결제", ok(5), 20.0);
    take(&store, &rows, &step(0, 1, START + HOUR)).await;
    tend(&store, START + HOUR).await;
    let count =
        async |of: Requests, step| sum(&chart(&store, of, START, START + 10, step).await).counts.total();
    let to = |endpoint: &str, method: Option<&str>| Requests::To {
        endpoint: endpoint.into(),
        method: method.map(Into::into),
    };
    for step in [10, 60, HOUR] {
        assert_eq!(count(Requests::All, step).await, 12);
        assert_eq!(count(Requests::OnHost("web-1".into()), step).await, 3);
        assert_eq!(count(Requests::OnHost("web-2".into()), step).await, 9);
        assert_eq!(count(to("/orders/{id}", None), step).await, 7);
        assert_eq!(count(to("/결제", Some("GET")), step).await, 5);
        assert_eq!(count(to("/결제", Some("POST")), step).await, 0);
    }
    let parts = store.parts(service(), 100).await.expect("lists");
    assert_eq!(parts.len(), 5);
    assert!(parts.contains(&Part::Whole) && parts.contains(&Part::Host("web-2".into())));
    assert_eq!(store.services(100).await.expect("lists"), [service()]);
}

async fn old_rows_go(store: Shared) {
    take(&store, &steady(START..START + 60), &step(0, 1, START + 60)).await;
    let late = START + 12 * HOUR;
    take(&store, &steady(late..late + 60), &step(1, 2, late + 60)).await;
    tend(&store, late + 60).await;
    let shown = chart(&store, Requests::All, START, late + 60, 10).await;
    assert_eq!((shown.step_s, shown.resolution), (60, Resolution::Minute));
    assert_eq!(sum(&shown).counts, ok(120));
    // The newest are there in full.
    let newest = chart(&store, Requests::All, late, late + 60, 10).await;
    assert_eq!((newest.step_s, newest.points.len()), (10, 6));
    tend(&store, START + 2 * DAY).await;
    let shown = chart(&store, Requests::All, START, late + 60, 10).await;
    assert_eq!((shown.step_s, sum(&shown).counts), (HOUR, ok(120)));
    tend(&store, START + 9 * DAY).await;
    assert_eq!(chart(&store, Requests::All, START, late + 60, HOUR).await.points, []);
    assert_eq!(store.parts(service(), 100).await.expect("lists"), []);
}

async fn deleted_stays(store: Shared) {
    take(&store, &steady(START..START + 60), &step(0, 1, START + 60)).await;
    let now = START + 12 * HOUR;
    take(&store, &steady(now..now + 10), &step(1, 2, now + 10)).await;
    tend(&store, now).await;
    take(&store, &steady(START + 60..START + 70), &step(2, 3, now + 10)).await;
    let shown = chart(&store, Requests::All, START, START + 120, 10).await;
    assert_eq!((shown.step_s, sum(&shown).counts), (60, ok(70)));
    let ancient = steady(START - 30 * DAY..START - 30 * DAY + 10);
    assert_eq!(take(&store, &ancient, &step(3, 4, now + 10)).await, 10, "older than anything that is kept");
}

async fn series_limit(store: Shared) {
    let mut rows = Rows::default();
    for n in 0..30 {
        add(&mut rows, START, "web-1", &format!("/page/{n}"), ok(1), 20.0);
    }
    assert_eq!(take(&store, &rows, &step(0, 1, START + 10)).await, 20, "whole, host and ten endpoints fit");
    let whole = chart(&store, Requests::All, START, START + 10, 10).await;
    assert_eq!(sum(&whole).counts, ok(30));
    assert_eq!(store.usage().await.expect("a usage").series, KEEP.series_max);
}

async fn readings(store: Shared) {
    let key = |metric: &str, host: &str, kind| MetricKey {
        metric: metric.into(),
        host: host.into(),
        kind,
        unit: "1".into(),
    };
    let mut rows = Rows::default();
    for n in 0..120_i64 {
        let (second, at) = (Second(START + n), Second(START + n).start());
        let user = key(r#"system.cpu{mode="user"}"#, "web-1", SampleKind::Gauge);
        rows.add_sample(&service(), user, second, Reading::of(n as f64, at));
        let jobs = key("jobs", "web-2", SampleKind::Counter);
        rows.add_sample(&service(), jobs, second, Reading::of(2.0, at));
    }
    take(&store, &rows, &step(0, 1, START + HOUR)).await;
    let asked = |metric: &str, host: Option<&str>, step_s| SamplesQuery {
        service: service(),
        metric: metric.into(),
        host: host.map(Into::into),
        span: Span { from: Second(START), until: Second(START + 120), step_s },
        series_max: 10,
    };
    for tended in [false, true] {
        if tended {
            tend(&store, START + HOUR).await;
        }
        for (metric, step_s, points) in [("system.cpu", 10, 12), (r#"system.cpu{mode="user"}"#, 60, 2)] {
            let charts = store.samples(asked(metric, None, step_s)).await.expect("charts");
            assert_eq!((charts.len(), charts[0].chart.points.len()), (1, points));
            let first = &charts[0].chart.points[0].value;
            let width = step_s as f64;
            assert_eq!((first.min, first.max, first.last), (0.0, width - 1.0, width - 1.0));
            assert_eq!((first.count, first.sum), (step_s as u64, width * (width - 1.0) / 2.0));
        }
        let jobs = store.samples(asked("jobs", Some("web-2"), HOUR)).await.expect("charts");
        assert_eq!((jobs[0].chart.points[0].value.sum, jobs[0].key.kind), (240.0, SampleKind::Counter));
        assert_eq!(store.samples(asked("jobs", Some("web-1"), 10)).await.expect("charts"), []);
    }
}

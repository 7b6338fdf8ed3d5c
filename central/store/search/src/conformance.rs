//! What every backend must do: each sentence of the contract on [`LogStore`] as a case.
//!
//! A backend's test calls [`run`] with a way to make an empty [`Place`]; a case that fails panics with
//! its name, as a test does. A kill is a store that is dropped without a word and opened again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use goldentime_follower::{Advance, BoxFuture, Committed, Mark, StreamPosition};
use goldentime_model::{LogRecord, ServiceId, UnixNanos};

use crate::line::{Identity, Line, NewLine};
use crate::page::{PageRequest, Span};
use crate::query::Query;
use crate::store::LogStore;

/// Where a backend keeps its lines: opening it again finds what the store before it left.
pub trait Place: Send + Sync + 'static {
    /// Opens the store.
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogStore>>;
}

type Shared = Arc<dyn Place>;
type Case = fn(Shared) -> BoxFuture<'static, ()>;

const CASES: [(&str, Case); 15] = [
    ("a line is found as it was stored", |p| Box::pin(round_trip(p))),
    ("a search sees what was stored before it", |p| Box::pin(found_at_once(p))),
    ("a stale step changes nothing", |p| Box::pin(stale_step(p))),
    ("a kill neither loses nor repeats a line", |p| Box::pin(kill(p))),
    ("a partition that was never read has no position", |p| Box::pin(no_position(p))),
    ("partitions stand apart", |p| Box::pin(partitions_apart(p))),
    ("words are found wherever they stand, in any case and script", |p| Box::pin(words(p))),
    ("what is excluded is not found", |p| Box::pin(exclusions(p))),
    ("levels, services, hosts, traces and times narrow a search", |p| Box::pin(filters(p))),
    ("nothing in a search is taken as a command", |p| Box::pin(hostile_terms(p))),
    ("pages give every line once, newest first", |p| Box::pin(pages(p))),
    ("lines of several partitions in one instant are each found once", |p| Box::pin(one_instant(p))),
    ("a histogram counts what a search finds", |p| Box::pin(histogram(p))),
    ("context is of the same service and host", |p| Box::pin(context(p))),
    ("old lines are dropped and positions stay", |p| Box::pin(retention(p))),
];

/// Runs every case, each in a place that `fresh` makes.
pub async fn run<F, P>(mut fresh: F)
where
    F: FnMut() -> P,
    P: Place,
{
    for (name, case) in CASES {
        eprintln!("search: {name}");
        case(Arc::new(fresh())).await;
    }
}

/// An instant well within the range of everything, in nanoseconds.
pub const NOW: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A line of `shop/prod/api` on `web-1`, `seconds` after [`NOW`], under an identity that no other has.
#[must_use]
pub fn line(seconds: i64, message: &str) -> NewLine {
    static LINES: AtomicU64 = AtomicU64::new(0);
    let number = 1 + LINES.fetch_add(1, Ordering::Relaxed);
    NewLine {
        identity: Identity { stream: [7; 16], partition: 0, number, index: 0 },
        service: service("shop/prod/api"),
        host: "web-1".into(),
        record: LogRecord {
            at: UnixNanos(NOW + seconds * SECOND),
            level: "info".into(),
            message: message.into(),
            trace_id: String::new(),
            span_id: String::new(),
            attributes: std::collections::BTreeMap::new(),
        },
    }
}

fn service(id: &str) -> ServiceId {
    id.parse().expect("a service id")
}

/// The step of partition 0 from one offset to another.
#[must_use]
pub fn step(from: u64, to: u64) -> Advance {
    let mark = |offset| Mark { generation: 1, offset };
    Advance {
        partition: 0,
        from: (from > 0).then(|| mark(from)),
        to: mark(to),
        log_time: UnixNanos(NOW),
        streams: vec![StreamPosition { stream: [7; 16], number: to, log_time: UnixNanos(NOW) }],
        forget_before: None,
    }
}

async fn put(store: &dyn LogStore, from: u64, lines: &[NewLine]) {
    let taken = store.commit(lines, &step(from, from + 1)).await.expect("stored");
    assert!(matches!(taken, Committed::Done { .. }), "{taken:?}");
}

/// Everything that a query means, over all pages.
pub async fn all(store: &dyn LogStore, query: &Query, limit: u32) -> Vec<Line> {
    let (mut lines, mut before) = (Vec::new(), None);
    loop {
        let page = store.search(query.clone(), PageRequest { before, limit }).await.expect("found");
        assert!(page.lines.len() <= limit as usize);
        lines.extend(page.lines);
        let Some(next) = page.next else { return lines };
        assert!(before.is_none_or(|before| next < before), "the next page lies further back");
        before = Some(next);
    }
}

async fn messages(store: &dyn LogStore, query: Query) -> Vec<String> {
    all(store, &query, 100).await.into_iter().map(|line| line.record.message).collect()
}

fn search(text: &str) -> Query {
    Query { terms: text.parse().expect("a search"), ..Query::default() }
}

async fn round_trip(place: Shared) {
    let store = place.open().await;
    let mut stored = line(0, "카드결제가 거절됨\n  at Pay.charge");
    stored.identity = Identity { stream: [3; 16], partition: 2, number: u64::MAX, index: 4095 };
    stored.record.level = "Warning".into();
    (stored.record.trace_id, stored.record.span_id) = ("0af7651916cd43dd".into(), "b7ad".into());
    stored.record.attributes =
        [("card".to_owned(), "비자=1".to_owned()), (String::new(), String::new())].into();
    put(&*store, 0, std::slice::from_ref(&stored)).await;
    let found = all(&*store, &Query::default(), 10).await.pop().expect("one line");
    let Line { identity, service, host, record, .. } = found;
    assert_eq!(NewLine { identity, service, host, record }, stored);
}

async fn found_at_once(place: Shared) {
    let store = place.open().await;
    for n in 0..100 {
        put(&*store, n, &[line(0, &format!("order {n} taken"))]).await;
        assert_eq!(messages(&*store, search(&format!("\"order {n} \""))).await, [format!("order {n} taken")]);
    }
    assert_eq!(messages(&*store, search("taken")).await.len(), 100);
}

async fn stale_step(place: Shared) {
    let store = place.open().await;
    put(&*store, 0, &[line(0, "once")]).await;
    for stale in [step(0, 1), step(9, 10)] {
        assert_eq!(store.commit(&[line(0, "once")], &stale).await.expect("an answer"), Committed::Stale);
    }
    assert_eq!(messages(&*store, Query::default()).await, ["once"]);
    assert_eq!(store.position(0).await.expect("read").expect("there").mark.offset, 1);
}

async fn kill(place: Shared) {
    for round in 0..5 {
        let store = place.open().await;
        let position = store.position(0).await.expect("read");
        assert_eq!(position.as_ref().map_or(0, |position| position.mark.offset), round);
        assert_eq!(position.map_or(0, |position| position.streams[0].number), round);
        let lines: Vec<_> = (0..70).map(|n| line(0, &format!("round {round} line {n} ends"))).collect();
        // A call that is dropped is whole or absent.
        let advance = step(round, round + 1);
        let mut commit = store.commit(&lines, &advance);
        for _ in 0..round {
            let waker = std::task::Waker::noop();
            if commit.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready() {
                break;
            }
        }
        drop(commit);
        let store = place.open().await;
        let taken = store.commit(&lines, &advance).await.expect("stored or stale");
        assert!(matches!(taken, Committed::Done { .. } | Committed::Stale));
        for n in [0, 69] {
            let found = messages(&*store, search(&format!("\"round {round} line {n} ends\""))).await;
            assert_eq!(found.len(), 1, "round {round} line {n}");
        }
        assert_eq!(messages(&*store, Query::default()).await.len() as u64, 70 * (round + 1));
    }
}

async fn no_position(place: Shared) {
    assert_eq!(place.open().await.position(3).await.expect("read"), None);
}

async fn partitions_apart(place: Shared) {
    let store = place.open().await;
    put(&*store, 0, &[line(0, "first")]).await;
    let second = Advance { partition: 1, ..step(0, 40) };
    assert!(matches!(store.commit(&[line(0, "second")], &second).await, Ok(Committed::Done { .. })));
    put(&*store, 1, &[line(0, "third")]).await;
    let store = place.open().await;
    let mark = |position: Option<goldentime_follower::Position>| position.expect("there").mark.offset;
    assert_eq!(mark(store.position(0).await.expect("read")), 2);
    assert_eq!(mark(store.position(1).await.expect("read")), 40);
    assert_eq!(messages(&*store, Query::default()).await.len(), 3);
}

async fn words(place: Shared) {
    let store = place.open().await;
    let mut with_attribute = line(3, "request done");
    with_attribute.record.attributes.insert("url.path".into(), "/주문/Ünï".into());
    let lines = [
        line(0, "카드결제가 거절됨"),
        // Hangul in single letters, as file names on macOS are.
        line(1, "upload \u{1100}\u{1167}\u{11af}\u{110c}\u{1166}.csv"),
        line(2, "Payment DECLINED for order-8821a7 by user@example.com"),
        with_attribute,
    ];
    put(&*store, 0, &lines).await;
    let finds = async |text: &str| {
        let found = all(&*store, &search(text), 100).await;
        found.into_iter().map(|line| (line.record.at.0 - NOW) / SECOND).collect::<Vec<_>>()
    };
    assert_eq!(finds("결제").await, [1, 0]);
    assert_eq!(finds("\u{1100}\u{1167}\u{11af}\u{110c}\u{1166}").await, [1, 0]);
    assert_eq!(finds("카드결제가").await, [0]);
    assert_eq!(finds("제").await, [1, 0]);
    assert_eq!(finds("declined").await, [2]);
    assert_eq!(finds("clin").await, [2]);
    assert_eq!(finds("8821A").await, [2]);
    assert_eq!(finds("order payment").await, [2]);
    assert_eq!(finds("\"order payment\"").await, [0_i64; 0]);
    assert_eq!(finds("\"declined for\"").await, [2]);
    assert_eq!(finds("url.path=/주문/üNÏ").await, [3]);
    assert_eq!(finds("\"doneurl\"").await, [0_i64; 0], "a term does not reach into the next field");
    assert_eq!(finds("거절 8821").await, [0_i64; 0]);
}

async fn exclusions(place: Shared) {
    let store = place.open().await;
    put(&*store, 0, &[line(0, "GET /healthz 200"), line(1, "GET /orders 200"), line(2, "GET /orders 500")])
        .await;
    assert_eq!(messages(&*store, search("get -healthz")).await, ["GET /orders 500", "GET /orders 200"]);
    assert_eq!(messages(&*store, search("-\"orders 5\" -healthz")).await, ["GET /orders 200"]);
}

async fn filters(place: Shared) {
    let store = place.open().await;
    let mut lines = Vec::new();
    for (n, (id, host, level, trace)) in (0_i64..).zip([
        ("shop/prod/api", "web-1", "error", "AAAABBBBCCCCDDDD"),
        ("shop/prod/web", "web-1", "warn", "aaaabbbbccccdddd"),
        ("shop/test/api", "web-2", "CRITICAL", ""),
        ("shop/prod/api", "web-2", "chatty", "eeee"),
        ("shop/prod/api", "web-1", "", ""),
    ]) {
        let mut one = line(n, &format!("line {n}"));
        (one.service, one.host) = (service(id), host.into());
        (one.record.level, one.record.trace_id) = (level.into(), trace.into());
        lines.push(one);
    }
    put(&*store, 0, &lines).await;
    let finds = async |query: Query| {
        let mut found: Vec<_> =
            all(&*store, &query, 100).await.iter().map(|line| (line.record.at.0 - NOW) / SECOND).collect();
        found.reverse();
        found
    };
    let all = Query::default;
    let pattern = |text: &str| Some(text.parse().expect("a pattern"));
    assert_eq!(finds(Query { levels: "warn".parse().expect("levels"), ..all() }).await, [0, 1, 2]);
    assert_eq!(finds(Query { levels: "unknown".parse().expect("levels"), ..all() }).await, [3, 4]);
    assert_eq!(finds(Query { service: pattern("shop/prod/api"), ..all() }).await, [0, 3, 4]);
    assert_eq!(finds(Query { service: pattern("shop/*/api"), ..all() }).await, [0, 2, 3, 4]);
    assert_eq!(finds(Query { host: Some("web-2".into()), ..all() }).await, [2, 3]);
    assert_eq!(finds(Query { trace_id: Some("aaaabbbbccccDDDD".into()), ..all() }).await, [0, 1]);
    assert_eq!(finds(search("aaaabbbbccccdddd")).await, [0, 1], "a trace id in the search box");
    let (from, until) = (UnixNanos(NOW + SECOND), UnixNanos(NOW + 3 * SECOND));
    assert_eq!(finds(Query { from, until, ..all() }).await, [1, 2]);
    let narrow = Query {
        service: pattern("shop/prod/api"),
        levels: "error".parse().expect("levels"),
        host: Some("web-1".into()),
        ..search("line")
    };
    assert_eq!(finds(narrow).await, [0]);
}

async fn hostile_terms(place: Shared) {
    let store = place.open().await;
    let texts = [
        "x' OR 1=1; DROP TABLE blocks; --",
        "a\" OR words MATCH \"b",
        "NEAR(a b, 5) AND NOT c*",
        "words:secret ^start {a b}:c",
        "%_\\ ?1 :x @y $z",
    ];
    let lines: Vec<_> = texts.iter().map(|text| line(0, text)).collect();
    put(&*store, 0, &lines).await;
    for text in texts {
        let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        assert_eq!(messages(&*store, search(&quoted)).await, [text]);
        for host in [text, "'", "\"", ""] {
            let query = Query { host: Some(host.into()), trace_id: Some(host.into()), ..Query::default() };
            assert_eq!(messages(&*store, query).await, [""; 0]);
        }
    }
    assert_eq!(messages(&*store, Query::default()).await.len(), texts.len());
}

async fn pages(place: Shared) {
    let store = place.open().await;
    // Lines arrive out of order, many in one instant.
    let mut stored = 0;
    for batch in 0..20_i64 {
        let lines: Vec<_> =
            (0..50_i64).map(|n| line((n * 7 + batch * 3) % 40, &format!("line {batch}/{n}"))).collect();
        put(&*store, stored, &lines).await;
        stored += 1;
    }
    for limit in [7, 100, 1000] {
        let found = all(&*store, &search("line"), limit).await;
        assert_eq!(found.len(), 1000);
        assert!(
            found.windows(2).all(|pair| pair[0].id > pair[1].id && pair[0].record.at >= pair[1].record.at)
        );
    }
    // What comes later does not disturb a page that was begun.
    let first = store.search(Query::default(), PageRequest { before: None, limit: 10 }).await.expect("found");
    put(&*store, stored, &[line(100, "new")]).await;
    let next = PageRequest { before: first.next, limit: 10 };
    let second = store.search(Query::default(), next).await.expect("found");
    assert!(second.lines[0].id < first.lines[9].id);
}

async fn one_instant(place: Shared) {
    let store = place.open().await;
    for partition in 0..3 {
        for round in 0..2 {
            let lines: Vec<_> = (0..20).map(|n| line(0, &format!("{partition}/{round}/{n}"))).collect();
            let advance = Advance { partition, ..step(round, round + 1) };
            assert!(matches!(store.commit(&lines, &advance).await, Ok(Committed::Done { .. })));
        }
    }
    let found = all(&*store, &Query::default(), 7).await;
    assert!(found.windows(2).all(|pair| pair[0].id > pair[1].id));
    assert_eq!(found.len(), 120);
    for partition in 0..3 {
        let own = format!("{partition}/");
        let own: Vec<_> =
            found.iter().map(|line| &line.record.message).filter(|text| text.starts_with(&own)).collect();
        let arrived = |round: u32, n: u32| format!("{partition}/{round}/{n}");
        let expected: Vec<_> =
            (0..2).rev().flat_map(|round| (0..20).rev().map(move |n| arrived(round, n))).collect();
        assert_eq!(own.into_iter().cloned().collect::<Vec<_>>(), expected);
    }
}

async fn histogram(place: Shared) {
    let store = place.open().await;
    let mut lines: Vec<_> =
        (0..600).map(|n| line(n / 10, if n % 3 == 0 { "fizz" } else { "other" })).collect();
    lines.iter_mut().step_by(6).for_each(|line| line.record.level = "error".into());
    put(&*store, 0, &lines).await;
    let span = Span { from: UnixNanos(NOW + 5 * SECOND), width_ns: 10 * SECOND, buckets: 6 };
    for (query, total, errors) in [(Query::default(), 550, 91), (search("fizz"), 183, 91)] {
        let counted = store.histogram(query.clone(), span).await.expect("counted");
        assert!(!counted.is_approximate);
        assert_eq!(counted.total(), total);
        assert_eq!(counted.buckets.iter().map(|bucket| bucket.errors).sum::<u64>(), errors);
        for (n, bucket) in (0_i64..).zip(&counted.buckets) {
            let from = UnixNanos(span.from.0 + n * span.width_ns);
            let until = from.saturating_add(span.width_ns);
            let found = all(&*store, &Query { from, until, ..query.clone() }, 1000).await;
            assert_eq!(bucket.lines, found.len() as u64);
        }
    }
    let levels = "error".parse().expect("levels");
    let counted = store.histogram(Query { levels, ..Query::default() }, span).await.expect("counted");
    assert_eq!(counted.total(), 91);
}

async fn context(place: Shared) {
    let store = place.open().await;
    let mut lines = Vec::new();
    for n in 0..300 {
        // Ten lines an instant: their order is that of the file.
        lines.push(line(n / 10, &format!("mine {n}")));
        let mut other = line(n / 10, "other");
        other.host = "web-2".into();
        lines.push(other);
    }
    for (n, part) in lines.chunks(37).enumerate() {
        put(&*store, n as u64, part).await;
    }
    let focus = all(&*store, &search("\"mine 155\""), 10).await.pop().expect("there");
    let around = store.context(focus.id, 7, 9).await.expect("read").expect("there");
    let texts: Vec<_> = around.lines.iter().map(|line| line.record.message.clone()).collect();
    assert_eq!(texts, (148..=164).map(|n| format!("mine {n}")).collect::<Vec<_>>());
    assert_eq!(around.lines[around.focus], focus);
    let last = all(&*store, &search("\"mine 299\""), 10).await.pop().expect("there");
    assert_eq!(store.context(last.id, 2, 5).await.expect("read").expect("there").lines.len(), 3);
    let gone = crate::line::LineId::first_at(1);
    assert_eq!(store.context(gone, 2, 2).await.expect("read"), None);
}

async fn retention(place: Shared) {
    let store = place.open().await;
    put(&*store, 0, &[line(0, "old")]).await;
    let kept = store.retain(UnixNanos(NOW), u64::MAX).await.expect("nothing dropped");
    assert_eq!(kept.lines, 0);
    let dropped = store.retain(UnixNanos(NOW + SECOND), u64::MAX).await.expect("dropped");
    assert_eq!((dropped.lines, dropped.lines_for_room), (1, 0));
    assert_eq!(messages(&*store, Query::default()).await, [""; 0]);
    put(&*store, 1, &[line(2, "new")]).await;
    let store = place.open().await;
    assert_eq!(store.position(0).await.expect("read").expect("there").mark.offset, 2);
    assert_eq!(messages(&*store, Query::default()).await, ["new"]);
    assert_eq!(store.stats().await.expect("known").lines, 1);
}

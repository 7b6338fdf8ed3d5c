//! Searches beside a plain look at every line: random lines and questions, and whether a store answers
//! them as that look does.

use goldentime_follower::Committed;
use goldentime_model::UnixNanos;
use goldentime_search::conformance::{NOW, all, line, step};
use goldentime_search::{LogStore, NewLine, Query, Span};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// Pieces of texts and of searches: so few that searches find something.
const PIECES: [&str; 22] = [
    "order",
    "Order-",
    "카드",
    "결제",
    "가 ",
    "승인",
    "실패",
    " ",
    "  ",
    "42",
    "8821",
    "-",
    "é",
    "e\u{301}",
    "ß",
    "İ",
    "漢字",
    "かな",
    "\u{1112}\u{1161}\u{11ab}",
    "한",
    "/",
    "x=",
];

fn text(pieces: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), pieces).prop_map(|pieces| pieces.concat())
}

fn a_line() -> impl Strategy<Value = NewLine> {
    let names = (0..3_u8, 0..2_u8, 0..4_usize, 0..3_u8, 0..60_i64);
    (text(0..8), prop::option::of(text(1..4)), names).prop_map(|(message, attribute, names)| {
        let (service, host, level, trace, second) = names;
        let mut new = line(second, &message);
        new.service = format!("shop/prod/s{service}").parse().expect("an id");
        new.host = format!("web-{host}").into();
        new.record.level = ["debug", "info", "ERROR", "odd"][level].into();
        new.record.trace_id = if trace == 0 { String::new() } else { format!("0000000{trace}") };
        new.record.attributes.extend(attribute.map(|value| ("key".to_owned(), value)));
        new
    })
}

/// Batches of lines as they are stored.
pub(crate) fn batches() -> impl Strategy<Value = Vec<Vec<NewLine>>> {
    prop::collection::vec(prop::collection::vec(a_line(), 1..150), 1..5)
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    wanted: Vec<String>,
    unwanted: Vec<String>,
    service: Option<u8>,
    errors: bool,
    trace: Option<u8>,
    from: i64,
}

pub(crate) fn a_question() -> impl Strategy<Value = Asked> {
    let terms = (prop::collection::vec(text(1..4), 0..3), prop::collection::vec(text(1..3), 0..2));
    let rest = (prop::option::of(0..3_u8), any::<bool>(), prop::option::weighted(0.2, 1..3_u8), 0..40_i64);
    (terms, rest).prop_map(|((wanted, unwanted), (service, errors, trace, from))| Asked {
        wanted,
        unwanted,
        service,
        errors,
        trace,
        from,
    })
}

/// Composed, lowered, character by character: said once more in other words than the store's.
fn same(text: &str) -> String {
    let composed = text.replace("e\u{301}", "é").replace("\u{1112}\u{1161}\u{11ab}", "한");
    composed.chars().map(|c| c.to_lowercase().to_string()).collect()
}

fn is_meant(asked: &Asked, line: &NewLine) -> bool {
    let mut texts = vec![same(&line.record.message)];
    texts.extend(line.record.attributes.iter().map(|(key, value)| same(&format!("{key}={value}"))));
    let holds = |term: &String| texts.iter().any(|text| text.contains(&same(term)));
    asked.wanted.iter().all(holds)
        && !asked.unwanted.iter().any(holds)
        && asked.service.is_none_or(|service| line.service.service() == format!("s{service}"))
        && (!asked.errors || line.record.level == "ERROR")
        && asked.trace.is_none_or(|trace| line.record.trace_id == format!("0000000{trace}"))
        && line.record.at.0 >= NOW + asked.from * 1_000_000_000
}

fn query(asked: &Asked) -> Query {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut terms: Vec<_> = asked.wanted.iter().map(quoted).collect();
    terms.extend(asked.unwanted.iter().map(|text| format!("-{}", quoted(text))));
    Query {
        terms: terms.join(" ").parse().expect("a search"),
        levels: if asked.errors { "error".parse().expect("levels") } else { Query::default().levels },
        service: asked.service.map(|service| format!("shop/prod/s{service}").parse().expect("a pattern")),
        trace_id: asked.trace.map(|trace| format!("0000000{trace}")),
        from: UnixNanos(NOW + asked.from * 1_000_000_000),
        ..Query::default()
    }
}

/// Stores the batches and asks, with pages of `limit` lines.
pub(crate) async fn check(
    store: &dyn LogStore,
    batches: &[Vec<NewLine>],
    asked: &[Asked],
    limit: u32,
) -> Result<(), TestCaseError> {
    for (n, batch) in batches.iter().enumerate() {
        let (from, to) = (n as u64, n as u64 + 1);
        let taken = store.commit(batch, &step(from, to)).await.expect("stored");
        prop_assert!(matches!(taken, Committed::Done { .. }), "{:?}", taken);
    }
    let meant =
        |asked: &Asked| batches.iter().flatten().filter(|line| is_meant(asked, line)).collect::<Vec<_>>();
    for asked in asked {
        let mut expected: Vec<_> =
            meant(asked).into_iter().map(|line| (line.record.at.0, line.record.message.clone())).collect();
        let found = all(store, &query(asked), limit).await;
        let mut found: Vec<_> =
            found.into_iter().map(|line| (line.record.at.0, line.record.message)).collect();
        prop_assert!(found.windows(2).all(|pair| pair[0].0 >= pair[1].0), "newest first");
        let span = Span { from: UnixNanos(NOW), width_ns: 7_000_000_000, buckets: 9 };
        let counted = store.histogram(query(asked), span).await.expect("counted");
        expected.sort();
        found.sort();
        prop_assert_eq!(&found, &expected, "{:?}", asked);
        let in_span = meant(&Asked { from: 0, ..asked.clone() });
        prop_assert_eq!(counted.total(), in_span.len() as u64);
    }
    Ok(())
}

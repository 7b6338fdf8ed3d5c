//! The contract, and searches beside a plain look at every line.

use goldentime_model::UnixNanos;
use goldentime_search::conformance::{self, NOW, all, line};
use goldentime_search::elastic::SearchLimits;
use goldentime_search::{LogStore, PageRequest, Query, Span};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

use crate::scan;
use crate::server::{Fresh, config, open, open_limited, put, shared};

#[tokio::test]
async fn dated_indices_do_as_the_contract_says() {
    let server = shared().await;
    conformance::run(|| Fresh(config(&server, server.address()))).await;
}

#[test]
fn a_search_finds_what_a_look_at_every_line_finds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(shared());
    let cases = (scan::batches(), proptest::collection::vec(scan::a_question(), 15));
    let mut runner = TestRunner::new(Config { cases: 8, max_shrink_iters: 20, ..Config::default() });
    let checked = runner.run(&cases.prop_map(|case| case), |(batches, asked)| {
        let store = open(&config(&server, server.address()));
        runtime.block_on(scan::check(&store, &batches, &asked, 40))
    });
    checked.expect("every search agrees");
}

/// Few lines a search, so that few lines are much.
const FEW: SearchLimits = SearchLimits { lines: 200, bytes: 1 << 20, answer_bytes: 1 << 20 };

#[tokio::test]
async fn a_search_that_reads_much_stops_and_goes_on_from_there() {
    let server = shared().await;
    let store = open_limited(&config(&server, server.address()), FEW);
    let mut lines: Vec<_> = (0..2000).map(|n| line(n, "-")).collect();
    lines.push(line(-5, "+"));
    put(&store, 0, &lines).await;
    let query = Query { terms: "+".parse().expect("a search"), ..Query::default() };
    let page = PageRequest { before: None, limit: 10 };
    let first = store.search(query.clone(), page).await.expect("an answer");
    assert!(first.lines.is_empty() && first.next.is_some(), "it stopped on the way");
    assert_eq!(all(&store, &query, 10).await.len(), 1);
}

#[tokio::test]
async fn a_histogram_of_much_text_counts_a_sample_and_says_so() {
    let server = shared().await;
    let store = open_limited(&config(&server, server.address()), FEW);
    let lines: Vec<_> = (0..4000).map(|n| line(n / 40, if n % 2 == 0 { "fizz" } else { "buzz" })).collect();
    put(&store, 0, &lines).await;
    let span = Span { from: UnixNanos(NOW), width_ns: 10_000_000_000, buckets: 10 };
    let query = Query { terms: "zz -bu".parse().expect("a search"), ..Query::default() };
    let counted = store.histogram(query, span).await.expect("counted");
    assert!(counted.is_approximate);
    assert!((1000..=3000).contains(&counted.total()), "{} of 2000", counted.total());
    let exact = store.histogram(Query::default(), span).await.expect("counted");
    assert!(!exact.is_approximate && exact.total() == 4000);
}

#[tokio::test]
async fn very_long_lines_are_kept_whole_and_a_page_of_them_is_short() {
    let server = shared().await;
    let store = open(&config(&server, server.address()));
    let long: Vec<_> = (0..120)
        .map(|n| {
            let filler: String = (0..8_000).map(|word| format!("{:x} ", word * 7919 + n)).collect();
            line(n, &format!("{}needle{n}x", &filler[..60_000.min(filler.len())]))
        })
        .collect();
    put(&store, 0, &long).await;
    let page = PageRequest { before: None, limit: 1000 };
    let page = store.search(Query::default(), page).await.expect("found");
    assert!(page.lines.len() < 100 && page.next.is_some());
    assert_eq!(all(&store, &Query::default(), 1000).await.len(), 120);
    let query = Query { terms: "needle77x".parse().expect("a search"), ..Query::default() };
    assert_eq!(all(&store, &query, 10).await[0].record.message, long[77].record.message);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_parts() {
    let server = shared().await;
    let limits = SearchLimits { answer_bytes: 64 << 10, ..SearchLimits::default() };
    let store = open_limited(&config(&server, server.address()), limits);
    let mut lines: Vec<_> = (0..300).map(|n| line(n, "short")).collect();
    lines.extend((0..60).map(|n| line(-n, &"long ".repeat(2000))));
    put(&store, 0, &lines).await;
    assert_eq!(all(&store, &Query::default(), 1000).await.len(), 360);
}

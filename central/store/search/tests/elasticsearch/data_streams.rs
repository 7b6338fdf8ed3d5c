//! Lines in a data stream, on a server that has them.

use goldentime_model::UnixNanos;
use goldentime_search::conformance::{self, NOW, line};
use goldentime_search::elastic::Layout;
use goldentime_search::{ElasticConfig, LogStore};
use goldentime_testkit::servers::opensearch::OpenSearch;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::Value;

use crate::scan;
use crate::server::{Fresh, a_place, messages, open, put};

const DAY_S: i64 = 86_400;

fn config(server: &OpenSearch) -> ElasticConfig {
    ElasticConfig { urls: vec![format!("http://{}", server.address())], ..a_place() }
}

async fn indices(server: &OpenSearch, config: &ElasticConfig) -> Vec<String> {
    let found = server.ask(Method::GET, &format!("/_data_stream/{}-logs", config.prefix), None).await;
    let found = found.expect("a data stream");
    let indices = found["data_streams"][0]["indices"].as_array().expect("indices").clone();
    let name = |index: &Value| index["index_name"].as_str().expect("a name").to_owned();
    indices.iter().map(name).collect()
}

/// One server, one after the other: it is half of this test's time.
#[test]
fn data_streams_are_used_where_they_are_and_do_as_the_contract_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(OpenSearch::start()).expect("OpenSearch starts");
    runtime.block_on(conformance::run(|| Fresh(config(&server))));
    let cases = (scan::batches(), proptest::collection::vec(scan::a_question(), 15));
    let mut runner = TestRunner::new(Config { cases: 4, max_shrink_iters: 20, ..Config::default() });
    let checked = runner.run(&cases, |(batches, asked)| {
        let store = open(&config(&server));
        runtime.block_on(scan::check(&store, &batches, &asked, 40))
    });
    checked.expect("every search agrees");
    runtime.block_on(repeats_are_known_across_a_rollover(&server));
    runtime.block_on(old_and_too_many_lines_are_dropped(&server));
    runtime.block_on(what_was_begun_goes_on(&server));
}

async fn repeats_are_known_across_a_rollover(server: &OpenSearch) {
    let config = config(server);
    let store = open(&config);
    let lines: Vec<_> = (0..2500).map(|n| line(n % 50, &format!("line {n}"))).collect();
    put(&store, 0, &lines[..1500]).await;
    // As a crash before the position leaves it, with a rollover before the next try.
    let rollover = format!("/{}-logs/_rollover", config.prefix);
    server.ask(Method::POST, &rollover, None).await.expect("rolled over");
    server.ask(Method::DELETE, &format!("/{}-positions/_doc/0", config.prefix), None).await.expect("deleted");
    assert_eq!(indices(server, &config).await.len(), 2);
    put(&store, 0, &lines).await;
    let mut found = messages(&store).await;
    assert_eq!(found.len(), 2500);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 2500, "each line once");
    assert_eq!(store.stats().await.expect("known").lines, 2500);
}

async fn old_and_too_many_lines_are_dropped(server: &OpenSearch) {
    let config = config(server);
    let store = open(&config);
    let rollover = format!("/{}-logs/_rollover", config.prefix);
    for day in 0..4_i64 {
        put(&store, day.cast_unsigned(), &[line((day - 4) * DAY_S, &format!("day {day}"))]).await;
        if day < 3 {
            server.ask(Method::POST, &rollover, None).await.expect("rolled over");
        }
    }
    let before = UnixNanos(NOW - 3 * DAY_S * 1_000_000_000);
    let dropped = store.retain(before, u64::MAX).await.expect("dropped");
    assert_eq!((dropped.lines, dropped.lines_for_room), (1, 0));
    assert_eq!(messages(&store).await, ["day 3", "day 2", "day 1"]);
    let bytes = store.stats().await.expect("known").disk_bytes;
    let dropped = store.retain(before, bytes - 1).await.expect("dropped");
    assert_eq!((dropped.lines, dropped.lines_for_room), (1, 1));
    store.retain(before, 0).await.expect("dropped");
    assert_eq!(messages(&store).await, ["day 3"], "what is written to stays");
    // All of it is old: the data stream begins anew.
    store.retain(UnixNanos(NOW), u64::MAX).await.expect("dropped");
    assert_eq!(messages(&store).await, [""; 0]);
    put(&store, 4, &[line(0, "today")]).await;
    assert_eq!(messages(&store).await, ["today"]);
    assert_eq!(indices(server, &config).await.len(), 1);
}

async fn what_was_begun_goes_on(server: &OpenSearch) {
    let dated = ElasticConfig { layout: Layout::Dated, ..config(server) };
    put(&open(&dated), 0, &[line(0, "dated")]).await;
    let store = open(&ElasticConfig { layout: Layout::Auto, ..dated.clone() });
    put(&store, 1, &[line(1, "more")]).await;
    assert_eq!(messages(&store).await, ["more", "dated"]);
    let index = format!("/{}-logs-2023.11.14/_count", dated.prefix);
    assert_eq!(server.ask(Method::GET, &index, None).await.expect("counted")["count"], 2);
}

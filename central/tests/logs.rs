//! Log lines over HTTP, from a real store.

mod stage;

use std::time::Duration;

use futures_util::StreamExt;
use goldentime_central::persist::tail::WATCHERS_MAX;
use goldentime_search::NewLine;
use goldentime_search::conformance::{NOW, line, step};
use serde_json::{Value, json};
use stage::{Props, Stage};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

const WAIT: Duration = Duration::from_secs(5);

/// A central that keeps these lines.
async fn with(lines: &[NewLine]) -> Stage {
    let stage = Stage::start(Props::default()).await;
    stage.logs.store().commit(lines, &step(0, 1)).await.expect("stored");
    stage
}

fn messages(page: &Value) -> Vec<&str> {
    let lines = page["lines"].as_array().expect("lines");
    lines.iter().map(|line| line["message"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn lines_are_found_page_by_page_with_their_surroundings_counts_and_trace() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut lines: Vec<_> = (0..6).map(|second| line(second, &format!("카드결제가 {second}"))).collect();
    lines[2].record.level = "error".into();
    for line in &mut lines[1..3] {
        line.record.trace_id = trace.into();
    }
    let stage = with(&lines).await;

    let (status, first) = stage.get("/api/v1/logs?q=결제&limit=4").await;
    assert_eq!((status, messages(&first).len(), messages(&first)[0]), (200, 4, "카드결제가 5"));
    let next = first["next"].as_str().expect("another page");
    let (_, last) = stage.get(&format!("/api/v1/logs?q=결제&limit=4&before={next}")).await;
    assert_eq!((messages(&last), &last["next"]), (vec!["카드결제가 1", "카드결제가 0"], &Value::Null));

    let (_, grave) = stage.get("/api/v1/logs?level=error&service=shop/*/api&host=web-1").await;
    assert_eq!(messages(&grave), ["카드결제가 2"]);
    let id = grave["lines"][0]["id"].as_str().expect("an id");
    let (_, around) = stage.get(&format!("/api/v1/logs/{id}/context?before=1&after=1")).await;
    assert_eq!(messages(&around), ["카드결제가 1", "카드결제가 2", "카드결제가 3"]);
    assert_eq!(around["focus"], 1);

    let (_, traced) = stage.get(&format!("/api/v1/traces/{}/logs", trace.to_uppercase())).await;
    assert_eq!(messages(&traced), ["카드결제가 1", "카드결제가 2"], "oldest first");

    let (from_ms, until_ms) = (NOW / 1_000_000, NOW / 1_000_000 + 6000);
    let (_, counts) =
        stage.get(&format!("/api/v1/logs/histogram?from_ms={from_ms}&until_ms={until_ms}&buckets=3")).await;
    let two = |errors: u64| json!({"lines": 2, "errors": errors});
    assert_eq!(counts["buckets"], json!([two(0), two(1), two(0)]), "{counts}");
}

#[tokio::test]
async fn a_log_search_that_cannot_be_read_is_refused_with_what_and_where() {
    let stage = Stage::start(Props::default()).await;
    for (path, said) in [
        ("/api/v1/logs?q=a%20%22b", "quote at character 3"),
        ("/api/v1/logs?level=loud", "level: `loud`"),
        ("/api/v1/logs?service=api", "project/environment/service"),
        ("/api/v1/logs?limit=1001", "limit: 1001"),
        ("/api/v1/logs?before=1.2", "before: `1.2`"),
        ("/api/v1/logs?from_ms=5&until_ms=5", "until_ms"),
        ("/api/v1/logs?host=", "host"),
        ("/api/v1/logs?trace=a", "trace"),
        ("/api/v1/logs/histogram?buckets=0", "buckets: 0"),
        ("/api/v1/logs/x/context", "id: `x`"),
    ] {
        let (status, problem) = stage.get(path).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(said), "{path}: {status} {problem}");
    }
    let (status, problem) = stage.get("/api/v1/logs/1.1.1.1/context").await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    let (status, page) = stage.get("/api/v1/logs?q=nothing").await;
    assert_eq!((status, &page["lines"], &page["next"]), (200, &json!([]), &Value::Null));
}

#[tokio::test]
async fn who_watches_is_told_of_the_lines_that_are_meant() {
    let stage = Stage::start(Props::default()).await;
    let url = format!("ws://{}/api/v1/logs/tail?q=결제&level=warn", stage.address);
    let (mut socket, _) = connect_async(url).await.expect("connects");
    let mut grave = line(1, "카드결제가 거절됨");
    grave.record.level = "error".into();
    stage.logs.tail().tell(&[line(0, "카드결제가 승인됨"), grave]);
    let told = timeout(WAIT, socket.next()).await.expect("in time").expect("open").expect("a message");
    let told: Value = serde_json::from_str(told.to_text().expect("text")).expect("JSON");
    assert_eq!((&told["type"], messages(&told)), (&json!("lines"), vec!["카드결제가 거절됨"]));
}

#[tokio::test]
async fn a_tail_that_cannot_be_is_refused_and_one_that_ends_makes_room() {
    let stage = Stage::start(Props::default()).await;
    let connect = async |query: &str| {
        let url = format!("ws://{}/api/v1/logs/tail{query}", stage.address);
        match connect_async(url).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(connect("?level=loud").await.err(), Some(400));
    assert_eq!(connect("?from_ms=1").await.err(), Some(400), "a tail has no time");
    let mut watching = Vec::new();
    for _ in 0..WATCHERS_MAX {
        watching.push(connect("").await.expect("room"));
    }
    assert_eq!(connect("").await.err(), Some(503));
    drop(watching.pop());
    let again = async {
        while connect("").await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(WAIT, again).await.expect("room again");
}

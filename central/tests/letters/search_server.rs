//! A log line that a real search server rejects until somebody mends the index.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::servers::elasticsearch::{self, Elasticsearch};
use goldentime_testkit::wait;
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::{LogRecord, Logs, Record};
use reqwest::Method;
use serde_json::json;

use crate::cluster::ALONE;
use crate::world::{Agent, SOON, deadletter, letters, listed, present, record, said};

const SPAN: &str = "b7ad6b7169203331";

/// Makes today's index of lines before the central does, with another idea of span ids; gives its name.
async fn odd_index(server: &Elasticsearch) -> String {
    let day = jiff::Timestamp::from_second(present()).expect("a time").strftime("%Y.%m.%d").to_string();
    let name = format!("goldentime-logs-{day}");
    let mapping = json!({
        "_meta": {"goldentime_layout": 1},
        "dynamic": false,
        "properties": {
            "at": {"type": "long"},
            "partition": {"type": "long"},
            "place": {"type": "long"},
            "span_id": {"type": "long"},
        },
    });
    let body = json!({"mappings": mapping, "aliases": {"goldentime-logs": {}}});
    server.ask(Method::PUT, &format!("/{name}"), Some(body)).await.expect("made");
    name
}

/// Texts of the lines that a search finds.
async fn found(central: &Central) -> Option<Vec<String>> {
    let page = central.get("/api/v1/logs?q=결제&limit=100").await.ok()?;
    let lines = page["lines"].as_array()?.iter();
    Some(lines.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_a_search_server_rejected_is_found_once_after_the_index_is_mended() {
    let folder = tempfile::tempdir().expect("folder");
    let server = Elasticsearch::start().await.expect("starts");
    let index = odd_index(&server).await;
    let secret = folder.path().join("search-password");
    std::fs::write(&secret, elasticsearch::PASSWORD).expect("written");
    std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("private");
    let mut config = CentralConfig::new(&folder.path().join("central"), None).expect("configured");
    config.extra_yaml.push_str(&format!(
        "cluster:\n  elasticsearch:\n    urls: ['{}']\n    user: {}\n    password: {{file: '{}'}}\n    \
         ca_file: '{}'\n    replicas: 0\n",
        Elasticsearch::url(server.address()),
        elasticsearch::USER,
        secret.display(),
        server.certificate_file().display()
    ));
    is_found_once_it_is_mended(config.start().await.expect("starts"), &server, &index).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_a_cluster_that_a_search_server_rejected_is_found_once_after_the_index_is_mended() {
    let _alone = ALONE.lock().await;
    let folder = tempfile::tempdir().expect("folder");
    let engines = Engines::start(folder.path(), 1).await.expect("starts").and_search().await.expect("starts");
    let server = engines.search.as_ref().expect("started");
    let index = odd_index(server).await;
    let mut config = CentralConfig::new(&folder.path().join("central"), None).expect("configured");
    engines.give_to(&mut config, "one").expect("configured");
    is_found_once_it_is_mended(config.start().await.expect("starts"), server, &index).await;
}

/// A line is rejected, listed, not found in vain, and found once the index is as it should be.
async fn is_found_once_it_is_mended(central: Central, server: &Elasticsearch, index: &str) {
    let config = central.config.file();
    let mut agent = Agent::of(&central).await;
    let line = LogRecord {
        at_ns: SystemClock.now().0,
        level: "error".into(),
        message: "카드결제가 실패".into(),
        span_id: SPAN.into(),
        ..LogRecord::default()
    };
    let body = Some(Body::Logs(Logs { records: vec![line] }));
    agent.send_all(&[Record { body, ..record(1, present(), 0) }]).await;
    let letter = letters(&config, &["--reason", "log_store_rejected"], 1).await.remove(0);
    let id = letter["id"].as_str().expect("text");
    assert!(letter["detail"].as_str().expect("text").contains("span_id"), "{letter:#}");
    let (shown, _) = said(&deadletter(&config, &["show", id]));
    assert!(shown.contains("카드결제가 실패") && shown.contains(SPAN), "{shown}");

    // Nobody mended anything yet.
    let replayed = deadletter(&config, &["replay", id]);
    let (told, error) = said(&replayed);
    assert_eq!(replayed.status.code(), Some(1), "{told}{error}");
    let again = listed(&config, &[]);
    assert_eq!((again.len(), again[0]["id"].as_str()), (1, Some(id)), "{again:#?}");

    server.ask(Method::DELETE, &format!("/{index}"), None).await.expect("mended");
    let replayed = deadletter(&config, &["replay", "--reason", "log_store_rejected"]);
    let (told, error) = said(&replayed);
    assert!(replayed.status.success(), "{told}{error}");
    let is_there = || async { found(&central).await.filter(|lines| !lines.is_empty()) };
    let lines = wait::until("the line", SOON, is_there).await.expect("found");
    assert_eq!(lines, ["카드결제가 실패"]);
    assert!(listed(&config, &[]).is_empty());
    central.stop().await.expect("stops");
}

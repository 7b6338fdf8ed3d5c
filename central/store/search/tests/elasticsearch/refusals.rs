//! Servers that say no, and what is told of it.

use std::sync::Arc;

use goldentime_follower::{Committed, StoreError};
use goldentime_model::config::Secret;
use goldentime_search::conformance::{line, step};
use goldentime_search::{ElasticConfig, LogStore};
use goldentime_testkit::nginx::{Nginx, Site};
use goldentime_testkit::ports;
use goldentime_testkit::servers::elasticsearch::{Elasticsearch, PASSWORD, STRANGER};
use reqwest::Method;
use serde_json::json;

use crate::server::{DeadLetters, config, messages, open, open_with, put, shared};

/// Makes the index of today's lines before the store does, with another idea of span ids.
async fn odd_index(server: &Elasticsearch, prefix: &str) {
    let mapping = json!({
        "_meta": {"goldentime_layout": 1},
        "properties": {"span_id": {"type": "long"}},
    });
    let body = json!({"mappings": mapping, "aliases": {format!("{prefix}-logs"): {}}});
    server.ask(Method::PUT, &format!("/{prefix}-logs-2023.11.14"), Some(body)).await.expect("made");
}

#[tokio::test]
async fn a_line_that_the_mapping_rejects_goes_to_the_dead_letters_before_the_step() {
    let server = shared().await;
    let config = config(&server, server.address());
    // Made by the template, then with a field that takes numbers only.
    let store = open(&config);
    assert_eq!(store.position(0).await.expect("read"), None);
    odd_index(&server, &config.prefix).await;
    let dead_letters = Arc::new(DeadLetters::default());
    let store = open_with(&config, &dead_letters);
    let mut odd = line(1, "odd");
    odd.record.span_id = "b7ad".into();
    let lines = [line(0, "before"), odd.clone(), line(2, "after")];
    *dead_letters.is_full.lock().expect("unpoisoned") = true;
    let failed = store.commit(&lines, &step(0, 1)).await.expect_err("no place for dead letters");
    assert!(matches!(failed, StoreError::Full { .. }), "{failed}");
    assert_eq!(store.position(0).await.expect("read"), None, "the step waits for the dead letters");
    *dead_letters.is_full.lock().expect("unpoisoned") = false;
    let taken = store.commit(&lines, &step(0, 1)).await.expect("stored");
    assert_eq!(taken, Committed::Done { rows: 2, dropped: 1 });
    let rejected = dead_letters.taken.lock().expect("unpoisoned").clone();
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0].line, odd);
    assert!(rejected[0].reason.contains("span_id"), "{}", rejected[0].reason);
    assert_eq!(messages(&store).await, ["after", "before"]);
}

#[tokio::test]
async fn a_line_larger_than_a_request_may_be_goes_to_the_dead_letters_alone() {
    let server = shared().await;
    let dead_letters = Arc::new(DeadLetters::default());
    let store = open_with(&config(&server, server.address()), &dead_letters);
    let huge = "x".repeat(9 << 20);
    let lines = [line(0, "small"), line(1, &huge), line(2, "little")];
    let taken = store.commit(&lines, &step(0, 1)).await.expect("stored");
    assert_eq!(taken, Committed::Done { rows: 2, dropped: 1 });
    let reason = dead_letters.taken.lock().expect("unpoisoned")[0].reason.clone();
    assert!(reason.contains("more than the server takes"), "{reason}");
    assert_eq!(messages(&store).await, ["little", "small"]);
}

async fn refusal(config: &ElasticConfig) -> String {
    let failed = open(config).commit(&[line(0, "x")], &step(0, 1)).await.expect_err("refused");
    assert!(matches!(failed, StoreError::Unavailable { .. }), "{failed:?}");
    failed.chain()
}

#[tokio::test]
async fn whoever_may_not_is_told_what_to_check_and_no_secret() {
    let server = shared().await;
    let mut config = config(&server, server.address());
    config.password = Some(Secret::new("not-it-at-all"));
    let told = refusal(&config).await;
    assert!(told.contains("check `user`") && !told.contains("not-it-at-all"), "{told}");
    (config.user, config.password) = (Some(STRANGER.to_owned()), Some(Secret::new(PASSWORD)));
    let told = refusal(&config).await;
    assert!(told.contains("privileges") && !told.contains(PASSWORD), "{told}");
    (config.user, config.password) = (None, None);
    config.api_key = Some(Secret::new("bm90OnRoZS1rZXk="));
    let told = refusal(&config).await;
    assert!(told.contains("check `user`") && !told.contains("bm90"), "{told}");
    config.ca_file = None;
    let told = refusal(&config).await;
    assert!(told.to_lowercase().contains("certificate"), "{told}");
}

#[tokio::test]
async fn a_server_that_is_too_old_or_another_one_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = |body: &str| Site {
        port: ports::free_tcp(),
        access_log: folder.path().join("access.log"),
        body: format!("location / {{ default_type application/json; {body} }}"),
    };
    let sites = [
        site(r#"return 200 '{"version":{"number":"6.8.23"}}';"#),
        site(r#"return 200 '{"version":{"number":"1.2.4","distribution":"opensearch"}}';"#),
        site("return 200 '<html>';"),
        site("return 404 '<html>';"),
        site("return 302 /elsewhere;"),
    ];
    let nginx = Nginx::start(folder.path(), &sites).await.expect("nginx starts");
    let wanted = [
        "Elasticsearch 7.17",
        "OpenSearch 1.3",
        "is this an Elasticsearch",
        "is this an Elasticsearch",
        "302",
    ];
    for (site, wanted) in sites.iter().zip(wanted) {
        let urls = vec![format!("http://127.0.0.1:{}", site.port)];
        let told = refusal(&ElasticConfig { urls, ..ElasticConfig::default() }).await;
        assert!(told.contains(wanted), "{told}");
    }
    nginx.stop().await.expect("nginx ends");
    let nobody = vec![format!("http://127.0.0.1:{}", ports::free_tcp())];
    let told = refusal(&ElasticConfig { urls: nobody, ..ElasticConfig::default() }).await;
    assert!(told.contains("no answer"), "{told}");
}

#[tokio::test]
async fn another_node_is_asked_when_one_does_not_answer() {
    let server = shared().await;
    let mut config = config(&server, server.address());
    config.urls.insert(0, Elasticsearch::url(ports::loopback(ports::free_tcp())));
    let store = open(&config);
    put(&store, 0, &[line(0, "there")]).await;
    assert_eq!(messages(&store).await, ["there"]);
}

#[tokio::test]
async fn what_it_did_not_make_is_left_alone() {
    let server = shared().await;
    let foreign = config(&server, server.address());
    server.ask(Method::PUT, &format!("/{}-logs", foreign.prefix), None).await.expect("made");
    let told = refusal(&foreign).await;
    assert!(told.contains("was not made by Goldentime"), "{told}");
    let newer = config(&server, server.address());
    let body = json!({"mappings": {"_meta": {"goldentime_layout": 9}}});
    server.ask(Method::PUT, &format!("/{}-positions", newer.prefix), Some(body)).await.expect("made");
    let refused = open(&newer).position(0).await.expect_err("newer");
    assert!(matches!(refused, StoreError::Newer { found: 9, .. }), "{refused}");
}

#[tokio::test]
async fn a_position_that_cannot_be_understood_is_told() {
    let server = shared().await;
    let config = config(&server, server.address());
    put(&open(&config), 0, &[line(0, "x")]).await;
    for (body, is_newer) in [
        (json!({"layout": 2}), true),
        (
            json!({"layout": 1, "generation": 1, "offset": 1, "log_time_ns": 0, "lines": 0, "streams": "?"}),
            false,
        ),
        (json!({"layout": 1}), false),
        (json!({}), false),
    ] {
        let path = format!("/{}-positions/_doc/0", config.prefix);
        server.ask(Method::PUT, &path, Some(body)).await.expect("written");
        let refused = open(&config).commit(&[], &step(1, 2)).await.expect_err("unreadable");
        match refused {
            StoreError::Newer { .. } => assert!(is_newer),
            StoreError::Corrupt { .. } => assert!(!is_newer),
            other => panic!("{other}"),
        }
    }
}

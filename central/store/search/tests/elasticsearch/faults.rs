//! Servers and links that fail on the way, and come back.

use std::future::Future;
use std::time::Duration;

use goldentime_follower::{Advance, Committed, StoreError};
use goldentime_model::units::HumanDuration;
use goldentime_search::conformance::{line, step};
use goldentime_search::{LogStore, NewLine};
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::servers::elasticsearch::Elasticsearch;
use reqwest::Method;
use serde_json::json;

use crate::server::{config, messages, open, put, put_somehow, shared};

/// How long anything here may take: a guard against hanging, no bound that is tested.
const HANG_MAX: Duration = Duration::from_secs(120);

fn lines(round: u64, count: u64) -> Vec<NewLine> {
    (0..count)
        .map(|n| line(i64::try_from(n % 7).expect("small"), &format!("round {round} line {n}")))
        .collect()
}

/// Until so many lines of a prefix are on the server.
async fn stored(server: &Elasticsearch, prefix: &str, count: u64) {
    let path = format!("/{prefix}-logs/_count?ignore_unavailable=true");
    let asked = async || {
        server
            .ask(Method::POST, &format!("/{prefix}-logs/_refresh?ignore_unavailable=true"), None)
            .await
            .ok()?;
        let found = server.ask(Method::GET, &path, None).await.ok()?;
        (found["count"].as_u64()? >= count).then_some(())
    };
    goldentime_testkit::wait::until("lines on the server", HANG_MAX, asked).await.expect("they come");
}

/// Drives `work` while `meanwhile` runs; gives the result when it had one before.
async fn beside<T>(
    work: &mut (impl Future<Output = T> + Unpin),
    meanwhile: impl Future<Output = ()>,
) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = meanwhile => None,
    }
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_step_holds_each_line_once_afterwards() {
    let mut server = Elasticsearch::start().await.expect("Elasticsearch starts");
    let mut config = config(&server, server.address());
    config.bulk_lines_max = 100;
    let mut expected = 0;
    for round in 0..2 {
        let lines = lines(round, 3000);
        let store = open(&config);
        let advance = step(round, round + 1);
        {
            let mut commit = store.commit(&lines, &advance);
            let early = beside(&mut commit, stored(&server, &config.prefix, expected + 400)).await;
            assert!(early.is_none(), "the kill comes in the middle");
            server.kill9();
            let failed = commit.await.expect_err("no server");
            assert!(matches!(failed, StoreError::Unavailable { .. }), "{failed}");
        }
        server.restart().await.expect("Elasticsearch starts again");
        // Another central, or the same one after a while.
        let store = if round == 1 { open(&config) } else { store };
        put_somehow(&store, round + 1, &lines).await;
        expected += 3000;
        let mut found = messages(&store).await;
        assert_eq!(found.len() as u64, expected);
        found.sort();
        found.dedup();
        assert_eq!(found.len() as u64, expected, "each line once");
    }
}

#[tokio::test]
async fn a_cut_and_a_half_open_link_fail_a_step_and_the_next_try_is_exact() {
    let server = shared().await;
    let proxy = Proxy::tcp(server.address(), 1).await.expect("a proxy");
    let mut config = config(&server, proxy.address());
    config.request_timeout = HumanDuration::from_secs(15);
    config.bulk_lines_max = 50;
    let store = open(&config);
    put(&store, 0, &lines(0, 100)).await;
    for (round, fault) in [(1, Fault::Cut), (2, Fault::HalfOpen)] {
        let lines = lines(round, 2000);
        {
            let advance = step(round, round + 1);
            let mut commit = store.commit(&lines, &advance);
            // The server is watched past the proxy.
            let begun = stored(&server, &config.prefix, (round - 1) * 2000 + 200);
            assert!(beside(&mut commit, begun).await.is_none(), "the link breaks in the middle");
            proxy.link().set(fault);
            let failed = tokio::time::timeout(HANG_MAX, commit).await.expect("it ends").expect_err("no link");
            assert!(failed.chain().contains("no answer"), "{}", failed.chain());
        }
        proxy.link().set(Fault::None);
        put_somehow(&store, round + 1, &lines).await;
        let mut found = messages(&store).await;
        found.sort();
        found.dedup();
        assert_eq!(found.len() as u64, 100 + round * 2000);
        assert_eq!(store.stats().await.expect("known").lines, 100 + round * 2000, "none is there twice");
    }
}

/// Sets the block that a server sets by itself when its disk is nearly full, or lifts it.
async fn block(server: &Elasticsearch, prefix: &str, is_blocked: bool) {
    let value = if is_blocked { json!(true) } else { json!(null) };
    let body = json!({"index.blocks.read_only_allow_delete": value});
    server.ask(Method::PUT, &format!("/{prefix}-logs/_settings"), Some(body)).await.expect("set");
}

#[tokio::test]
async fn a_server_whose_disk_is_full_is_waited_for_and_searched_meanwhile() {
    let server = shared().await;
    let mut config = config(&server, server.address());
    let patient = open(&config);
    put(&patient, 0, &lines(0, 10)).await;
    block(&server, &config.prefix, true).await;
    config.busy_timeout = HumanDuration::from_secs(0);
    let impatient = open(&config);
    let failed = impatient.commit(&lines(1, 10), &step(1, 2)).await.expect_err("read-only");
    assert!(matches!(failed, StoreError::Full { .. }), "{failed}");
    assert_eq!(messages(&impatient).await.len(), 10, "searches go on");
    let (more, advance) = (lines(2, 10), step(1, 2));
    let mut commit = patient.commit(&more, &advance);
    assert!(tokio::time::timeout(Duration::from_secs(1), &mut commit).await.is_err(), "it waits");
    block(&server, &config.prefix, false).await;
    let done = tokio::time::timeout(HANG_MAX, commit).await.expect("it goes on").expect("stored");
    assert_eq!(done, Committed::Done { rows: 10, dropped: 0 });
    assert_eq!(messages(&patient).await.len(), 20);
}

#[tokio::test]
async fn of_two_that_write_a_partition_one_is_stale() {
    let server = shared().await;
    let config = config(&server, server.address());
    let (old, new) = (open(&config), open(&config));
    put(&old, 0, &lines(0, 5)).await;
    put(&new, 1, &lines(1, 5)).await;
    // The old one believes that it stands where it stood.
    let stale = old.commit(&lines(9, 5), &step(1, 2)).await.expect("an answer");
    assert_eq!(stale, Committed::Stale);
    assert_eq!(old.position(0).await.expect("read").expect("there").mark.offset, 2);
    put(&old, 2, &lines(2, 5)).await;
    assert_eq!(messages(&new).await.len(), 15);
}

#[tokio::test]
async fn what_is_deleted_behind_its_back_is_made_again() {
    let server = shared().await;
    let config = config(&server, server.address());
    let store = open(&config);
    let first = lines(0, 50);
    put(&store, 0, &first).await;
    let index = format!("/{}-logs-2023.11.14", config.prefix);
    server.ask(Method::DELETE, &index, None).await.expect("deleted");
    assert_eq!(messages(&store).await, [""; 0]);
    put(&store, 1, &lines(1, 50)).await;
    assert_eq!(messages(&store).await.len(), 50);
    // Without positions everything that the log still has is stored again, under its identity.
    server.ask(Method::DELETE, &format!("/{}-positions", config.prefix), None).await.expect("deleted");
    let stale = store.commit(&lines(2, 1), &step(2, 3)).await.expect("an answer");
    assert_eq!(stale, Committed::Stale);
    assert_eq!(store.position(0).await.expect("read"), None);
    put(&store, 0, &first).await;
    assert_eq!(messages(&store).await.len(), 100);
    put(&store, 1, &first).await;
    assert_eq!(messages(&store).await.len(), 100);
}

#[tokio::test]
async fn a_server_that_lost_everything_is_filled_again() {
    let server = shared().await;
    let config = config(&server, server.address());
    let store = open(&config);
    let first = lines(0, 50);
    put(&store, 0, &first).await;
    for path in ["logs-2023.11.14", "positions"].map(|name| format!("/{}-{name}", config.prefix)) {
        server.ask(Method::DELETE, &path, None).await.expect("deleted");
    }
    let template = format!("/_index_template/{}-logs", config.prefix);
    server.ask(Method::DELETE, &template, None).await.expect("deleted");
    let stale = store.commit(&lines(1, 50), &step(1, 2)).await.expect("an answer");
    assert_eq!(stale, Committed::Stale);
    put(&store, 0, &first).await;
    assert_eq!(messages(&store).await.len(), 50);
}

#[tokio::test]
async fn a_server_that_is_too_busy_is_waited_for() {
    let server = shared().await;
    let mut config = config(&server, server.address());
    (config.bulks_max, config.bulk_lines_max) = (8, 100_000);
    let store = open(&config);
    let filler = "word ".repeat(600);
    let lines: Vec<_> =
        (0..6).map(|_| (0..900).map(|n| line(0, &format!("{n} {filler}"))).collect()).collect();
    let refused = async || {
        let path = "/_nodes/stats/indexing_pressure";
        let stats = server.ask(Method::GET, path, None).await.expect("stats");
        let node = stats["nodes"].as_object().expect("nodes").values().next().expect("a node").clone();
        node["indexing_pressure"]["memory"]["total"]["coordinating_rejections"].as_u64().expect("a count")
    };
    let before = refused().await;
    let commits = lines.iter().zip(0..).map(|(lines, partition): (&Vec<NewLine>, u32)| {
        let (store, advance) = (&store, Advance { partition, ..step(0, 1) });
        async move { store.commit(lines, &advance).await }
    });
    for done in futures_util::future::join_all(commits).await {
        assert_eq!(done.expect("stored"), Committed::Done { rows: 900, dropped: 0 });
    }
    assert!(refused().await > before, "the server said no at first");
    assert_eq!(store.stats().await.expect("known").lines, 6 * 900);
}

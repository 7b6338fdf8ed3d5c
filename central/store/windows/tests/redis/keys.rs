//! What stands in Redis: names, times to live, and what others may read.

use std::collections::BTreeMap;

use goldentime_model::{Second, UnixNanos};
use goldentime_windows::redis::{ServiceSummary, SloStatus};
use goldentime_windows::{CellKey, StoredCell, Tier, WindowStore};

use crate::stage::{NOW, Stage, cell, service};

const API: &str = "{shop/prod/api}";

fn fields(stage: &Stage, key: &str) -> BTreeMap<String, String> {
    let printed = stage.server.cli(["HGETALL", key]).expect("redis-cli");
    let lines: Vec<&str> = printed.lines().collect();
    lines.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect()
}

#[tokio::test]
async fn every_key_but_the_sentinel_goes_by_itself() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    let ten = CellKey { service: service("api"), tier: Tier::TenSeconds, start: Second(NOW) };
    store.put(vec![cell("api", NOW, 1), StoredCell { key: ten, ..cell("api", NOW, 1) }]).await.expect("put");
    store.publish_summaries(&[(service("api"), ServiceSummary::default())]).await.expect("published");
    store.publish_statuses(&[(service("api"), Vec::new())], UnixNanos(0)).await.expect("published");
    let keys = stage.cli("KEYS *");
    let mut ttls: BTreeMap<&str, i64> =
        keys.lines().map(|key| (key, stage.cli(&format!("TTL {key}")).parse().expect("a number"))).collect();
    for (key, longest) in [
        (format!("metrics:{API}:1s:{NOW}"), 360),
        (format!("metrics:{API}:10s:{NOW}"), 1200),
        ("windows:services".to_owned(), 3600),
        ("windows:watermarks".to_owned(), 3600),
        (format!("metrics:{API}:latency:1m"), 300),
        (format!("metrics:{API}:error:1m"), 300),
        (format!("metrics:{API}:traffic:1m"), 300),
        (format!("slo:{API}:status"), 300),
    ] {
        let ttl = ttls.remove(&*key).expect(&key);
        assert!(ttl > longest / 2 && ttl <= longest, "{key}: {ttl}");
    }
    assert_eq!(ttls, BTreeMap::from([("windows:sentinel", -1)]));
}

#[tokio::test]
async fn a_field_names_partition_process_and_epoch_and_a_later_epoch_is_higher() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    let partition = |number, offset| vec![StoredCell { partition: number, ..cell("api", NOW, offset) }];
    store.put(partition(3, 1)).await.expect("put");
    store.assign(3).await.expect("assigned");
    store.put(partition(3, 2)).await.expect("put");
    let other = stage.store().await;
    other.put(partition(12, 1)).await.expect("put");
    let names: Vec<String> =
        stage.cli(&format!("HKEYS metrics:{API}:1s:{NOW}")).lines().map(str::to_owned).collect();
    let parts: Vec<Vec<&str>> = names.iter().map(|name| name.split(':').collect()).collect();
    assert!(parts.iter().all(|parts| parts.len() == 3), "{names:?}");
    assert_eq!(parts.iter().map(|parts| parts[0]).collect::<Vec<_>>(), ["3", "3", "12"]);
    assert_eq!(parts[0][1], parts[1][1]);
    assert_ne!(parts[0][1], parts[2][1]);
    let epochs: Vec<u64> = parts.iter().map(|parts| parts[2].parse().expect("a number")).collect();
    assert!(epochs[0] < epochs[1] && epochs[1] <= store.writer_epochs(), "{names:?}");
}

#[tokio::test]
async fn a_summary_says_the_last_minute_in_plain_numbers() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    let summary = ServiceSummary {
        quantiles: Some([0.012_5, 0.2, 1.5]),
        timed: 90,
        requests: 100,
        errors: 5,
        per_second: 100.0 / 60.0,
        updated_at: UnixNanos::from_millis(1_700_000_000_123),
    };
    store.publish_summaries(&[(service("api"), summary)]).await.expect("published");
    let at = "2023-11-14T22:13:20.123Z";
    let expect = |name: &str, expected: &[(&str, &str)]| {
        let found = fields(&stage, &format!("metrics:{API}:{name}:1m"));
        let updated = [("updated_at", at)];
        let expected = expected.iter().chain(&updated);
        assert_eq!(found, expected.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect());
    };
    expect("latency", &[("p50", "12.5"), ("p95", "200"), ("p99", "1500"), ("count", "90"), ("unit", "ms")]);
    expect("error", &[("ratio", "0.05"), ("count", "5"), ("requests", "100")]);
    expect("traffic", &[("per_second", "1.666667"), ("count", "100")]);

    let silent = ServiceSummary { updated_at: summary.updated_at, ..ServiceSummary::default() };
    store.publish_summaries(&[(service("api"), silent)]).await.expect("published");
    expect("latency", &[("count", "0"), ("unit", "ms")]);
    expect("error", &[("count", "0"), ("requests", "0")]);
    expect("traffic", &[("per_second", "0"), ("count", "0")]);
}

#[tokio::test]
async fn a_status_names_each_slo_and_forgets_those_that_are_gone() {
    let stage = Stage::start().await;
    let store = stage.store().await;
    let status = |name: &str| SloStatus {
        slo: name.to_owned(),
        status: "burning".to_owned(),
        sli: Some(0.9987),
        budget_left: None,
        since: UnixNanos(0),
    };
    let statuses = vec![status("latency"), status("errors, all")];
    store.publish_statuses(&[(service("api"), statuses)], UnixNanos(0)).await.expect("published");
    store
        .publish_statuses(&[(service("api"), vec![status("errors, all")])], UnixNanos(0))
        .await
        .expect("published");
    let found = fields(&stage, &format!("slo:{API}:status"));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["errors, all", "updated_at"]);
    let json: serde_json::Value = serde_json::from_str(&found["errors, all"]).expect("JSON");
    let expected = serde_json::json!({
        "status": "burning", "sli": 0.9987, "budget_left": null, "since": "1970-01-01T00:00:00.000Z"
    });
    assert_eq!(json, expected);
}

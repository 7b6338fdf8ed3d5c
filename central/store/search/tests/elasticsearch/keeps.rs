//! How long lines are kept.

use goldentime_follower::{Advance, Committed};
use goldentime_model::UnixNanos;
use goldentime_search::LogStore;
use goldentime_search::conformance::{NOW, line, step};

use crate::server::{config, messages, open, put, shared};

const DAY_S: i64 = 86_400;
const DAY_NS: i64 = DAY_S * 1_000_000_000;

#[tokio::test]
async fn lines_are_kept_for_thirty_days_and_no_longer() {
    let server = shared().await;
    let config = config(&server, server.address());
    let store = open(&config);
    // A backlog of forty days: what is past its time is not stored at all.
    let backlog: Vec<_> = (0..40).map(|day| line(-day * DAY_S, &format!("day {day}"))).collect();
    let taken = store.commit(&backlog, &step(0, 1)).await.expect("stored");
    assert_eq!(taken, Committed::Done { rows: 31, dropped: 9 });
    assert_eq!(messages(&store).await, (0..=30).map(|day| format!("day {day}")).collect::<Vec<_>>());
    // Ten days later.
    let now = UnixNanos(NOW + 10 * DAY_NS);
    let late = Advance { log_time: now, ..step(1, 2) };
    store.commit(&[line(10 * DAY_S, "today")], &late).await.expect("stored");
    let retention = i64::try_from(config.retention.get().as_nanos()).expect("thirty days");
    let dropped = store.retain(now.saturating_add(-retention), u64::MAX).await.expect("dropped");
    assert_eq!((dropped.lines, dropped.lines_for_room), (10, 0));
    assert!(dropped.bytes > 0);
    let left = messages(&store).await;
    assert_eq!((left.len(), left.first(), left.last()), (22, Some(&"today".into()), Some(&"day 20".into())));
    assert_eq!(store.position(0).await.expect("read").expect("there").mark.offset, 2);
}

#[tokio::test]
async fn the_quota_drops_the_oldest_days_and_never_the_newest() {
    let server = shared().await;
    let store = open(&config(&server, server.address()));
    let lines: Vec<_> = (0..6).map(|day| line(-day * DAY_S, &format!("day {day}"))).collect();
    put(&store, 0, &lines).await;
    let bytes = store.stats().await.expect("known").disk_bytes;
    let dropped = store.retain(UnixNanos(0), bytes - 1).await.expect("dropped");
    assert_eq!((dropped.lines, dropped.lines_for_room), (1, 1));
    assert_eq!(messages(&store).await.last().map(String::as_str), Some("day 4"));
    store.retain(UnixNanos(0), 0).await.expect("dropped");
    assert_eq!(messages(&store).await, ["day 0"]);
}

#[tokio::test]
async fn what_it_holds_is_told() {
    let server = shared().await;
    let store = open(&config(&server, server.address()));
    assert_eq!(store.stats().await.expect("known").lines, 0);
    put(&store, 0, &[line(3, "four"), line(-7, "eight ..")]).await;
    let stats = store.stats().await.expect("known");
    assert_eq!((stats.lines, stats.text_bytes, stats.set_aside), (2, 12, 0));
    assert_eq!(stats.oldest, Some(UnixNanos(NOW - 7_000_000_000)));
    assert!(stats.disk_bytes > 0);
}

//! The SQLite backend: the suite, and what is its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use goldentime_follower::{Committed, StoreError};
use goldentime_model::{Counts, Second};
use goldentime_series::conformance::{self, KEEP, Shared};
use goldentime_series::{ChartQuery, Keep, Requests, Rows, Span, SqliteSeries, SqliteSettings};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

const START: i64 = 1_700_000_400;

fn store(path: &Path, keep: Keep) -> Shared {
    let settings = SqliteSettings { path: path.to_owned(), keep, busy_timeout: Duration::from_millis(50) };
    Arc::new(SqliteSeries::new(settings))
}

fn rows(at: i64, routes: usize) -> Rows {
    let mut rows = Rows::default();
    let counts = Counts { ok: 1, ..Counts::default() };
    for n in 0..routes {
        let route = format!("/a/rather/long/route/of/number/{n}");
        conformance::add(&mut rows, at, "web-1", &route, counts, 20.0);
    }
    rows
}

async fn total(store: &Shared, from: i64, until: i64, step_s: i64) -> u64 {
    let span = Span { from: Second(from), until: Second(until), step_s };
    let query = ChartQuery { service: conformance::service(), of: Requests::All, span };
    let chart = store.chart(query).await.expect("charts");
    chart.points.iter().map(|point| point.value.counts.total()).sum()
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.expect("connects")
}

#[tokio::test]
async fn the_backend_passes_the_suite() {
    let dir = tempfile::tempdir().expect("a folder");
    let files = AtomicU32::new(0);
    conformance::run(|| {
        let path = dir.path().join(format!("{}.db", files.fetch_add(1, Ordering::Relaxed)));
        async move { store(&path, KEEP) }
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("series.db");
    let first = store(&path, KEEP);
    first.commit(&rows(START, 3), &conformance::step(0, 3, START)).await.expect("commits");
    drop(first);
    let again = store(&path, KEEP);
    let stale = again.commit(&rows(START, 3), &conformance::step(0, 3, START)).await.expect("answers");
    assert_eq!(stale, Committed::Stale);
    again.commit(&rows(START + 1, 3), &conformance::step(3, 6, START + 1)).await.expect("commits");
    assert_eq!(total(&again, START, START + 10, 10).await, 6);
}

/// While another process holds the file, a step fails without a trace, and the charts are answered.
#[tokio::test]
async fn a_locked_file_refuses_steps_and_answers_charts() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("series.db");
    let store = store(&path, KEEP);
    store.commit(&rows(START, 3), &conformance::step(0, 3, START)).await.expect("commits");
    let mut other = connect(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locks");
    for _ in 0..2 {
        let refused = store.commit(&rows(START + 1, 4), &conformance::step(3, 6, START + 1)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }
    assert_eq!(total(&store, START, START + 10, 10).await, 3);
    sqlx::query("COMMIT").execute(&mut other).await.expect("unlocks");
    store.commit(&rows(START + 1, 4), &conformance::step(3, 6, START + 1)).await.expect("commits");
    assert_eq!(total(&store, START, START + 10, 10).await, 7);
}

#[tokio::test]
async fn a_file_over_its_quota_loses_its_finest_rows_first_and_grows_no_more() {
    let dir = tempfile::tempdir().expect("a folder");
    let quota = 4 << 20;
    let keep = Keep { bytes_max: quota, series_max: 1000, ..KEEP };
    let store = store(&dir.path().join("series.db"), keep);
    let end = START + 5 * 3_600;
    let (mut offset, mut sent) = (0, 0);
    for at in (START..end).step_by(60) {
        let mut step = rows(at, 60);
        for more in (10..60).step_by(10) {
            for (service, cells) in rows(at + more, 60).requests {
                step.requests.entry(service).or_default().extend(cells);
            }
        }
        store.commit(&step, &conformance::step(offset, offset + 1, at + 60)).await.expect("commits");
        (offset, sent) = (offset + 1, sent + 360);
        if offset % 30 == 0 {
            conformance::tend(&store, at + 60).await;
        }
    }
    conformance::tend(&store, end).await;
    let usage = store.usage().await.expect("a usage");
    assert!(usage.bytes <= quota, "{usage:?}");
    let [fine, minutes, hours] = usage.oldest.map(|oldest| oldest.expect("some are left").0);
    assert!(fine > minutes && minutes == START.div_euclid(3_600) * 3_600 && hours <= minutes, "{usage:?}");
    assert_eq!(total(&store, START, end, 3_600).await, sent, "hours hold what was deleted of the others");
}

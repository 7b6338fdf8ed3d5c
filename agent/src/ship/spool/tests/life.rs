//! Opening, closing, damage, backlog and forks.

use super::*;
use crate::ship::spool::{Found, SpoolError, UNUSED_KEPT, look};

#[tokio::test]
async fn a_damaged_spool_is_moved_aside_and_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(folder.path()).await;
    let records = (0..200).map(|_| record(RecordKind::Deltas, 0, &[1; 3000])).collect();
    opened.spool.commit(&flush(records, 1)).await.expect("commits");
    opened.spool.close(NOW).await.expect("closes");
    let path = opened.spool.path().to_path_buf();
    drop(opened);
    std::fs::write(&path, b"this was a database until the disk said otherwise").expect("written");

    let ledger = Ledger::default();
    let opened = Spool::open(folder.path(), limits(), ledger.clone(), NOW).await.expect("opens");
    let aside = opened.moved_aside.expect("moved aside");
    assert!(aside.exists());
    assert_eq!(ledger.by_reason(), BTreeMap::from([("spool_damaged", 1)]));
    opened.spool.commit(&flush(vec![record(RecordKind::Deltas, 0, b"x")], 1)).await.expect("works");
}

#[tokio::test]
async fn a_spool_of_a_newer_agent_is_refused() {
    use sqlx::{ConnectOptions, Connection};
    let folder = tempfile::tempdir().expect("folder");
    let path = open(folder.path()).await.spool.path().to_path_buf();
    let mut connection =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.expect("connects");
    sqlx::query("PRAGMA user_version = 99").execute(&mut connection).await.expect("set");
    connection.close().await.expect("closes");
    let error = Spool::open(folder.path(), limits(), Ledger::default(), NOW).await.err();
    assert!(matches!(error, Some(SpoolError::Newer { found: 99, .. })));
    assert!(matches!(look(folder.path()), Err(SpoolError::Newer { found: 99, .. })));
    assert!(path.exists());
}

#[tokio::test]
async fn only_a_machine_that_went_down_in_between_is_an_unclean_boot() {
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(folder.path()).await;
    opened.spool.commit(&flush(vec![], 1)).await.expect("commits");
    drop(opened);
    let opened = open(folder.path()).await;
    assert!(!opened.after_unclean_boot, "the process was killed, the machine runs on");
    opened.spool.0.writer.lock().await.boot_id = "another boot".into();
    opened.spool.commit(&flush(vec![], 2)).await.expect("commits");
    drop(opened);
    let opened = open(folder.path()).await;
    assert!(opened.after_unclean_boot);
    opened.spool.commit(&flush(vec![], 3)).await.expect("commits");
    opened.spool.close(NOW).await.expect("closes");
    drop(opened);
    assert!(!open(folder.path()).await.after_unclean_boot);
}

#[tokio::test]
async fn a_forgotten_position_is_gone_after_a_restart() {
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(folder.path()).await;
    opened.spool.commit(&flush(vec![], 5)).await.expect("commits");
    let forget = Flush { positions: vec![(key("access.log"), PositionUpdate::Forget)], ..flush(vec![], 5) };
    opened.spool.commit(&forget).await.expect("commits");
    drop(opened);
    assert_eq!(position(&open(folder.path()).await), None);
}

#[tokio::test]
async fn positions_of_an_input_that_is_taken_out_are_kept_for_a_month_of_starts() {
    let folder = tempfile::tempdir().expect("folder");
    let opened = open(folder.path()).await;
    opened.spool.commit(&flush(vec![], 5)).await.expect("commits");
    drop(opened);
    let kept_ns = i64::try_from(UNUSED_KEPT.as_nanos()).expect("fits");
    let day_ns = 86_400_000_000_000;
    let start = async |inputs: &[&str], now: UnixNanos| {
        let opened = open(folder.path()).await;
        let configured = inputs.iter().map(|name| (*name).to_owned()).collect();
        let forgotten = opened.spool.forget_unused_positions(&configured, now).await.expect("asked");
        drop(opened);
        (forgotten, position(&open(folder.path()).await))
    };
    let none = Vec::<String>::new;
    assert_eq!(start(&["host"], NOW).await, (none(), Some(5)));
    // Named again, the month begins anew when it is taken out again.
    let later = NOW.saturating_add(kept_ns + day_ns);
    assert_eq!(start(&["host", "nginx"], later).await, (none(), Some(5)));
    assert_eq!(start(&["host"], later).await, (none(), Some(5)));
    assert_eq!(start(&["host"], later.saturating_add(kept_ns - day_ns)).await, (none(), Some(5)));
    assert_eq!(
        start(&["host"], later.saturating_add(kept_ns + day_ns)).await,
        (vec!["nginx".to_owned()], None)
    );
}

#[tokio::test]
async fn a_look_at_the_spool_tells_what_a_start_would_find() {
    let folder = tempfile::tempdir().expect("folder");
    assert_eq!(look(folder.path()).expect("looked"), Found::Nothing);
    let opened = open(folder.path()).await;
    opened.spool.commit(&flush(vec![], 5)).await.expect("commits");
    opened.spool.close(NOW).await.expect("closes");
    drop(opened);
    assert_eq!(look(folder.path()).expect("looked"), Found::Usable);
    std::fs::write(folder.path().join("spool.db"), b"this was a database").expect("written");
    assert_eq!(look(folder.path()).expect("looked"), Found::Damaged);
}

#[tokio::test]
async fn requests_are_counted_over_restarts_and_an_older_copy_has_fewer() {
    let folder = tempfile::tempdir().expect("folder");
    let copy = tempfile::tempdir().expect("folder");
    let requests = |events| NewRecord { events, ..record(RecordKind::Deltas, 0, b"d") };
    let spool = open(folder.path()).await.spool;
    let others = [record(RecordKind::Logs, 0, b"l"), record(RecordKind::Samples, 0, b"s")];
    spool.commit(&flush([&[requests(3)], &others[..]].concat(), 1)).await.expect("commits");
    spool.commit(&flush(vec![requests(4)], 2)).await.expect("commits");
    assert_eq!(spool.requests(), 7);
    // As a snapshot finds it, with the agent running.
    for file in std::fs::read_dir(folder.path()).expect("listed").map(|file| file.expect("entry").path()) {
        std::fs::copy(&file, copy.path().join(file.file_name().expect("named"))).expect("copied");
    }
    spool.commit(&flush(vec![requests(5)], 3)).await.expect("commits");
    spool.close(NOW).await.expect("closes");
    drop(spool);
    assert_eq!(open(folder.path()).await.spool.requests(), 12);
    let restored = open(copy.path()).await;
    assert_eq!((restored.spool.requests(), position(&restored)), (7, Some(2)));
}

#[tokio::test]
async fn after_a_rotation_new_records_are_apart_from_the_backlog() {
    let folder = tempfile::tempdir().expect("folder");
    let spool = open(folder.path()).await.spool;
    let old = spool.commit(&flush(vec![record(RecordKind::Deltas, 0, b"old")], 1)).await.expect("commits");
    spool.rotate().await.expect("rotates");
    let new = spool.commit(&flush(vec![record(RecordKind::Deltas, 0, b"new")], 2)).await.expect("commits");
    assert_eq!((new[0].number, old[0].number), (1, 1));
    let backlog = spool.read_backlog(0, usize::MAX).await.expect("read");
    assert_eq!(backlog.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>(), old);
    let streams = spool.streams().await.expect("listed");
    let current: Vec<_> = streams.iter().filter(|stream| stream.is_current).map(|s| s.stream).collect();
    assert!(current.contains(&new[0].stream) && !current.contains(&old[0].stream));
    assert!(streams[0].is_current, "the current streams come first");
}

#[tokio::test]
async fn what_waits_of_a_forked_stream_is_numbered_from_one_in_a_stream_of_its_own() {
    let folder = tempfile::tempdir().expect("folder");
    let spool = open(folder.path()).await.spool;
    let mut stream = None;
    for position in 1..=5 {
        let sent = spool
            .commit(&flush(vec![record(RecordKind::Deltas, 2, &[position as u8])], position))
            .await
            .expect("commits");
        stream = Some(sent[0].stream);
    }
    let stream = stream.expect("sent");
    spool.acknowledge(stream, 2, 2);
    spool.upkeep(NOW).await.expect("kept up");
    spool.fork().await.expect("forks");

    let backlog = spool.read_backlog(0, usize::MAX).await.expect("read");
    assert!(backlog.iter().all(|(_, record)| record.stream != stream));
    let left: Vec<_> = backlog.iter().map(|(_, record)| (record.number, record.body[0])).collect();
    assert_eq!(left, [(1, 3), (2, 4), (3, 5)]);
    let new = spool.commit(&flush(vec![record(RecordKind::Deltas, 2, b"n")], 6)).await.expect("commits");
    assert_eq!(new[0].number, 1);
}

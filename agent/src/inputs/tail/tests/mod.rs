//! Real files, real writers, the real reader thread.

mod away;
mod copies;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use goldentime_model::UnixNanos;
use goldentime_runtime::{Drained, ManualClock, SharedClock, SystemClock, Tasks};

use super::config::StartAt;
use super::{Config, Tail, TailHandle};
use crate::aggregate::{
    Aggregator, Batch, Config as Limits, PositionKey, PositionUpdate, Positions, ShardHandle,
};
use crate::inputs::parse::config::Format;
use crate::inputs::route::{Config as Routes, Source};

const LIMIT: Duration = Duration::from_secs(20);

/// A running input, and what a spool would have kept of it.
struct Running {
    tasks: Tasks,
    shard: ShardHandle,
    handle: TailHandle,
    kept: Kept,
}

#[derive(Default)]
struct Kept {
    requests: u64,
    seconds: BTreeSet<i64>,
    logs: Vec<String>,
    drops: BTreeMap<&'static str, u64>,
    positions: std::collections::HashMap<PositionKey, Vec<u8>>,
    updates: Vec<(PositionKey, PositionUpdate)>,
}

impl Kept {
    fn add(&mut self, batch: Batch) {
        for service in batch.services {
            for bucket in service.series.iter().flat_map(|series| &series.buckets) {
                self.requests += bucket.counts.total();
                self.seconds.insert(bucket.second.0);
            }
            self.logs.extend(service.logs.into_iter().map(|record| record.message));
        }
        for (reason, events) in batch.drops {
            *self.drops.entry(reason).or_default() += events;
        }
        for (key, update) in batch.positions {
            self.updates.push((key.clone(), update.clone()));
            match update {
                PositionUpdate::Set(bytes) => self.positions.insert(key, bytes),
                PositionUpdate::Forget => self.positions.remove(&key),
            };
        }
    }
}

fn start(config: Config, kept: Kept) -> Running {
    start_with_quiet(config, kept, Duration::from_millis(300))
}

/// `quiet` is how long a renamed file is waited on.
fn start_with_quiet(config: Config, kept: Kept, quiet: Duration) -> Running {
    start_with(config, kept, quiet, Arc::new(SystemClock))
}

fn start_with(config: Config, kept: Kept, quiet: Duration, clock: SharedClock) -> Running {
    let aggregator = Aggregator::new(Limits::default(), clock.clone());
    let shard = aggregator.open_shard(&config.name());
    let source = Source { project: "p".into(), environment: "e".into(), service: Some("shop".into()) };
    let tail = Tail::new(config, &Routes::default(), source).expect("valid");
    let tail = tail.with_leaving_quiet(quiet);
    let positions: Positions = kept.positions.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let tasks = Tasks::new();
    let handle = tail.start(&tasks, clock, shard.clone(), &positions);
    Running { tasks, shard, handle, kept }
}

impl Running {
    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        loop {
            let batch = self.shard.drain();
            self.kept.add(batch);
            if done(self) {
                return;
            }
            assert!(
                began.elapsed() < LIMIT,
                "{what}: {} requests, {:?}",
                self.kept.requests,
                self.handle.status()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn until_requests(&mut self, wanted: u64) {
        self.until("requests", |running| running.kept.requests >= wanted).await;
    }

    async fn stop(mut self) -> Kept {
        assert_eq!(self.tasks.drain(LIMIT).await, Drained::Clean);
        let batch = self.shard.drain();
        self.kept.add(batch);
        self.kept
    }
}

fn config(pattern: &Path) -> Config {
    let format = Format::Nginx { log_format: "$msec $status $request_time \"$request\"".into() };
    let mut config = Config::new(vec![pattern.display().to_string()], format);
    config.name = Some("test".into());
    config.start_at = StartAt::Beginning;
    config
}

fn line(n: u64) -> String {
    format!("1795362004.{:03} 200 0.{:03} \"GET /orders/{n} HTTP/1.1\"\n", n % 1000, n % 997)
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
    file.write_all(text.as_bytes()).expect("writes");
}

/// Writes lines as fast as told until stopped; returns how many it wrote.
fn writer(path: PathBuf, stop: Arc<AtomicBool>, reopen: Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let open = || OpenOptions::new().create(true).append(true).open(&path).expect("opens");
        let (mut file, mut n) = (open(), 0);
        while !stop.load(Ordering::Relaxed) {
            if reopen.swap(false, Ordering::Relaxed) {
                file = open();
            }
            file.write_all(line(n).as_bytes()).expect("writes");
            n += 1;
            if n % 50 == 0 {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        n
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_by_rename_under_load_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("access.log");
    let (stop, reopen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let writing = writer(path.clone(), Arc::clone(&stop), Arc::clone(&reopen));
    let mut running = start(config(&folder.path().join("*.log")), Kept::default());
    for turn in 1..=3 {
        running.until_requests(turn * 500).await;
        fs::rename(&path, folder.path().join(format!("access.log.{turn}"))).expect("renames");
        // As logrotate does: the server writes to the old file until it is told.
        tokio::time::sleep(Duration::from_millis(30)).await;
        reopen.store(true, Ordering::Relaxed);
        running.until("seen", |running| running.handle.status().rotated >= turn).await;
    }
    stop.store(true, Ordering::Relaxed);
    let written = writing.join().expect("wrote");
    running.until_requests(written).await;
    running.until("old files leave", |running| running.handle.status().files == 1).await;
    let kept = running.stop().await;
    assert_eq!(kept.requests, written);
    assert_eq!(kept.positions.len(), 1, "old files are forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn copytruncate_is_exact_for_what_the_copy_or_the_file_holds() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("access.log");
    let mut running = start(config(&folder.path().join("access*")), Kept::default());
    let mut written = 0;
    for turn in 1..=4_u64 {
        let text: String = (0..100).map(|n| line(written + n)).collect();
        append(&path, &text);
        written += 100;
        if turn % 2 == 0 {
            running.until_requests(written).await;
        }
        fs::copy(&path, folder.path().join(format!("access.log.{turn}"))).expect("copies");
        OpenOptions::new().write(true).truncate(true).open(&path).expect("truncates");
        append(&path, &line(written));
        written += 1;
        running.until_requests(written).await;
    }
    running.until("truncations", |running| running.handle.status().truncated >= 1).await;
    let status = running.handle.status();
    assert_eq!(running.stop().await.requests, written);
    assert_eq!(status.truncated_without_copy, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncation_without_a_copy_is_counted() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("access.log");
    append(&path, &(0..10).map(line).collect::<String>());
    let mut running = start(config(&path), Kept::default());
    running.until_requests(10).await;
    OpenOptions::new().write(true).truncate(true).open(&path).expect("truncates");
    append(&path, &line(11));
    running.until_requests(11).await;
    running.until("told", |running| running.handle.status().truncated_without_copy == 1).await;
    assert_eq!(running.stop().await.requests, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was_whatever_happened_meanwhile() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("access.log");
    let pattern = folder.path().join("access.log");
    append(&path, &(0..100).map(line).collect::<String>());
    let mut running = start(config(&pattern), Kept::default());
    running.until_requests(100).await;
    let kept = running.stop().await;

    append(&path, &line(100));
    fs::rename(&path, folder.path().join("access.log.1")).expect("renames");
    append(&path, &line(101));
    let mut running = start(config(&pattern), kept);
    running.until_requests(102).await;
    running.until("leaves", |running| running.handle.status().files == 1).await;
    let kept = running.stop().await;
    assert_eq!(kept.requests, 102);

    append(&path, &line(102));
    fs::copy(&path, folder.path().join("access.log.0")).expect("copies");
    OpenOptions::new().write(true).truncate(true).open(&path).expect("truncates");
    append(&path, &(103..120).map(line).collect::<String>());
    let mut running = start(config(&folder.path().join("access.log*")), kept);
    running.until_requests(120).await;
    // The renamed file now matches the pattern and was forgotten: it counts as new.
    running.until_requests(221).await;
    assert_eq!(running.stop().await.requests, 221);
}

#[tokio::test(flavor = "multi_thread")]
async fn start_at_end_reads_only_what_comes_and_new_files_whole() {
    let folder = tempfile::tempdir().expect("folder");
    append(&folder.path().join("a.log"), &format!("{}half a line", line(0)));
    let mut config = config(&folder.path().join("*.log"));
    config.start_at = StartAt::End;
    let mut running = start(config, Kept::default());
    running.until("first look", |running| running.handle.status().files == 1).await;
    append(&folder.path().join("a.log"), &format!(" and its rest\n{}", line(1)));
    append(&folder.path().join("b.log"), &line(2));
    running.until_requests(2).await;
    assert!(running.handle.status().unparsed.is_empty());
    assert_eq!(running.stop().await.requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_time_cannot_be_read_counts_when_it_is_read() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    append(&path, &format!("{}noon 503 0.250 \"GET /orders/2 HTTP/1.1\"\n", line(1)));
    let mut config = config(&path);
    config.ship_logs = true;
    let clock = ManualClock::at(UnixNanos(1_800_000_000_000_000_000));
    let mut running = start_with(config, Kept::default(), Duration::from_secs(1), clock);
    running.until_requests(2).await;
    running.until("counted", |running| running.handle.status().lines == 2).await;
    let unread = running.handle.status().unparsed;
    assert_eq!(unread["unparsed_time"].lines, 1);
    assert!(unread["unparsed_time"].sample.starts_with("noon"), "{unread:?}");
    let kept = running.stop().await;
    assert_eq!((kept.seconds, kept.logs.len()), ([1_795_362_004, 1_800_000_000].into(), 2));
    assert_eq!(kept.drops["unparsed_time"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_line_waits_for_its_newline() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    let mut running = start(config(&path), Kept::default());
    let (one, two) = (line(1), line(2));
    append(&path, &format!("{one}{}", &two[..20]));
    running.until_requests(1).await;
    append(&path, &two[20..]);
    running.until_requests(2).await;
    let status = running.handle.status();
    assert_eq!(running.stop().await.requests, 2);
    assert!(status.unparsed.is_empty(), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_line_is_cut_and_good_lines_around_it_count() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    append(&path, &line(1));
    let mut file = OpenOptions::new().append(true).open(&path).expect("opens");
    for _ in 0..64 {
        file.write_all(&[b'x'; 64 << 10]).expect("writes");
    }
    append(&path, &format!("\n{}", line(2)));
    let mut running = start(config(&path), Kept::default());
    running.until_requests(2).await;
    running.until("cut", |running| running.handle.status().cut == 1).await;
    let status = running.handle.status();
    assert_eq!(status.unparsed["unparsed_format"].lines, 1);
    assert!(status.unparsed["unparsed_format"].sample.starts_with("xxx"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_deleted_under_the_reader_is_read_to_its_end() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    let mut file = File::create(&path).expect("creates");
    let mut running = start(config(&path), Kept::default());
    file.write_all(line(1).as_bytes()).expect("writes");
    running.until_requests(1).await;
    fs::remove_file(&path).expect("removes");
    file.write_all(format!("{}{}", line(2), line(3).trim_end()).as_bytes()).expect("writes");
    running.until_requests(3).await;
    running.until("leaves", |running| running.handle.status().files == 0).await;
    assert_eq!(running.stop().await.requests, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbolic_link_is_followed_to_its_target_and_counted_once() {
    let folder = tempfile::tempdir().expect("folder");
    let real = folder.path().join("real");
    fs::create_dir(&real).expect("creates");
    append(&real.join("x"), &line(1));
    for name in ["a.log", "b.log"] {
        std::os::unix::fs::symlink(real.join("x"), folder.path().join(name)).expect("links");
    }
    let mut running = start(config(&folder.path().join("*.log")), Kept::default());
    running.until_requests(1).await;
    append(&real.join("x"), &line(2));
    running.until_requests(2).await;
    assert_eq!(running.stop().await.requests, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_links_to_itself_is_looked_through_once() {
    let folder = tempfile::tempdir().expect("folder");
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).expect("made");
    std::os::unix::fs::symlink(folder.path(), inner.join("circle")).expect("linked");
    append(&inner.join("x.log"), &line(1));
    let mut running = start(config(&folder.path().join("**/*.log")), Kept::default());
    running.until_requests(1).await;
    let status = running.handle.status();
    let shown: Vec<_> = status.shown.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(shown, [inner.join("x.log").display().to_string()]);
    assert_eq!(running.stop().await.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_files_are_followed_with_few_of_them_open() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |n: u64| folder.path().join(format!("{n}.log"));
    (0..2000).for_each(|n| append(&path(n), &line(n)));
    let mut config = config(&folder.path().join("*.log"));
    config.open_files_max = 16;
    let mut running = start(config, Kept::default());
    running.until_requests(2000).await;
    (0..2000).for_each(|n| append(&path(n), &line(n)));
    running.until_requests(4000).await;
    let open = || {
        let all = fs::read_dir("/proc/self/fd").expect("lists").flatten();
        all.filter(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.starts_with(folder.path()))).count()
    };
    running.until("few are open", |_| open() <= 16).await;
    assert_eq!(running.stop().await.requests, 4000);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_several_lines_are_shipped_whole_and_redacted() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("app.log");
    let mut config = config(&path);
    config.format = Format::Plain;
    config.ship_logs = true;
    config.multiline_start = Some(r"^\d{4}-".into());
    config.partial_timeout = "50ms".parse().expect("valid");
    append(&path, "2026-11-22 error 010-1234-5678\n  at main\n2026-11-22 last\n");
    let mut running = start(config, Kept::default());
    running.until("two records", |running| running.kept.logs.len() == 2).await;
    let kept = running.stop().await;
    assert_eq!(kept.logs, ["2026-11-22 error [redacted:phone]\n  at main", "2026-11-22 last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_without_room_makes_the_reader_wait_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    // Each line in a second of its own: buckets run out long before the lines do.
    let text: String = (0..20_000).map(|n| format!("{n}.5 200 0.1 \"GET / HTTP/1.1\"\n")).collect();
    append(&path, &text);
    let mut running = start(config(&path), Kept::default());
    running.until_requests(20_000).await;
    assert_eq!(running.stop().await.requests, 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_written_line_is_read_because_the_kernel_tells_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.log");
    append(&path, &line(0));
    let mut config = config(&path);
    // Nobody looks by itself within the test's time: only a notification makes the reader read.
    config.rescan_interval = "1h".parse().expect("valid");
    let mut running = start(config, Kept::default());
    running.until_requests(1).await;
    for n in 1..=30_u64 {
        append(&path, &line(n));
        running.until_requests(n + 1).await;
    }
    assert_eq!(running.stop().await.requests, 31);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_paths_no_longer_name_waits_until_they_name_it_again() {
    let folder = tempfile::tempdir().expect("folder");
    let (kept_on, taken_out) = (folder.path().join("a.log"), folder.path().join("b.log"));
    let only_one = config(&kept_on);
    let mut both = config(&kept_on);
    both.paths.push(taken_out.display().to_string());
    append(&kept_on, &line(1));
    append(&taken_out, &line(2));
    let mut running = start(both.clone(), Kept::default());
    running.until_requests(2).await;
    let kept = running.stop().await;

    append(&taken_out, &line(3));
    append(&kept_on, &line(4));
    let mut running = start(only_one, kept);
    running.until_requests(3).await;
    running.until("one file", |running| running.handle.status().files == 1).await;
    append(&taken_out, &line(5));
    append(&kept_on, &line(6));
    running.until_requests(4).await;
    let kept = running.stop().await;
    assert_eq!(kept.requests, 4, "lines of the file that was taken out are not counted");

    let mut running = start(both, kept);
    running.until_requests(6).await;
    append(&taken_out, &line(7));
    running.until_requests(7).await;
    assert_eq!(running.stop().await.requests, 7, "named again, it goes on where it was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_file_is_drained_over_several_restarts() {
    let folder = tempfile::tempdir().expect("folder");
    let (path, renamed) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    append(&path, &line(0));
    let mut kept = Kept::default();
    for turn in 1..=3 {
        let mut running = start_with_quiet(config(&path), kept, LIMIT);
        running.until_requests(turn).await;
        kept = running.stop().await;
        if turn == 1 {
            fs::rename(&path, &renamed).expect("renames");
        }
        append(&renamed, &line(turn));
    }
    let mut running = start(config(&path), kept);
    running.until_requests(4).await;
    running.until("leaves", |running| running.handle.status().files == 0).await;
    let kept = running.stop().await;
    assert_eq!((kept.requests, kept.positions.len()), (4, 0));
}

//! The second reader over a real log, with a database in memory that can be made to refuse.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goldentime_follower::{Advance, BoxFuture, Committed, Mark, Position, StoreError, StreamPosition};
use goldentime_log::{Entry, IngestLog, ReadLog, SqliteLog};
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_runtime::Tasks;
use goldentime_wire::proto;
use prost::Message as _;

use super::follower::Follower;
use super::health::{Health, Summary};
use super::reader::{Followed, ReaderSettings, Readers};
use crate::ingest::logged::Logged;
use crate::merge::lateness::LogTime;
use crate::merge::testing::TestAgent;

const START_MS: i64 = 1_700_000_000_000;

/// What a database does with the next commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Well,
    /// It refuses.
    Locked,
    /// It takes the step, and the answer is lost.
    Silent,
}

#[derive(Default)]
struct Rows {
    mood: Mood,
    mark: Option<Mark>,
    log_time: UnixNanos,
    streams: BTreeMap<[u8; 16], StreamPosition>,
    /// Numbers of the records, in the order in which they were committed.
    numbers: Vec<u64>,
}

#[derive(Clone, Default)]
struct Database(Arc<Mutex<Rows>>);

impl Database {
    fn set(&self, mood: Mood) {
        self.0.lock().expect("whole").mood = mood;
    }

    fn numbers(&self) -> Vec<u64> {
        self.0.lock().expect("whole").numbers.clone()
    }
}

fn locked() -> StoreError {
    let source = Box::new(std::io::Error::other("database is locked"));
    StoreError::Unavailable { place: "a test".into(), action: "commit", source }
}

impl Follower for Database {
    type Folded = Vec<u64>;

    fn name(&self) -> &'static str {
        "test"
    }

    fn position(&self, _: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        let rows = self.0.lock().expect("whole");
        let streams = rows.streams.values().copied().collect();
        let position = rows.mark.map(|mark| Position { mark, log_time: rows.log_time, streams });
        Box::pin(async { Ok(position) })
    }

    fn fold(&self, folded: &mut Vec<u64>, logged: &Logged, _: LogTime) -> usize {
        folded.push(logged.record.number);
        8
    }

    fn commit<'a>(
        &'a self,
        folded: &'a Vec<u64>,
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        let mut rows = self.0.lock().expect("whole");
        let done = match (rows.mood, rows.mark == advance.from) {
            (Mood::Locked, _) => Err(locked()),
            (_, false) => Ok(Committed::Stale),
            (mood, true) => {
                (rows.mark, rows.log_time) = (Some(advance.to), advance.log_time);
                rows.streams.extend(advance.streams.iter().map(|position| (position.stream, *position)));
                rows.numbers.extend(folded);
                rows.mood = Mood::Well;
                match mood {
                    Mood::Silent => Err(locked()),
                    _ => Ok(Committed::Done { rows: folded.len() as u64, dropped: 0 }),
                }
            }
        };
        Box::pin(async { done })
    }
}

/// A log that agents write to.
struct World {
    log: Arc<dyn IngestLog>,
    database: Database,
    offset: u64,
    agent: TestAgent,
}

impl World {
    async fn new(folder: &Path) -> Self {
        // Segments so small that a few records fill one.
        let log = SqliteLog::open(folder, 2048).await.expect("a log");
        Self { log: Arc::new(log), database: Database::default(), offset: 0, agent: TestAgent::new(1) }
    }

    fn record(&mut self) -> proto::Record {
        let service: ServiceId = "a/b/shop".parse().expect("valid");
        self.agent.flush(&service, START_MS, &BTreeMap::from([(START_MS / 1000, (1, 0))]), 0.05)
    }

    async fn append(&mut self, record: &proto::Record) {
        self.offset += 1;
        let append_time = UnixNanos::from_millis(START_MS + self.offset as i64);
        let record = record.encode_to_vec().into();
        let entry = Entry { partition: 0, offset: self.offset, append_time, record };
        self.log.append(&[entry]).await.expect("appended");
    }

    async fn append_new(&mut self, count: usize) {
        for _ in 0..count {
            let record = self.record();
            self.append(&record).await;
        }
    }

    fn start(&self) -> (Tasks, Health) {
        let tasks = Tasks::new();
        let settings = ReaderSettings { fold_for: Duration::from_millis(20), fold_bytes_max: 80 };
        let log: Arc<dyn ReadLog> = Arc::clone(&self.log) as _;
        let followed = Followed { log, partitions: 1, generation: 1 };
        let (readers, health) = Readers::new(&tasks, Arc::new(self.database.clone()), followed, settings);
        readers.begin(0, tasks.stopping());
        (tasks, health)
    }
}

async fn until(health: &Health, is_so: impl Fn(&Summary) -> bool) -> Summary {
    let wait = async {
        loop {
            let summary = health.summary();
            if is_so(&summary) {
                return summary;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.unwrap_or_else(|_| panic!("never so: {:?}", health.summary()))
}

fn up_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

async fn stop(tasks: &Tasks) {
    tasks.drain(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn every_record_is_stored_once_over_repeats_and_restarts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new(folder.path()).await;
    let first = world.record();
    world.append(&first).await;
    world.append(&first).await;
    world.append_new(30).await;
    let (tasks, health) = world.start();
    until(&health, |summary| summary.rows == 31 && summary.behind_records == 0).await;
    stop(&tasks).await;
    world.append(&first).await;
    world.append_new(10).await;
    let (tasks, health) = world.start();
    until(&health, |summary| summary.rows == 10).await;
    stop(&tasks).await;
    assert_eq!(world.database.numbers(), up_to(41));
}

#[tokio::test]
async fn a_locked_database_is_waited_for_and_then_caught_up_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new(folder.path()).await;
    world.database.set(Mood::Locked);
    let (tasks, health) = world.start();
    world.append_new(50).await;
    let waiting = until(&health, |summary| summary.failures > 1 && summary.behind_records == 50).await;
    assert!(waiting.error.expect("why").contains("locked"));
    world.database.set(Mood::Well);
    let well = until(&health, |summary| summary.behind_records == 0).await;
    assert_eq!((well.error, well.lost), (None, 0));
    stop(&tasks).await;
    assert_eq!(world.database.numbers(), up_to(50));
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_not_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new(folder.path()).await;
    world.database.set(Mood::Silent);
    let (tasks, health) = world.start();
    world.append_new(20).await;
    until(&health, |summary| summary.failures == 1 && summary.behind_records == 0).await;
    world.append_new(5).await;
    until(&health, |_| world.database.numbers().len() == 25).await;
    stop(&tasks).await;
    assert_eq!(world.database.numbers(), up_to(25));
}

#[tokio::test]
async fn what_the_log_dropped_before_it_was_read_is_counted_as_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new(folder.path()).await;
    world.append_new(1).await;
    let (tasks, health) = world.start();
    until(&health, |summary| summary.rows == 1).await;
    stop(&tasks).await;
    world.append_new(59).await;
    world.log.truncate(UnixNanos(i64::MAX), 0).await.expect("truncated");
    let first = world.log.bounds(0).await.expect("bounds").first;
    assert!(first > 2, "something was dropped that was not read");
    let (tasks, health) = world.start();
    let summary = until(&health, |summary| summary.rows == 61 - first).await;
    stop(&tasks).await;
    assert_eq!((summary.lost, summary.behind_records), (first - 2, 0));
    assert_eq!(world.database.numbers(), [1].into_iter().chain(first..=60).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_that_was_made_anew_is_read_from_its_beginning() {
    let (folder, anew) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut world = World::new(folder.path()).await;
    let first = world.record();
    world.append(&first).await;
    world.append_new(20).await;
    let (tasks, health) = world.start();
    until(&health, |summary| summary.rows == 21).await;
    stop(&tasks).await;
    world.log = Arc::new(SqliteLog::open(anew.path(), 2048).await.expect("a log"));
    world.offset = 0;
    world.append(&first).await;
    world.append_new(4).await;
    let (tasks, health) = world.start();
    until(&health, |summary| summary.rows == 4).await;
    stop(&tasks).await;
    assert_eq!(world.database.numbers(), up_to(25));
}

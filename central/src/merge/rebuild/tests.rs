//! A shard over a real Redis that loses its data while the shard goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use goldentime_log::sqlite::SqliteLog;
use goldentime_log::{Entry, IngestLog};
use goldentime_model::config::Secret;
use goldentime_model::units::HumanDuration;
use goldentime_model::{Outcome, Second, ServiceId};
use goldentime_runtime::{ManualClock, SystemClock};
use goldentime_testkit::servers::redis::{PASSWORD, Redis, RedisProps};
use goldentime_testkit::wait;
use goldentime_windows::{
    CheckpointStore, GoBack, Losses, MemoryWindows, RedisConfig, RedisWindows, SecondCell, Tier, WindowStore,
    WindowsConfig,
};
use goldentime_wire::frame;
use tempfile::TempDir;

use super::*;
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::rule::Measure;
use crate::evaluate::testing::{rule, service};
use crate::evaluate::transition::{Change, Transition};
use crate::merge::exchange::Exchange;
use crate::merge::replay_end::ReplayEnd;
use crate::merge::shard::ShardSettings;
use crate::merge::start::Owned;
use crate::merge::testing::{TestAgent, TestLog};

/// No state takes longer to come, however busy the machine: a guard, no bound that is tested.
const PATIENCE: Duration = Duration::from_secs(120);
const START_MS: i64 = 1_700_000_000_000;
/// Sent each second, and in each second that came too late.
const SENT: (u64, u64) = (90, 0);
const LATE: u64 = 7;
const BAD: (u64, u64) = (40, 60);

/// A shard with everything around it.
struct World {
    shard: Shard,
    redis: Redis,
    store: Arc<RedisWindows>,
    rebuilder: Rebuilder,
    owned: Owned,
    clock: Arc<ManualClock>,
    pages: mpsc::Receiver<Transition>,
    kept: Arc<SqliteLog>,
    log: TestLog,
    /// Requests that ended well, by their second.
    sent: BTreeMap<i64, u64>,
    service: ServiceId,
    agent: TestAgent,
    cut_off: TestAgent,
    ms: i64,
    _folder: TempDir,
}

fn config(redis: &Redis) -> RedisConfig {
    let timeout = HumanDuration::from_secs(60);
    RedisConfig {
        nodes: vec![redis.address().to_string()],
        password: Some(Secret::new(PASSWORD)),
        connect_timeout: timeout,
        read_timeout: timeout,
        write_timeout: timeout,
        retry_initial: HumanDuration::from_millis(10),
        retry_max: HumanDuration::from_millis(50),
        ..RedisConfig::default()
    }
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let redis = Redis::start(folder.path(), &RedisProps::default()).await.expect("redis-server starts");
        let tasks = Tasks::new();
        let store = RedisWindows::open(config(&redis), &tasks, Arc::new(SystemClock)).await.expect("opens");
        let store = Arc::new(store);
        let kept = SqliteLog::open(&folder.path().join("log"), 64 << 20).await.expect("a log");
        let kept = Arc::new(kept);
        let rebuilder = Rebuilder::new(tasks, Arc::clone(&kept) as _);
        let file = folder.path().join("windows.db");
        let checkpoints = MemoryWindows::open(&file, &WindowsConfig::default()).await.expect("checkpoints");
        let checkpoints: Arc<dyn CheckpointStore> = Arc::new(checkpoints);
        store.assign(0).await.expect("assigned");
        let owned = Owned::default();
        let settings = ShardSettings {
            partition: 0,
            partitions: 1,
            generation: 1,
            services_max: 100,
            open_bytes_max: 1 << 20,
            unknown_grace: Duration::from_secs(60),
            checkpoint: None,
            replay_end: ReplayEnd::at(0),
            open_alerts: Vec::new(),
            owned: owned.clone(),
            tenure: None,
            exchange: Exchange::within(),
            losses: Losses::default(),
            rebuilder: Some(rebuilder.clone()),
        };
        let (transitions, pages) = mpsc::channel(64);
        let clock = ManualClock::at(UnixNanos::from_millis(START_MS));
        let rules = [Arc::new(rule("errors", Measure::Availability { bad: vec![Outcome::ServerError] }))];
        let (windows, board) = (Arc::clone(&store) as _, StatusBoard::default());
        let mut shard =
            Shard::new(settings, &rules, windows, checkpoints, Arc::clone(&clock) as _, board, transitions);
        shard.take(&mut Vec::new()).await;
        Self {
            shard,
            redis,
            store,
            rebuilder,
            owned,
            clock,
            pages,
            kept,
            log: TestLog::default(),
            sent: BTreeMap::new(),
            service: service("shop"),
            agent: TestAgent::new(1),
            cut_off: TestAgent::new(2),
            ms: START_MS,
            _folder: folder,
        }
    }

    /// Each second an agent sends `counts`, and every third one another sends what happened half a minute ago.
    async fn run(&mut self, seconds: i64, counts: (u64, u64)) {
        for _ in 0..seconds {
            self.ms += 1000;
            self.clock.set(UnixNanos::from_millis(self.ms));
            let present = self.ms / 1000 - 1;
            let mut records =
                vec![self.agent.flush(&self.service, self.ms, &BTreeMap::from([(present, counts)]), 0.1)];
            *self.sent.entry(present).or_default() += counts.0;
            if present % 3 == 0 {
                let seen = BTreeMap::from([(present - 30, (LATE, 0)), (present - 300, (LATE, 0))]);
                records.push(self.cut_off.flush(&self.service, 0, &seen, 0.1));
                *self.sent.entry(present - 30).or_default() += LATE;
                *self.sent.entry(present - 300).or_default() += LATE;
            }
            let mut batch = Vec::new();
            for record in records {
                let logged = self.log.append(record, self.ms);
                let entry = Entry {
                    partition: 0,
                    offset: logged.offset,
                    append_time: logged.append_time,
                    record: frame::body(&logged.record),
                };
                self.kept.append(&[entry]).await.expect("appended");
                batch.push(logged);
            }
            self.shard.take(&mut batch).await;
            self.turn().await;
        }
    }

    /// What the shard does between records.
    async fn turn(&mut self) {
        self.shard.tick().await;
        self.shard.write().await;
        self.shard.follow_rebuild().await;
    }

    async fn until_rebuilding(&mut self) {
        self.until(|shard| shard.rebuilding.is_some()).await;
    }

    async fn until_whole(&mut self) {
        self.until(|shard| shard.rebuilding.is_none() && !shard.written.has_dirty).await;
    }

    async fn until(&mut self, is_so: impl Fn(&Shard) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                self.turn().await;
                if is_so(&self.shard) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        waited.await.expect("in time");
    }

    /// Waits until the store knows of so many losses.
    async fn until_known(&self, losses: Losses) {
        let store = &self.store;
        let is_known = || async { (store.look().await.ok()? == losses).then_some(()) };
        wait::until("the loss to be known", PATIENCE, is_known).await.expect("known");
    }

    /// What is stored in a tier, by start.
    async fn stored(&self, tier: Tier) -> BTreeMap<i64, u64> {
        let (from, until) = (Second(START_MS / 1000 - 2000), Second(self.ms / 1000 + 10));
        let cells = self.store.read(&self.service, tier, from, until).await.expect("read");
        let decoded =
            cells.iter().map(|cell| (cell.key.start.0, SecondCell::decode(&cell.blob).expect("a cell")));
        decoded
            .map(|(start, cell)| {
                assert!(!cell.partial);
                (start, cell.total.counts.ok)
            })
            .collect()
    }

    /// Windows are what was sent, as far as they reach.
    async fn assert_exact(&mut self) {
        self.shard.checkpoint().await;
        let newest = Second(self.ms / 1000 - 1);
        for tier in [Tier::OneSecond, Tier::TenSeconds] {
            let mut expected = BTreeMap::new();
            for (second, count) in &self.sent {
                *expected.entry(tier.bucket_of(Second(*second)).0).or_default() += count;
            }
            // Of what was older than any window when it came, nothing is kept.
            let first = tier.first_kept(newest).0.max(START_MS / 1000);
            expected.retain(|start, _| *start >= first);
            let mut stored = self.stored(tier).await;
            stored.retain(|start, _| *start >= first);
            assert_eq!(stored, expected, "{tier:?}");
        }
    }

    fn paged(&mut self) -> Vec<Change> {
        std::iter::from_fn(|| self.pages.try_recv().ok()).map(|page| page.change).collect()
    }
}

#[tokio::test]
async fn what_redis_lost_is_made_again_from_the_log_while_rules_are_judged() {
    let mut world = World::start().await;
    world.run(700, SENT).await;
    world.assert_exact().await;
    world.redis.kill9();
    world.run(5, SENT).await;
    world.redis.restart_empty().await.expect("restarts");
    let turn = Arc::clone(&world.rebuilder.turn).acquire_owned().await.expect("open");
    world.until_rebuilding().await;
    assert_eq!(world.owned.incomplete().map(|(partitions, _)| partitions), Some(1));
    // It waits; what is judged does not, and what is late is not lost.
    world.run(15, BAD).await;
    assert_eq!(world.paged().first(), Some(&Change::Fired));
    assert!(world.stored(Tier::OneSecond).await.len() < 100);
    drop(turn);
    world.run(5, SENT).await;
    world.until_whole().await;
    world.assert_exact().await;
    assert_eq!(world.owned.incomplete(), None);
    assert_eq!(world.store.health().degraded, None);
    // Whoever owns the partition next need not go back.
    world.store.look().await.expect("answers");
    assert_eq!(world.store.assign(0).await.expect("assigned"), GoBack::NEWEST);
    world.run(40, SENT).await;
    world.assert_exact().await;
}

#[tokio::test]
async fn a_loss_that_is_noticed_late_leaves_no_window_that_began_on_nothing() {
    let mut world = World::start().await;
    world.run(400, SENT).await;
    // Without a cut: what is late opens its windows on an empty store before anybody knows.
    for _ in 0..5 {
        world.redis.cli(["FLUSHALL"]).expect("flushed");
        world.run(7, SENT).await;
    }
    world.until_whole().await;
    world.assert_exact().await;
}

#[tokio::test]
async fn a_second_loss_during_a_rebuild_begins_it_anew() {
    let mut world = World::start().await;
    world.run(400, SENT).await;
    world.redis.cli(["FLUSHALL"]).expect("flushed");
    world.until_rebuilding().await;
    world.run(20, SENT).await;
    world.redis.cli(["FLUSHALL"]).expect("flushed");
    world.until_known(Losses { all: 2, newest: 0 }).await;
    world.run(3, SENT).await;
    world.until_whole().await;
    world.assert_exact().await;
}

#[tokio::test]
async fn more_late_records_than_are_held_are_left_to_the_rebuild() {
    let mut world = World::start().await;
    world.run(60, SENT).await;
    world.redis.cli(["FLUSHALL"]).expect("flushed");
    let turn = Arc::clone(&world.rebuilder.turn).acquire_owned().await.expect("open");
    world.until_rebuilding().await;
    world.run(3 * HELD_MAX as i64 + 30, (1, 0)).await;
    assert!(world.shard.late.len() <= HELD_MAX);
    drop(turn);
    world.until_whole().await;
    world.assert_exact().await;
}

#[tokio::test]
async fn what_redis_said_last_before_it_was_started_anew_is_written_again() {
    let mut world = World::start().await;
    world.run(440, SENT).await;
    world.assert_exact().await;
    // As a file that is written once a second has it, or a replica that lags.
    for back in 14..28 {
        let second = world.ms / 1000 - back;
        for (tier, start) in [("1s", second), ("10s", second - second.rem_euclid(10))] {
            world.redis.cli(["DEL", &format!("metrics:{{{}}}:{tier}:{start}", world.service)]).expect("gone");
        }
    }
    world.redis.kill9();
    world.redis.restart().await.expect("restarts");
    world.until_known(Losses { all: 0, newest: 1 }).await;
    world.run(3, SENT).await;
    world.until_whole().await;
    world.assert_exact().await;
}

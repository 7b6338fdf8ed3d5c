//! A shard as a whole: records in, pages out, over restarts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goldentime_log::kafka::{SESSION_TIMEOUT, Tenure};
use goldentime_model::{Alert, Outcome, Second, ServiceId, UnixNanos};
use goldentime_runtime::ManualClock;
use goldentime_windows::{MemoryWindows, SecondCell, Tier, WindowStore, WindowsConfig, resume_point};
use goldentime_wire::proto::record::Body;
use tokio::sync::mpsc;

use super::exchange::Exchange;
use super::replay_end::ReplayEnd;
use super::shard::{Shard, ShardSettings};
use super::start::Owned;
use super::testing::{TestAgent, TestLog};
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::rule::{Measure, Rule};
use crate::evaluate::status::RuleState;
use crate::evaluate::testing::{rule, service};
use crate::evaluate::transition::{Change, Transition};

/// Room for open cells: plenty for one or two agents.
const OPEN_BYTES_MAX: usize = 256 << 10;

const START_MS: i64 = 1_700_000_000_000;

/// A shard with everything around it.
struct World {
    shard: Shard,
    clock: Arc<ManualClock>,
    board: StatusBoard,
    pages: mpsc::Receiver<Transition>,
    log: TestLog,
    service: ServiceId,
    ms: i64,
}

fn errors() -> Rule {
    rule("errors", Measure::Availability { bad: vec![Outcome::ServerError] })
}

/// What one second of one service holds.
async fn ok_at(store: &dyn WindowStore, service: &ServiceId, tier: Tier, second: i64) -> u64 {
    let start = tier.bucket_of(Second(second));
    let stored = store.read(service, tier, start, start.offset(1)).await.expect("readable");
    let cells = stored.iter().map(|cell| SecondCell::decode(&cell.blob).expect("a cell"));
    cells.map(|cell| cell.total.counts.ok).sum()
}

async fn start(path: &Path, rules: &[Rule], log: TestLog, ms: i64, open_alerts: Vec<Alert>) -> World {
    start_for(path, rules, log, ms, open_alerts, None).await
}

/// The same for as long as the partition is ours.
async fn start_for(
    path: &Path,
    rules: &[Rule],
    log: TestLog,
    ms: i64,
    open_alerts: Vec<Alert>,
    tenure: Option<Tenure>,
) -> World {
    let store = Arc::new(MemoryWindows::open(path, &WindowsConfig::default()).await.expect("opens"));
    let settings = ShardSettings {
        partition: 0,
        partitions: 1,
        generation: 1,
        services_max: 100,
        open_bytes_max: OPEN_BYTES_MAX,
        unknown_grace: Duration::from_secs(60),
        checkpoint: resume_point(&*store, &*store, 0).await.expect("readable"),
        replay_end: ReplayEnd::at(log.records.len() as u64),
        open_alerts,
        owned: Owned::default(),
        tenure,
        exchange: Exchange::within(),
        objectives: Vec::new(),
        past: None,
    };
    let (transitions, pages) = mpsc::channel(64);
    let (clock, board) = (ManualClock::at(UnixNanos::from_millis(ms)), StatusBoard::default());
    let rules: Vec<_> = rules.iter().cloned().map(Arc::new).collect();
    let mut shard = Shard::new(
        settings,
        &rules,
        Arc::clone(&store) as _,
        store,
        Arc::clone(&clock) as _,
        board.clone(),
        transitions,
    );
    let mut replay: Vec<_> =
        log.records.iter().filter(|logged| logged.offset > shard.partition().offset()).cloned().collect();
    shard.take(&mut replay).await;
    World { shard, clock, board, pages, log, service: service("shop"), ms }
}

impl World {
    /// Every agent sends `ok` and `bad` requests, each second, for `seconds`.
    async fn run(&mut self, agents: &mut [TestAgent], seconds: i64, traffic: impl Fn(usize) -> (u64, u64)) {
        for _ in 0..seconds {
            self.ms += 1000;
            self.clock.set(UnixNanos::from_millis(self.ms));
            let mut batch = Vec::new();
            for (index, agent) in agents.iter_mut().enumerate() {
                let seen = BTreeMap::from([(self.ms / 1000 - 1, traffic(index))]);
                batch.push(self.log.append(agent.flush(&self.service, self.ms, &seen, 0.1), self.ms));
            }
            self.shard.take(&mut batch).await;
            self.shard.write().await;
            self.shard.tick().await;
        }
    }

    fn paged(&mut self) -> Vec<Transition> {
        std::iter::from_fn(|| self.pages.try_recv().ok()).collect()
    }

    fn state(&self) -> Option<RuleState> {
        self.board.of(&self.service).first().map(|status| status.state)
    }
}

#[tokio::test]
async fn of_twenty_hosts_one_turns_bad_and_the_page_names_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut world =
        start(&dir.path().join("windows.db"), &[errors()], TestLog::default(), START_MS, Vec::new()).await;
    let mut twenty: Vec<_> = (0..20).map(TestAgent::new).collect();
    world.run(&mut twenty, 12, |_| (50, 0)).await;
    assert_eq!((world.paged(), world.state()), (vec![], Some(RuleState::Ok)));
    world.run(&mut twenty, 12, |index| if index == 7 { (0, 100) } else { (50, 0) }).await;
    let pages = world.paged();
    let fired = &pages[0];
    assert_eq!(fired.change, Change::Fired);
    assert_eq!(fired.alert.annotations["host"], "web-07");
    assert!(fired.alert.annotations["hosts"].starts_with("web-07: "), "{:?}", fired.alert.annotations);
    assert!(
        fired.alert.annotations["summary"].contains("host web-07 of 20"),
        "{:?}",
        fired.alert.annotations
    );
    let stages = fired.alert.stages;
    assert!(stages.occurred <= stages.received && stages.received <= stages.merged);
    assert!(stages.merged <= stages.evaluated);
}

/// As when Kafka was away: it gives the records before it has said that we are a member still.
#[tokio::test]
async fn a_page_that_is_found_before_the_broker_has_confirmed_us_is_told_once_it_has() {
    let dir = tempfile::tempdir().expect("a folder");
    let (path, tenure) = (dir.path().join("windows.db"), Tenure::begin(1));
    let mut agents = [TestAgent::new(1)];
    let log = TestLog::default();
    let mut world = start_for(&path, &[errors()], log, START_MS, Vec::new(), Some(tenure.clone())).await;
    world.run(&mut agents, 12, |_| (50, 0)).await;
    tokio::time::pause();
    tokio::time::advance(SESSION_TIMEOUT).await;
    tokio::time::resume();
    world.run(&mut agents, 12, |_| (0, 50)).await;
    assert_eq!((world.paged(), world.state()), (vec![], Some(RuleState::Firing)), "it may be another's");
    tenure.confirm(tokio::time::Instant::now());
    world.shard.tick().await;
    let told: Vec<Change> = world.paged().iter().map(|page| page.change).collect();
    assert_eq!(told, [Change::Fired]);
    world.run(&mut agents, 3, |_| (0, 50)).await;
    assert_eq!(world.paged(), vec![], "once");
}

#[tokio::test]
async fn a_restart_replays_without_paging_and_goes_on_with_the_alert_that_was_firing() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let mut agents = [TestAgent::new(1)];
    let mut before = start(&path, &[errors()], TestLog::default(), START_MS, Vec::new()).await;
    before.run(&mut agents, 12, |_| (90, 10)).await;
    let pages = before.paged();
    assert_eq!(pages.iter().map(|page| page.change).collect::<Vec<_>>(), [Change::Fired]);
    before.shard.checkpoint().await;
    before.run(&mut agents, 2, |_| (90, 10)).await;
    let (log, ms) = (before.log.clone(), before.ms);
    drop(before);

    let mut after = start(&path, &[errors()], log, ms, vec![pages[0].alert.clone()]).await;
    assert_eq!(after.shard.partition().offset(), 14);
    after.run(&mut agents, 2, |_| (90, 10)).await;
    assert_eq!((after.paged(), after.state()), (vec![], Some(RuleState::Firing)));
    let sli = after.board.of(&after.service)[0].sli.expect("judged");
    assert!((sli.high - 0.9).abs() < 0.01, "the sums were rebuilt over the restart: {sli:?}");
    after.run(&mut agents, 14, |_| (100, 0)).await;
    let ended = after.paged();
    assert_eq!(ended.iter().map(|page| page.change).collect::<Vec<_>>(), [Change::Resolved]);
    assert_eq!(ended[0].alert.episode, pages[0].alert.episode);
}

#[tokio::test]
async fn an_alert_whose_rule_is_gone_after_a_restart_is_closed_with_the_reason() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let mut agents = [TestAgent::new(1)];
    let mut before = start(&path, &[errors()], TestLog::default(), START_MS, Vec::new()).await;
    before.run(&mut agents, 12, |_| (90, 10)).await;
    let fired = before.paged().remove(0);
    before.shard.checkpoint().await;
    let (log, ms) = (before.log.clone(), before.ms);
    drop(before);
    let mut after = start(&path, &[], log, ms, vec![fired.alert.clone()]).await;
    let closed = after.paged().remove(0);
    assert_eq!((closed.change, &closed.alert.episode), (Change::Resolved, &fired.alert.episode));
    assert!(closed.alert.annotations.contains_key("resolved_because"));
}

#[tokio::test]
async fn after_a_cut_link_the_windows_hold_the_backlog_and_no_rule_hears_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let mut agents = [TestAgent::new(1)];
    let mut world = start(&path, &[errors()], TestLog::default(), START_MS, Vec::new()).await;
    world.run(&mut agents, 12, |_| (90, 10)).await;
    assert_eq!(world.paged().len(), 1, "it fires");
    let mut cut_off = TestAgent::new(2);
    world.run(&mut agents, 30, |_| (100, 0)).await;
    let resolved: Vec<_> = world.paged().iter().map(|page| page.change).collect();
    assert_eq!((resolved, world.state()), (vec![Change::Resolved], Some(RuleState::Ok)));
    let before = world.board.of(&world.service)[0].sli;

    let present = world.ms / 1000;
    let mut backlog = Vec::new();
    for second in present - 40..present - 10 {
        let seen = BTreeMap::from([(second, (7, 500))]);
        let record = cut_off.flush(&world.service, second * 1000, &seen, 0.1);
        backlog.push(world.log.append(record, world.ms));
    }
    world.shard.take(&mut backlog).await;
    assert_eq!((world.paged(), world.state()), (vec![], Some(RuleState::Ok)));
    assert_eq!(world.board.of(&world.service)[0].sli, before);
    world.shard.checkpoint().await;

    let store = MemoryWindows::open(&path, &WindowsConfig::default()).await.expect("opens");
    for second in present - 39..present - 11 {
        let live = if second < START_MS / 1000 + 12 { 90 } else { 100 };
        assert_eq!(ok_at(&store, &world.service, Tier::OneSecond, second).await, live + 7);
    }
    let ten = Tier::TenSeconds.bucket_of(Second(present - 20)).0;
    assert_eq!(ok_at(&store, &world.service, Tier::TenSeconds, ten).await, 1070);
}

#[tokio::test]
async fn a_flood_of_endpoints_stays_within_the_memory_of_open_cells_and_every_request_counts() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let mut world = start(&path, &[errors()], TestLog::default(), START_MS, Vec::new()).await;
    let mut bomb = TestAgent::new(1);
    let (mut most, first) = (0, START_MS / 1000);
    for round in 0..400_i64 {
        world.ms += 50;
        world.clock.set(UnixNanos::from_millis(world.ms));
        // Eight seconds at once, so that seconds that were let go are added to again and again.
        let present = world.ms / 1000;
        let seen = (present - 7..=present).map(|second| (second, (9, 1))).collect();
        let mut record = bomb.flush(&world.service, world.ms, &seen, 0.1);
        if let Some(Body::Deltas(deltas)) = &mut record.body {
            deltas.series[0].endpoint = format!("/bomb/{round}");
        }
        let logged = world.log.append(record, world.ms);
        world.shard.take(&mut vec![logged]).await;
        most = most.max(world.shard.partition().services.open_bytes());
    }
    assert!((OPEN_BYTES_MAX / 2..=OPEN_BYTES_MAX).contains(&most), "{most} of {OPEN_BYTES_MAX}");
    let fired = world.paged().iter().filter(|page| page.change == Change::Fired).count();
    assert_eq!(fired, 1, "a tenth of the requests is bad");
    world.shard.checkpoint().await;
    let store = MemoryWindows::open(&path, &WindowsConfig::default()).await.expect("opens");
    let mut ok = 0;
    for second in first - 7..=world.ms / 1000 {
        ok += ok_at(&store, &world.service, Tier::OneSecond, second).await;
    }
    assert_eq!(ok, 400 * 8 * 9);
}

#[tokio::test]
async fn after_a_restart_the_rules_stand_as_if_there_had_been_none_whatever_came_late() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let mut agents = [TestAgent::new(1)];
    let minute = [Rule { window_s: 60, ..errors() }];
    let mut world = start(&path, &minute, TestLog::default(), START_MS, Vec::new()).await;
    world.run(&mut agents, 60, |_| (99, 1)).await;
    let (mut cut_off, present) = (TestAgent::new(2), world.ms / 1000);
    let mut backlog = Vec::new();
    for second in present - 40..present - 10 {
        let seen = BTreeMap::from([(second, (0, 500))]);
        backlog.push(world.log.append(cut_off.flush(&world.service, 0, &seen, 0.1), world.ms));
    }
    world.shard.take(&mut backlog).await;
    world.run(&mut agents, 2, |_| (99, 1)).await;
    assert_eq!((world.paged(), world.state()), (vec![], Some(RuleState::Ok)));
    world.shard.checkpoint().await;
    let (log, ms) = (world.log.clone(), world.ms);

    let mut after = start(&path, &minute, log, ms, Vec::new()).await;
    after.run(&mut agents.clone(), 5, |_| (99, 1)).await;
    world.run(&mut agents, 5, |_| (99, 1)).await;
    assert_eq!((after.paged(), after.state()), (world.paged(), world.state()));
    let sli = |world: &World| world.board.of(&world.service)[0].sli.expect("judged");
    let (with, without) = (sli(&after), sli(&world));
    let near = |a: f64, b: f64| (a - b).abs() < 0.01;
    assert!(near(with.low, without.low) && near(with.high, without.high), "{with:?} {without:?}");
}

#[tokio::test]
async fn a_backlog_of_half_an_hour_holds_no_more_cells_than_its_limit() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let mut world = start(&path, &[], TestLog::default(), START_MS, Vec::new()).await;
    world.run(&mut [TestAgent::new(1)], 1, |_| (1, 0)).await;
    let (mut cut_off, present) = (TestAgent::new(2), world.ms / 1000);
    let mut backlog = Vec::new();
    for second in present - 1800..present - 10 {
        let record = cut_off.flush(&world.service, 0, &BTreeMap::from([(second, (3, 0))]), 0.1);
        backlog.push(world.log.append(record, world.ms));
    }
    for batch in backlog.chunks(256) {
        world.shard.take(&mut batch.to_vec()).await;
        assert!(world.shard.closed_held <= super::late::CLOSED_HELD_MAX);
    }
    world.shard.checkpoint().await;
    let store = MemoryWindows::open(&path, &WindowsConfig::default()).await.expect("opens");
    assert_eq!(ok_at(&store, &world.service, Tier::OneSecond, present - 350).await, 3);
    assert_eq!(ok_at(&store, &world.service, Tier::TenSeconds, present - 1190).await, 30);
    assert_eq!(ok_at(&store, &world.service, Tier::TenSeconds, present - 1500).await, 0);
}

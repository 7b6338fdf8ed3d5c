//! Counted once: whatever is sent twice, out of order, or read again after a crash, the windows hold
//! what an oracle that sees every record once says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::{Counts, Second, ServiceId, UnixNanos};
use goldentime_runtime::ManualClock;
use goldentime_windows::{MemoryWindows, SecondCell, Tier, WindowStore, WindowsConfig, resume_point};
use goldentime_wire::proto::record::Body;
use hashbrown::HashSet;
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::exchange::Exchange;
use super::lateness::{FUTURE_S_MAX, LogTime};
use super::replay_end::ReplayEnd;
use super::shard::{Shard, ShardSettings};
use super::start::Owned;
use super::testing::{TestAgent, TestLog};
use crate::evaluate::handle::StatusBoard;
use crate::ingest::logged::Logged;

const START_MS: i64 = 1_700_000_000_000;

/// One step of the world that makes the log.
#[derive(Clone, Debug)]
enum Event {
    /// An agent flushes what it saw `age_s` seconds ago.
    Flush { agent: usize, service: usize, age_s: i64, ok: u64, bad: u64 },
    /// The record sent `back` records ago is sent again.
    Resend { back: usize },
    /// Log time goes on.
    Pass { ms: i64 },
}

/// One step of the central that reads it.
#[derive(Clone, Copy, Debug)]
enum Action {
    Take(usize),
    Write,
    Checkpoint,
    Tick,
    /// The process dies, and with it the windows since the last checkpoint.
    Kill,
    /// It dies, and windows live on that are newer than the checkpoint.
    KillWithoutStore,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3_usize, 0..2_usize, age_s(), 0_u64..20, 0_u64..5)
            .prop_map(|(agent, service, age_s, ok, bad)| Event::Flush { agent, service, age_s, ok, bad }),
        2 => (1..6_usize).prop_map(|back| Event::Resend { back }),
        3 => (1_i64..4_000).prop_map(|ms| Event::Pass { ms }),
        1 => (4_000_i64..200_000).prop_map(|ms| Event::Pass { ms }),
    ]
}

/// In time, late, and later than windows reach.
fn age_s() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -1_i64..13, 3 => 13_i64..45, 1 => 45_i64..1_300]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (1..12_usize).prop_map(Action::Take),
        3 => Just(Action::Write),
        1 => Just(Action::Checkpoint),
        1 => Just(Action::Tick),
        1 => Just(Action::Kill),
        1 => Just(Action::KillWithoutStore),
    ]
}

fn services() -> Vec<ServiceId> {
    ["a/b/shop", "a/b/pay"].map(|id| id.parse().expect("valid")).to_vec()
}

fn log_of(events: &[Event]) -> Vec<Logged> {
    let services = services();
    let mut agents: Vec<_> = (0..3).map(TestAgent::new).collect();
    let (mut log, mut ms) = (TestLog::default(), START_MS);
    for event in events {
        match *event {
            Event::Flush { agent, service, age_s, ok, bad } => {
                let seen = BTreeMap::from([(ms / 1000 - age_s, (ok, bad)), (ms / 1000 - age_s - 1, (1, 0))]);
                let record = agents[agent].flush(&services[service], ms, &seen, 0.05);
                log.append(record, ms);
            }
            Event::Resend { back } => {
                if let Some(sent) =
                    log.records.len().checked_sub(back).map(|at| log.records[at].record.clone())
                {
                    log.append(sent, ms);
                }
            }
            Event::Pass { ms: more } => ms += more,
        }
    }
    log.records
}

type Windows = BTreeMap<(ServiceId, i64), Counts>;

/// Every record once, in its bucket, unless that had expired when the record came; and of those the
/// buckets that have not expired in the end.
fn oracle(log: &[Logged], tier: Tier) -> Windows {
    let (mut seen, mut windows) = (HashSet::new(), Windows::new());
    let mut log_time = LogTime::default();
    for logged in log {
        log_time.advance(logged.append_time);
        if !seen.insert((logged.record.stream.clone(), logged.record.number)) {
            continue;
        }
        let (Some(Body::Deltas(deltas)), Some(service)) = (&logged.record.body, &logged.service) else {
            continue;
        };
        for bucket in deltas.series.iter().flat_map(|series| &series.buckets) {
            let start = tier.bucket_of(log_time.place(Second(bucket.second)).second());
            if log_time.now().second().0 - start.0 < tier.width_s() + tier.retention_s() {
                windows.entry((service.clone(), start.0)).or_default().add(&bucket.counts());
            }
        }
    }
    unexpired(windows, log, tier)
}

/// Event time may be ahead of log time by as much as is not clamped.
fn unexpired(mut windows: Windows, log: &[Logged], tier: Tier) -> Windows {
    let end = log.iter().map(|logged| logged.append_time.second()).max().unwrap_or_default();
    windows.retain(|(_, start), _| *start >= tier.first_kept(end.offset(FUTURE_S_MAX)).0);
    windows
}

async fn open_store(path: &Path) -> Arc<MemoryWindows> {
    Arc::new(MemoryWindows::open(path, &WindowsConfig::default()).await.expect("opens"))
}

async fn start(store: &Arc<MemoryWindows>, log: &[Logged], at: UnixNanos) -> Shard {
    let checkpoint = resume_point(&**store, &**store, 0).await.expect("readable");
    let settings = ShardSettings {
        partition: 0,
        partitions: 1,
        generation: 1,
        services_max: 100,
        // So little that cells are let go and opened again all the time.
        open_bytes_max: 64 << 10,
        unknown_grace: Duration::from_secs(60),
        checkpoint,
        replay_end: ReplayEnd::at(log.len() as u64),
        open_alerts: Vec::new(),
        owned: Owned::default(),
        tenure: None,
        exchange: Exchange::within(),
        objectives: Vec::new(),
        past: None,
    };
    let (transitions, _) = mpsc::channel(16);
    let (windows, checkpoints) = (Arc::clone(store) as _, Arc::clone(store) as _);
    Shard::new(settings, &[], windows, checkpoints, ManualClock::at(at), StatusBoard::default(), transitions)
}

/// Reads the log with all its crashes, and gives what the windows of both tiers hold in the end.
async fn windows_after(log: &[Logged], actions: &[Action]) -> (Windows, Windows) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("windows.db");
    let end = log.last().map_or(UnixNanos::from_millis(START_MS), |last| last.append_time);
    let mut store = open_store(&path).await;
    let mut shard = start(&store, log, end).await;
    let finish = [Action::Take(usize::MAX)];
    for action in actions.iter().chain(&finish) {
        match *action {
            Action::Take(count) => {
                let from = usize::try_from(shard.partition().offset()).expect("small");
                let mut batch: Vec<_> = log.iter().skip(from).take(count).cloned().collect();
                shard.take(&mut batch).await;
            }
            Action::Write => shard.write().await,
            Action::Checkpoint => shard.checkpoint().await,
            Action::Tick => shard.tick().await,
            Action::Kill => {
                drop((shard, store));
                store = open_store(&path).await;
                shard = start(&store, log, end).await;
            }
            Action::KillWithoutStore => shard = start(&store, log, end).await,
        }
    }
    shard.finish().await;
    let fine = totals(&*store, Tier::OneSecond).await;
    let coarse = totals(&*store, Tier::TenSeconds).await;
    (unexpired(fine, log, Tier::OneSecond), unexpired(coarse, log, Tier::TenSeconds))
}

async fn totals(store: &dyn WindowStore, tier: Tier) -> Windows {
    let mut windows = Windows::new();
    let (from, until) = (Second(START_MS / 1000 - 2_000), Second(START_MS / 1000 + 20_000));
    for service in services() {
        for stored in store.read(&service, tier, from, until).await.expect("readable") {
            let cell = SecondCell::decode(&stored.blob).expect("a cell");
            let mut by_host = Counts::default();
            cell.hosts.values().for_each(|host| by_host.add(&host.counts));
            let mut by_endpoint = Counts::default();
            cell.endpoints.values().for_each(|endpoint| by_endpoint.add(&endpoint.counts));
            assert_eq!((by_host, by_endpoint), (cell.total.counts, cell.total.counts));
            assert_eq!(cell.total.latency.count(), cell.total.counts.total());
            assert!(!cell.partial);
            windows.entry((service.clone(), stored.key.start.0)).or_default().add(&cell.total.counts);
        }
    }
    windows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_repeated_reordered_or_replayed_every_request_counts_once(
        events in prop::collection::vec(event(), 1..60),
        actions in prop::collection::vec(action(), 0..30),
    ) {
        let log = log_of(&events);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (fine, coarse) = runtime.block_on(windows_after(&log, &actions));
        prop_assert_eq!(coarse, oracle(&log, Tier::TenSeconds));
        prop_assert_eq!(fine, oracle(&log, Tier::OneSecond));
    }
}

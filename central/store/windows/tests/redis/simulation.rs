//! Many owners of a few partitions, one after the other and at the same time: they crash, stall, lose
//! their connection, and go on as zombies after another has taken over. What is stored must be what the
//! log says, every record counted once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use goldentime_model::Second;
use goldentime_testkit::proxy::{Fault, Proxy};
use goldentime_testkit::wait;
use goldentime_windows::{CellKey, GoBack, RedisWindows, SecondCell, StoredCell, Tier, WindowStore};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::stage::{NOW, PATIENCE, Stage, blob, cell, hasty, open, put_in_the_end, service};

const PARTITIONS: u32 = 2;
const SERVICES: usize = 3;

/// Seconds that are compared: those that no store has let go of.
const COMPARED_S: i64 = 300;

/// One record: a request of a service in a second. Its offset is its place in the log, from 1 on.
#[derive(Clone, Copy)]
struct Record {
    service: usize,
    second: i64,
}

type Place = (usize, i64);

#[derive(Default)]
struct Log {
    records: Vec<Record>,
    /// Last offset and log time of each checkpoint.
    checkpoints: Vec<(u64, i64)>,
    now: i64,
}

impl Log {
    fn append(&mut self, rng: &mut SmallRng) {
        self.now += rng.random_range(0..4);
        for _ in 0..rng.random_range(1..6) {
            let second = self.now - rng.random_range(0..10);
            self.records.push(Record { service: rng.random_range(0..SERVICES), second });
        }
    }

    /// What a cell must hold that reaches `offset`.
    fn count(&self, place: Place, offset: u64) -> u64 {
        let reached = self.records.iter().take(usize::try_from(offset).expect("small"));
        reached.filter(|record| (record.service, record.second) == place).count() as u64
    }

    /// Every place that is compared, with what it must hold in the end.
    fn truth(&self) -> BTreeMap<Place, u64> {
        let mut truth = BTreeMap::new();
        for record in self.records.iter().filter(|record| record.second > self.now - COMPARED_S) {
            *truth.entry((record.service, record.second)).or_default() += 1;
        }
        truth
    }
}

fn name(partition: u32, at: usize) -> String {
    format!("service-{partition}-{at}")
}

/// A process that owns a partition, or believes so.
struct Owner {
    store: Arc<RedisWindows>,
    proxy: Proxy,
    partition: u32,
    read: u64,
    /// Offset and count of each cell that it has opened.
    cells: BTreeMap<Place, (u64, u64)>,
    dirty: BTreeSet<Place>,
}

impl Owner {
    /// Takes over: goes back in the log, with what is stored as bases.
    async fn take_over(stage: &Stage, partition: u32, log: &Log) -> Self {
        let proxy = Proxy::tcp(stage.server.address(), 1).await.expect("proxy");
        let store = Arc::new(open(hasty(proxy.address())).await);
        let assigned = || async { store.assign(partition).await.ok() };
        let back = wait::until("an assignment", PATIENCE, assigned).await.expect("assigned");
        let newest = log.checkpoints.last().map_or(0, |(_, time)| *time);
        let from = log.checkpoints.iter().rev().find(|(_, time)| *time <= newest - back.log_s);
        let mut owner = Self {
            store,
            proxy,
            partition,
            read: from.map_or(0, |(offset, _)| *offset),
            cells: BTreeMap::new(),
            dirty: BTreeSet::new(),
        };
        for at in 0..SERVICES {
            let read = || async { stored(&owner.store, partition, at, log.now).await.ok() };
            for (second, offset, count) in wait::until("the bases", PATIENCE, read).await.expect("read") {
                assert_eq!(count, log.count((at, second), offset), "a base is what the log says");
                owner.cells.insert((at, second), (offset, count));
            }
        }
        owner
    }

    /// Merges up to `count` records.
    fn merge(&mut self, log: &Log, count: usize) {
        let from = usize::try_from(self.read).expect("small");
        for record in log.records.iter().skip(from).take(count) {
            self.read += 1;
            let place = (record.service, record.second);
            let (offset, held) = self.cells.entry(place).or_default();
            if self.read > *offset {
                (*offset, *held) = (self.read, *held + 1);
                self.dirty.insert(place);
            }
        }
    }

    fn dirty_cells(&self) -> Vec<StoredCell> {
        let stored = |place: &Place| {
            let (offset, count) = self.cells[place];
            let service = service(&name(self.partition, place.0));
            let key = CellKey { service, tier: Tier::OneSecond, start: Second(place.1) };
            StoredCell { key, partition: self.partition, offset, blob: blob(count) }
        };
        self.dirty.iter().map(stored).collect()
    }

    /// Writes what changed; says whether everything is written.
    async fn flush(&mut self) -> bool {
        let written = self.store.put(self.dirty_cells()).await.is_ok();
        if written {
            self.dirty.clear();
        }
        written
    }

    async fn checkpoint(&mut self, log: &mut Log) {
        if self.flush().await {
            let time = log.records.get(self.read.saturating_sub(1) as usize).map_or(NOW, |_| log.now);
            let newer = log.checkpoints.last().is_none_or(|(offset, _)| *offset < self.read);
            if newer {
                log.checkpoints.push((self.read, time));
            }
        }
    }
}

/// Second, offset and count of what is stored of a service, of the seconds that are compared.
async fn stored(
    store: &RedisWindows,
    partition: u32,
    at: usize,
    now: i64,
) -> Result<Vec<(i64, u64, u64)>, goldentime_windows::StoreError> {
    let (from, until) = (Second(now - COMPARED_S + 1), Second(now + 1));
    let cells = store.read(&service(&name(partition, at)), Tier::OneSecond, from, until).await?;
    let count = |cell: &StoredCell| SecondCell::decode(&cell.blob).expect("a cell").total.counts.ok;
    Ok(cells.iter().map(|cell| (cell.key.start.0, cell.offset, count(cell))).collect())
}

/// Has Redis say of each partition that it has every cell, so that a start goes back a little only: who
/// read the whole log again would repair what was overwritten.
async fn begin_whole(stage: &Stage, reader: &RedisWindows) {
    let store = stage.store().await;
    for partition in 0..PARTITIONS {
        for start in [NOW - 2000, NOW - 700] {
            store.put(vec![StoredCell { partition, ..cell("begin", start, 1) }]).await.expect("put");
        }
        let is_whole =
            || async { (reader.assign(partition).await.ok()? != GoBack::EVERYTHING).then_some(()) };
        wait::until("a whole partition", PATIENCE, is_whole).await.expect("whole");
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn owners_that_crash_stall_and_wake_as_zombies_count_every_record_once() {
    // `GOLDENTIME_REDIS_REBALANCES=1100` is the long form.
    let rebalances = number("GOLDENTIME_REDIS_REBALANCES", 60);
    let seed = number("GOLDENTIME_REDIS_SEED", rand::random());
    eprintln!("seed {seed}: GOLDENTIME_REDIS_SEED={seed}");
    let (stage, mut rng) = (Stage::start().await, SmallRng::seed_from_u64(seed));
    let reader = stage.store().await;
    begin_whole(&stage, &reader).await;
    let mut logs: Vec<Log> = (0..PARTITIONS).map(|_| Log { now: NOW, ..Log::default() }).collect();
    let mut owners: Vec<Option<Owner>> = (0..PARTITIONS).map(|_| None).collect();
    let mut zombies: Vec<Owner> = Vec::new();
    for _ in 0..rebalances {
        let at = rng.random_range(0..PARTITIONS as usize);
        for _ in 0..rng.random_range(1..8) {
            logs[at].append(&mut rng);
            let Some(owner) = &mut owners[at] else { break };
            owner.merge(&logs[at], rng.random_range(1..12));
            match rng.random_range(0..20) {
                0 => owner.proxy.link().set(Fault::Stall),
                1 => owner.proxy.link().set(Fault::Cut),
                2..7 => owner.proxy.link().set(Fault::None),
                7..10 => owner.checkpoint(&mut logs[at]).await,
                _ => drop(owner.flush().await),
            }
        }
        match owners[at].take() {
            // It crashes: what it had not written is lost, what it was writing may still arrive.
            Some(owner) if rng.random_bool(0.5) => {
                drop(owner.store.put(owner.dirty_cells()));
                if rng.random_bool(0.5) {
                    zombies.push(owner);
                }
            }
            Some(owner) => zombies.push(owner),
            None => {}
        }
        owners[at] = Some(Owner::take_over(&stage, at as u32, &logs[at]).await);
        zombies.retain_mut(|zombie| {
            // What it held back arrives now, and it goes on as if nothing had happened.
            zombie.proxy.link().set(Fault::None);
            rng.random_bool(0.6)
        });
        for zombie in &mut zombies {
            zombie.merge(&logs[zombie.partition as usize], rng.random_range(0..6));
            let _ = zombie.flush().await;
        }
    }
    for (log, owner) in logs.iter().zip(&mut owners) {
        let Some(owner) = owner else { continue };
        owner.proxy.link().set(Fault::None);
        owner.merge(log, usize::MAX);
        put_in_the_end(&owner.store, &owner.dirty_cells()).await;
    }
    for (partition, log) in (0..PARTITIONS).zip(&logs).filter(|(at, _)| owners[*at as usize].is_some()) {
        let mut found = BTreeMap::new();
        for at in 0..SERVICES {
            for (second, _, count) in stored(&reader, partition, at, log.now).await.expect("read") {
                found.insert((at, second), count);
            }
        }
        assert_eq!(found, log.truth(), "partition {partition}, seed {seed}");
    }
}

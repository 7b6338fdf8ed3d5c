//! A Redis Cluster whose slots move and whose masters go and come back.

use std::collections::BTreeMap;

use goldentime_testkit::servers::redis::RedisCluster;
use goldentime_testkit::wait;
use goldentime_windows::{GoBack, RedisConfig, RedisWindows, WindowStore};
use tempfile::TempDir;

use crate::stage::{
    NOW, PATIENCE, assign_in_the_end, cell, hasty, open, patient, put_in_the_end, read_in_the_end, stored,
    until_degraded,
};

struct Stage {
    cluster: RedisCluster,
    _folder: TempDir,
}

impl Stage {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cluster = RedisCluster::start(folder.path(), &[]).await.expect("a cluster");
        Self { cluster, _folder: folder }
    }

    fn config(&self) -> RedisConfig {
        RedisConfig { cluster: true, ..patient(self.cluster.masters[2].address()) }
    }

    /// Slot of a service's keys, and the master that owns it.
    fn place(&self, service: &str) -> (u16, usize) {
        let slot = self.cluster.slot(&format!("{{shop/prod/{service}}}")).expect("a slot");
        (slot, self.cluster.owner(slot))
    }

    /// A service for each master.
    fn services(&self) -> Vec<String> {
        let names = || (0..).map(|n| format!("service-{n}"));
        (0..3).map(|master| names().find(|name| self.place(name).1 == master).expect("one")).collect()
    }
}

/// Writes the next state of a second, and checks that it is read back.
async fn write(store: &RedisWindows, service: &str, at: i64, offset: u64) {
    put_in_the_end(store, &[cell(service, NOW + at, offset)]).await;
    assert!(read_in_the_end(store, service).await.contains(&(at, offset)), "second {at} at {offset}");
}

#[tokio::test]
async fn a_slot_that_moves_takes_its_cells_along_and_loses_none_that_come_meanwhile() {
    let stage = Stage::start().await;
    let store = open(stage.config()).await;
    let (slot, mut from) = stage.place("api");
    let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
    let mut offset = 0;
    for round in 0..3 {
        let to = (from + 1) % 3;
        let mut step = async |at: i64| {
            offset += 1;
            write(&store, "api", at, offset).await;
            expected.insert(at, offset);
        };
        for at in 0..5 {
            step(round * 10 + at).await;
        }
        stage.cluster.begin_move(slot, from, to).expect("begins");
        // Those that are there are written there, new ones at the new owner.
        for at in 3..8 {
            step(round * 10 + at).await;
        }
        assert!(stage.cluster.move_keys(slot, from, to).expect("moves") > 0);
        for at in 0..9 {
            step(round * 10 + at).await;
        }
        stage.cluster.end_move(slot, from, to).expect("ends");
        step(round * 10 + 9).await;
        from = to;
    }
    let found: BTreeMap<i64, u64> = read_in_the_end(&store, "api").await.into_iter().collect();
    assert_eq!(found, expected);
    let late = open(stage.config()).await;
    let found: BTreeMap<i64, u64> = read_in_the_end(&late, "api").await.into_iter().collect();
    assert_eq!(found, expected, "another process finds them where they are now");
}

#[tokio::test]
async fn a_master_that_is_away_takes_only_its_own_services_with_it() {
    let mut stage = Stage::start().await;
    let services = stage.services();
    let config = hasty(stage.cluster.masters[0].address());
    let store = open(RedisConfig { cluster: true, ..config }).await;
    let all: Vec<_> = services.iter().map(|service| cell(service, NOW, 1)).collect();
    put_in_the_end(&store, &all).await;
    stage.cluster.masters[1].kill9();
    until_degraded(&store, true).await;
    let newer: Vec<_> = services.iter().map(|service| cell(service, NOW, 2)).collect();
    store.put(newer.clone()).await.expect_err("a part of it is away");
    stored(&store, &services[1]).await.expect_err("away");
    for service in [&services[0], &services[2]] {
        let have = || async { (stored(&store, service).await.ok()? == [(0, 2)]).then_some(()) };
        wait::until("the others to go on", PATIENCE, have).await.expect("in time");
    }
    stage.cluster.masters[1].restart().await.expect("restarts");
    stage.cluster.until_whole().await.expect("whole");
    put_in_the_end(&store, &newer).await;
    assert_eq!(read_in_the_end(&store, &services[1]).await, [(0, 2)]);
    until_degraded(&store, false).await;
    assert_eq!(store.health().losses.all, 0);
}

#[tokio::test]
async fn one_master_that_lost_its_data_is_noticed() {
    let mut stage = Stage::start().await;
    let store = open(stage.config()).await;
    let services = stage.services();
    for (start, offset) in [(NOW, 1), (NOW + 1300, 2)] {
        store.put(vec![cell(&services[0], start, offset)]).await.expect("put");
    }
    let next = open(stage.config()).await;
    let is_whole = || async { (next.assign(0).await.expect("assigned").log_s == 30).then_some(()) };
    wait::until("the partition to be whole", PATIENCE, is_whole).await.expect("whole");
    for lost in 0..3 {
        stage.cluster.masters[lost].restart_empty().await.expect("restarts");
        stage.cluster.until_whole().await.expect("whole");
        let noticed = || async { (store.health().losses.all == lost as u64 + 1).then_some(()) };
        wait::until("the loss to be noticed", PATIENCE, noticed).await.expect("noticed");
        assert_eq!(assign_in_the_end(&next).await, GoBack::EVERYTHING);
    }
}

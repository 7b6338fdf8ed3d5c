//! Three masters without replicas, each with a third of the slots.

use std::path::Path;

use anyhow::{Result, ensure};

use super::{PASSWORD, READY_MAX, Redis, RedisProps};
use crate::{ports, wait};

/// Slots of every Redis Cluster.
const SLOTS: u16 = 16384;

/// First slot of each master.
const FIRST: [u16; 4] = [0, 5461, 10923, SLOTS];

/// A Redis Cluster on loopback. Killed when dropped.
pub struct RedisCluster {
    /// Its masters, in the order of their slots when they were started.
    pub masters: Vec<Redis>,
}

impl RedisCluster {
    /// Starts three masters, their files under `folder`, and waits until each serves. A master that is
    /// gone takes only its own slots with it.
    pub async fn start(folder: &Path, lines: &[&str]) -> Result<Self> {
        let mut masters = Vec::new();
        for number in 1..=3 {
            let mut props = RedisProps::default();
            props.lines.extend(
                [
                    "cluster-enabled yes".to_owned(),
                    "cluster-config-file nodes.conf".to_owned(),
                    "cluster-node-timeout 2000".to_owned(),
                    "cluster-require-full-coverage no".to_owned(),
                    "cluster-announce-ip 127.0.0.1".to_owned(),
                    format!("cluster-port {}", ports::free_tcp()),
                    format!("masterauth \"{PASSWORD}\""),
                ]
                .into_iter()
                .chain(lines.iter().map(|line| (*line).to_owned())),
            );
            masters.push(Redis::start(&folder.join(format!("master-{number}")), &props).await?);
        }
        let cluster = Self { masters };
        cluster.join()?;
        cluster.until_whole().await?;
        Ok(cluster)
    }

    fn join(&self) -> Result<()> {
        for (at, master) in self.masters.iter().enumerate() {
            let (first, last) = (FIRST[at].to_string(), (FIRST[at + 1] - 1).to_string());
            ok(&master.cli(["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?)?;
            ok(&master.cli(["CLUSTER", "ADDSLOTSRANGE", &first, &last])?)?;
        }
        let seed = &self.masters[0];
        for master in &self.masters[1..] {
            let bus = master.cli(["CONFIG", "GET", "cluster-port"])?;
            let bus = bus.lines().last().unwrap_or_default().to_owned();
            ok(&seed.cli(["CLUSTER", "MEET", "127.0.0.1", &master.port.to_string(), &bus])?)?;
        }
        Ok(())
    }

    /// Waits until every master knows the masters of all slots and serves.
    pub async fn until_whole(&self) -> Result<()> {
        for master in &self.masters {
            wait::until("every master to know the whole cluster", READY_MAX, || async {
                let info = master.cli(["CLUSTER", "INFO"]).unwrap_or_default();
                let said = |line: &str| info.lines().any(|found| found.trim() == line);
                (said("cluster_state:ok") && said("cluster_slots_ok:16384") && said("cluster_size:3"))
                    .then_some(())
            })
            .await?;
        }
        Ok(())
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> Result<u16> {
        Ok(self.masters[0].cli(["CLUSTER", "KEYSLOT", key])?.parse()?)
    }

    /// The master that owned `slot` at the start.
    #[must_use]
    pub fn owner(&self, slot: u16) -> usize {
        FIRST.partition_point(|first| *first <= slot) - 1
    }

    /// Begins to move a slot: from now on keys of it that are not at its owner are asked for at `to`.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) -> Result<()> {
        let (ids, slot) = (self.ids()?, slot.to_string());
        ok(&self.masters[to].cli(["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[from]])?)?;
        ok(&self.masters[from].cli(["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[to]])?)
    }

    /// Moves the keys that the slot holds at its old owner, and gives how many there were.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize) -> Result<usize> {
        let (slot, port) = (slot.to_string(), self.masters[to].port.to_string());
        let mut moved = 0;
        loop {
            let keys = self.masters[from].cli(["CLUSTER", "GETKEYSINSLOT", &slot, "100"])?;
            let keys: Vec<&str> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                return Ok(moved);
            }
            let fixed = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "AUTH", PASSWORD, "KEYS"];
            ok(&self.masters[from].cli(fixed.into_iter().chain(keys.iter().copied()))?)?;
            moved += keys.len();
        }
    }

    /// Makes `to` the owner of the slot.
    pub fn end_move(&self, slot: u16, from: usize, to: usize) -> Result<()> {
        let (ids, slot) = (self.ids()?, slot.to_string());
        for master in [to, from] {
            ok(&self.masters[master].cli(["CLUSTER", "SETSLOT", &slot, "NODE", &ids[to]])?)?;
        }
        Ok(())
    }

    fn ids(&self) -> Result<Vec<String>> {
        self.masters.iter().map(|master| master.cli(["CLUSTER", "MYID"])).collect()
    }
}

fn ok(answer: &str) -> Result<()> {
    ensure!(answer.trim() == "OK", "redis answered {answer:?}");
    Ok(())
}

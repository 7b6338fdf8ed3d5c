//! Whether Redis still holds what was put into it.
//!
//! `windows:sentinel` is a hash that nothing but a loss of data takes away. Its field `life` is an id
//! that whoever finds none writes; a field `<partition>` holds the life in which every cell of that
//! partition that has not expired was written. Another life, or none: the data were lost. A partition
//! without the present life in its field: whoever owns it goes back in the log as far as cells are kept.
//!
//! A cluster has such a hash in every 128th slot, `windows:sentinel:{<n>}`, since a master may lose its
//! data alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use ::redis::{Cmd, Value, cmd};
use goldentime_model::Second;

use super::failure::Failure;
use super::keys::{SLOTS, slot};
use super::nodes::Nodes;
use crate::store::Tier;

const LIFE: &str = "life";

/// Slots from one sentinel of a cluster to the next.
const STRIDE: u16 = 128;

/// After this much event time without a loss no cell that the loss took would still be kept.
const WHOLE_AFTER_S: i64 = Tier::TenSeconds.retention_s() + 60;

/// The sentinels, and what they said.
pub(super) struct Sentinels {
    keys: Vec<String>,
    known: Mutex<Known>,
    losses: AtomicU64,
}

#[derive(Default)]
struct Known {
    /// The life of each sentinel when it was last read.
    lives: Vec<Option<String>>,
    partitions: HashMap<u32, Partition>,
}

/// What this process has put of a partition since it was assigned, or since the last loss.
#[derive(Clone, Copy, Default)]
struct Partition {
    /// Redis has every cell, and says so.
    whole: bool,
    /// Redis has every cell.
    is_due: bool,
    /// The newest start of the first put, and of all.
    put: Option<(Second, Second)>,
}

impl Sentinels {
    pub(super) fn new(cluster: bool) -> Self {
        let keys = if cluster { CLUSTER_KEYS.clone() } else { vec!["windows:sentinel".to_owned()] };
        let known = Known { lives: vec![None; keys.len()], partitions: HashMap::new() };
        Self { keys, known: Mutex::new(known), losses: AtomicU64::new(0) }
    }

    /// How often data were lost since the start.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// Whether every sentinel has been read once.
    pub(super) fn are_read(&self) -> bool {
        self.known().lives.iter().all(Option::is_some)
    }

    /// Reads every sentinel, writes those that are not there, and says whether data were lost since the
    /// last time.
    pub(super) async fn check(&self, nodes: &Nodes) -> Result<bool, Failure> {
        let mut lives = self.read_lives(nodes).await?;
        if lives.contains(&None) {
            let absent = self.keys.iter().zip(&lives).filter(|(_, life)| life.is_none());
            let written = absent.map(|(key, _)| {
                let life = format!("{}-{}", nodes.common.boot, nodes.common.next_epoch());
                (&**key, command("HSETNX", key, &[LIFE, &life]))
            });
            nodes.ask(written.collect()).await?;
            lives = self.read_lives(nodes).await?;
        }
        let mut known = self.known();
        let lost = known.lives.iter().zip(&lives).any(|(before, now)| before.is_some() && before != now);
        known.lives = lives;
        Ok(lost)
    }

    /// Counts a loss, once nothing that was known before it is believed any more.
    pub(super) fn lost(&self) {
        let mut known = self.known();
        self.losses.fetch_add(1, Ordering::SeqCst);
        known.partitions.values_mut().for_each(|partition| *partition = Partition::default());
    }

    /// Whether Redis has every cell of a partition that this process now begins to own.
    pub(super) async fn assign(&self, nodes: &Nodes, partition: u32) -> Result<bool, Failure> {
        self.known().partitions.insert(partition, Partition::default());
        let number = partition.to_string();
        let asked = self.keys.iter().map(|key| (&**key, command("HMGET", key, &[LIFE, &number])));
        let answers = nodes.ask(asked.collect()).await?;
        let whole = answers.iter().all(|answer| match answer {
            Value::Array(fields) => matches!(&fields[..], [life, own] if *life != Value::Nil && life == own),
            _ => false,
        });
        self.known().partitions.entry(partition).or_default().whole = whole;
        Ok(whole)
    }

    /// Notes what was put of a partition, up to its newest start.
    pub(super) fn was_put(&self, partition: u32, newest: Second) {
        let mut known = self.known();
        let put = &mut known.partitions.entry(partition).or_default().put;
        *put = Some(put.map_or((newest, newest), |(first, last)| (first, last.max(newest))));
    }

    /// Notes that every cell of a partition was put since so many losses.
    pub(super) fn made_whole(&self, partition: u32, losses: u64) {
        let mut known = self.known();
        // Counted under the same lock.
        if losses == self.losses() {
            known.partitions.entry(partition).or_default().is_due = true;
        }
    }

    /// Says of the partitions of which every cell was put by now that Redis has them.
    pub(super) async fn mark_whole(&self, nodes: &Nodes) -> Result<(), Failure> {
        let (lives, due) = {
            let known = self.known();
            let is_due = |partition: &Partition| {
                let (first, last) = partition.put.unwrap_or_default();
                let is_old = last.0.saturating_sub(first.0) >= WHOLE_AFTER_S;
                !partition.whole && (partition.is_due || is_old)
            };
            let due = known.partitions.iter().filter(|(_, partition)| is_due(partition));
            (known.lives.clone(), due.map(|(number, _)| *number).collect::<Vec<u32>>())
        };
        for partition in due {
            let number = partition.to_string();
            let written = self.keys.iter().zip(&lives).map(|(key, life)| {
                (&**key, command("HSET", key, &[&number, life.as_deref().unwrap_or_default()]))
            });
            nodes.ask(written.collect()).await?;
            let mut known = self.known();
            // A loss meanwhile has another life, which the field does not hold.
            if known.lives == lives {
                known.partitions.entry(partition).or_default().whole = true;
            }
        }
        Ok(())
    }

    async fn read_lives(&self, nodes: &Nodes) -> Result<Vec<Option<String>>, Failure> {
        let asked = self.keys.iter().map(|key| (&**key, command("HGET", key, &[LIFE])));
        let answers = nodes.ask(asked.collect()).await?;
        answers.into_iter().zip(&self.keys).map(|(answer, key)| life(answer, key)).collect()
    }

    /// The data behind the lock are replaced whole: a panic while holding it leaves them usable.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn life(answer: Value, key: &str) -> Result<Option<String>, Failure> {
    match answer {
        Value::BulkString(life) => Ok(Some(String::from_utf8_lossy(&life).into_owned())),
        Value::Nil => Ok(None),
        _ => Err(Failure::Foreign(key.to_owned())),
    }
}

fn command(name: &str, key: &str, arguments: &[&str]) -> Cmd {
    let mut command = cmd(name);
    command.arg(key).arg(arguments);
    command
}

/// The first name for each slot that has a sentinel, in the order of the slots.
static CLUSTER_KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut keys = vec![String::new(); usize::from(SLOTS / STRIDE)];
    let (mut found, mut n) = (0, 0_u32);
    while found < keys.len() {
        let key = format!("windows:sentinel:{{{n}}}");
        let slot = slot(&key);
        let place = &mut keys[usize::from(slot / STRIDE)];
        if slot.is_multiple_of(STRIDE) && place.is_empty() {
            *place = key;
            found += 1;
        }
        n += 1;
    }
    keys
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_a_sentinel_in_every_128th_slot() {
        let slots: Vec<u16> = CLUSTER_KEYS.iter().map(|key| slot(key)).collect();
        assert_eq!(slots, (0..SLOTS).step_by(usize::from(STRIDE)).collect::<Vec<_>>());
    }
}

//! How far the inputs have come, and which partitions want to be told.

use std::collections::BTreeMap;
use std::time::Duration;

use goldentime_model::UnixNanos;
use tokio::time::Instant;

/// Progress of each shard, and the partitions that this agent feeds.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// By the shard's place in the aggregator; `None` before its first look.
    shards: Vec<Option<UnixNanos>>,
    /// When each partition was last told; `None` for one that was never told.
    told: BTreeMap<u32, Option<Instant>>,
}

impl Progress {
    /// Takes in how far the shard at `index` has come. Never goes back.
    pub(super) fn note_shard(&mut self, index: usize, progress: Option<UnixNanos>) {
        if self.shards.len() <= index {
            self.shards.resize(index + 1, None);
        }
        self.shards[index] = self.shards[index].max(progress);
    }

    /// The event time up to which everything was read: that of the input that is furthest behind.
    /// `None` while some input has not looked yet, for then nothing can be promised.
    pub(super) fn reached(&self) -> Option<UnixNanos> {
        self.shards
            .iter()
            .copied()
            .try_fold(UnixNanos(i64::MAX), |least, shard| Some(least.min(shard?)))
            .filter(|least| *least != UnixNanos(i64::MAX))
    }

    /// A record with the present progress goes to `partition`.
    pub(super) fn note_told(&mut self, partition: u32, now: Instant) {
        self.told.insert(partition, Some(now));
    }

    /// Something, if only samples, goes to `partition`: it wants to be told from now on.
    pub(super) fn note_fed(&mut self, partition: u32) {
        self.told.entry(partition).or_default();
    }

    /// Partitions that this agent feeds and that were not told for `interval`.
    pub(super) fn untold(&self, now: Instant, interval: Duration) -> Vec<u32> {
        let is_due =
            |told: &Option<Instant>| told.is_none_or(|told| now.saturating_duration_since(told) >= interval);
        self.told.iter().filter(|(_, told)| is_due(told)).map(|(partition, _)| *partition).collect()
    }

    /// Forgets the partitions, because the central now has another number of them.
    pub(super) fn forget_partitions(&mut self) {
        self.told.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_until_every_input_has_looked() {
        let mut progress = Progress::default();
        assert_eq!(progress.reached(), None);
        progress.note_shard(0, Some(UnixNanos(9)));
        progress.note_shard(1, None);
        assert_eq!(progress.reached(), None);
        progress.note_shard(1, Some(UnixNanos(5)));
        assert_eq!(progress.reached(), Some(UnixNanos(5)));
        progress.note_shard(0, None);
        assert_eq!(progress.reached(), Some(UnixNanos(5)), "a look without news takes nothing back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_partition_with_nothing_to_say_is_told_once_an_interval() {
        let mut progress = Progress::default();
        let (now, interval) = (Instant::now(), Duration::from_secs(1));
        assert!(progress.untold(now, interval).is_empty());
        progress.note_fed(2);
        assert_eq!(progress.untold(now, interval), [2]);
        progress.note_told(2, now);
        assert!(progress.untold(now + interval / 2, interval).is_empty());
        assert_eq!(progress.untold(now + interval, interval), [2]);
    }
}

//! How far each partition has come in event time: what decides when cells expire.
//!
//! Never the wall clock: a replay of the log expires the same cells, and nothing expires while the
//! data stands still.

use std::sync::{Mutex, MutexGuard, PoisonError};

use goldentime_model::Second;
use hashbrown::HashMap;

use crate::store::Tier;

/// Event seconds between two sweeps for expired cells. Reads leave out what has expired at once; the
/// sweep only gives back its memory.
const SWEEP_INTERVAL_S: i64 = 10;

/// Highest event second by partition. There are as many entries as the log has partitions.
#[derive(Debug, Default)]
pub(crate) struct Watermarks(Mutex<HashMap<u32, Watermark>>);

#[derive(Clone, Copy, Debug)]
struct Watermark {
    second: Second,
    swept: Second,
}

/// The watermarks as they were at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Horizon(HashMap<u32, Watermark>);

impl Watermarks {
    /// Moves a partition's watermark forwards, never backwards. Says whether it is time to sweep.
    pub(crate) fn advance(&self, partition: u32, second: Second) -> bool {
        let mut marks = self.lock();
        let mark = marks.entry(partition).or_insert(Watermark { second, swept: second });
        mark.second = mark.second.max(second);
        let due = mark.second.0.saturating_sub(mark.swept.0) >= SWEEP_INTERVAL_S;
        if due {
            mark.swept = mark.second;
        }
        due
    }

    pub(crate) fn horizon(&self) -> Horizon {
        Horizon(self.lock().clone())
    }

    /// The data behind the lock are numbers: a panic while holding it leaves them usable.
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Watermark>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Horizon {
    /// How far a partition has come, where that is known.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Second)> {
        self.0.iter().map(|(partition, mark)| (*partition, mark.second))
    }

    /// Whether a cell has outlived its tier's retention.
    pub(crate) fn has_expired(&self, partition: u32, tier: Tier, start: Second) -> bool {
        self.0.get(&partition).is_some_and(|mark| start < tier.first_kept(mark.second))
    }
}

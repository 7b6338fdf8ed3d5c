//! What is known of metrics by their raw name, type and tags.

use goldentime_model::Outcome;
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::line::Metric;
use crate::aggregate::SeriesRef;

/// What a metric was found to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// Its values are requests.
    Request(Request),
    /// Its values go to a sample series, by number.
    Sample(u32),
    /// A rule says to ignore it.
    Ignored,
    /// It is over a limit; the reason under which its values are counted.
    Dropped(&'static str),
}

/// What the requests of one metric have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) series: SeriesRef,
    pub(super) outcome: Outcome,
    /// Seconds in one of its values; `None` where values are no durations or stay out of latency.
    pub(super) unit_s: Option<f64>,
    /// Its values are numbers of requests.
    pub(super) is_count: bool,
}

/// Identity of a metric as it was sent. Never zero.
pub(super) type Key = u128;

struct Context {
    key: Key,
    /// Of the input's ticks.
    used: u32,
    target: Target,
}

/// A bounded table from 128-bit hashes, seeded at random so that nobody can make two metrics collide
/// on purpose. What is idle is forgotten.
pub(super) struct Contexts {
    seed: u64,
    table: HashTable<Context>,
    max: usize,
}

/// Parts the hashes of types, which tell two metrics of one name apart.
const KIND_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Contexts {
    pub(super) fn new(max: usize) -> Self {
        let mut seed = [0; 8];
        // Without a source of randomness the table still works; it is only less safe from malice.
        let _ = getrandom::fill(&mut seed);
        Self { seed: u64::from_ne_bytes(seed), table: HashTable::new(), max }
    }

    /// The identity of a metric, its container counted in or not.
    #[inline]
    pub(super) fn key(&self, metric: &Metric<'_>, with_container: bool) -> Key {
        let seed = self.seed.wrapping_add(KIND_STEP.wrapping_mul(metric.kind as u64 + 1));
        let mut key = xxh3_128_with_seed(metric.name, seed);
        if !metric.tags.is_empty() {
            key = xxh3_128_with_seed(metric.tags, seed ^ key as u64) ^ key.rotate_left(1);
        }
        if with_container && !metric.container.is_empty() {
            key = xxh3_128_with_seed(metric.container, !seed ^ key as u64) ^ key.rotate_left(1);
        }
        key
    }

    /// What a metric was found to be, if it is known.
    #[inline]
    pub(super) fn get(&mut self, key: Key, tick: u32) -> Option<Target> {
        let context = self.table.find_mut(key as u64, |context| context.key == key)?;
        // What is over a limit is tried again after a while, however often it comes.
        if !matches!(context.target, Target::Dropped(_)) {
            context.used = tick;
        }
        Some(context.target)
    }

    /// Whether one more can be remembered.
    pub(super) fn has_room(&self) -> bool {
        self.table.len() < self.max
    }

    /// Remembers what a metric is, unless there is no room. Requests are counted without it too, so the
    /// last quarter is left to what is not.
    pub(super) fn put(&mut self, key: Key, target: Target, tick: u32) {
        let max = if matches!(target, Target::Request(_)) { self.max - self.max / 4 } else { self.max };
        if self.table.len() < max {
            self.table
                .insert_unique(key as u64, Context { key, used: tick, target }, |other| other.key as u64);
        }
    }

    /// Forgets what was not used since `tick`.
    pub(super) fn forget_before(&mut self, tick: u32) {
        self.table.retain(|context| context.used >= tick);
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

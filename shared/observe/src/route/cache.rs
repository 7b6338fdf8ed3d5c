//! Raw requests seen lately, and the series that they were found to belong to.

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::rules::RuleNumber;
use crate::aggregate::SeriesRef;

/// Requests remembered, a power of two. At 32 bytes each they take 256 KiB.
pub const CACHE_ENTRIES: usize = 8192;
/// Places that a request may stand in.
const WAYS: usize = 2;

/// What was found out about a raw request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Routed {
    pub(super) series: SeriesRef,
    pub(super) rule: RuleNumber,
}

/// A table from 128-bit hashes, seeded at random so that nobody can make two requests collide on
/// purpose. A newcomer puts out the older of two.
pub(super) struct Cache {
    seed: u64,
    entries: Box<[[Entry; WAYS]]>,
}

#[derive(Clone, Copy)]
struct Entry {
    hash: u128,
    routed: Routed,
}

const EMPTY: Entry = Entry { hash: 0, routed: Routed { series: SeriesRef(0), rule: 0 } };

impl Cache {
    pub(super) fn new() -> Self {
        let mut seed = [0; 8];
        // Without a source of randomness the table still works; it is only less safe from malice.
        let _ = getrandom::fill(&mut seed);
        Self { seed: u64::from_ne_bytes(seed), entries: vec![[EMPTY; WAYS]; CACHE_ENTRIES / WAYS].into() }
    }

    /// The hash of what tells requests apart.
    #[inline]
    pub(super) fn hash(&self, parts: [&[u8]; 2]) -> u128 {
        let first = xxh3_128_with_seed(parts[0], self.seed);
        let hash = xxh3_128_with_seed(parts[1], self.seed ^ first as u64) ^ first.rotate_left(1);
        // Zero marks an empty place.
        hash | 1
    }

    #[inline]
    pub(super) fn get(&mut self, hash: u128) -> Option<Routed> {
        let set = &mut self.entries[(hash >> 64) as usize % (CACHE_ENTRIES / WAYS)];
        if set[0].hash == hash {
            return Some(set[0].routed);
        }
        if set[1].hash == hash {
            set.swap(0, 1);
            return Some(set[0].routed);
        }
        None
    }

    pub(super) fn put(&mut self, hash: u128, routed: Routed) {
        let set = &mut self.entries[(hash >> 64) as usize % (CACHE_ENTRIES / WAYS)];
        set[1] = set[0];
        set[0] = Entry { hash, routed };
    }
}

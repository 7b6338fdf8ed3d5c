//! Questions to a sketch: quantiles, and how many lie above a threshold.

use crate::Sketch;
use crate::buckets::Buckets;
use crate::index::{Place, bucket_of, middle, place_of};

/// How many durations lay above a threshold: exact if both ends are equal. They differ by what lies
/// in the threshold's own bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountBounds {
    /// Surely above.
    pub low: u64,
    /// Possibly above.
    pub high: u64,
}

/// Buckets of a block that are summed at once on the way to a rank.
const STRIDE: usize = 32;

impl Sketch {
    /// The `q` quantile in seconds, within [`crate::RELATIVE_ERROR_MAX`] of the smallest duration such
    /// that at least the share `q` of all are at or below it (the nearest-rank definition: with it
    /// "p95 is at most T" and "at least 95% are at most T" are the same).
    ///
    /// `None` if the sketch is empty or `q` does not lie in 0 to 1.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let mut value = [0.0];
        self.quantiles(&[q], &mut value).then_some(value[0])
    }

    /// Several quantiles in one pass if `qs` ascend (in several if they do not), as
    /// [`Self::quantile`]. Says whether it wrote them all to `out`: not if the sketch is empty, a `q`
    /// does not lie in 0 to 1, or `out` is shorter than `qs`.
    pub fn quantiles(&self, qs: &[f64], out: &mut [f64]) -> bool {
        if self.is_empty() || out.len() < qs.len() || !qs.iter().all(|q| (0.0..=1.0).contains(q)) {
            return false;
        }
        let mut cursor = Cursor::new(self);
        for (q, value) in qs.iter().zip(out) {
            let rank = rank_of(*q, self.count());
            if rank <= cursor.below {
                cursor = Cursor::new(self);
            }
            *value = cursor.value_at(rank);
        }
        true
    }

    /// How many durations lay above `threshold` seconds. Exact for thresholds that are powers of two;
    /// for NaN nothing is known.
    #[must_use]
    pub fn count_above(&self, threshold: f64) -> CountBounds {
        let exactly = |count| CountBounds { low: count, high: count };
        let own = match place_of(threshold) {
            Place::Bucket(own) => own,
            Place::Zero => return exactly(self.positive),
            Place::Refused if threshold.is_nan() => return CountBounds { low: 0, high: self.count() },
            Place::Refused if threshold < 0.0 => return exactly(self.count()),
            Place::Refused => return exactly(0),
        };
        let mut bounds = exactly(self.buckets.sum_above(own));
        // A threshold on the upper edge has nothing of its own bucket above it.
        if bucket_of(threshold.next_up()) == Some(own) {
            bounds.high = bounds.high.saturating_add(self.buckets.get(own));
        }
        // What collapsed into the lowest bucket may lie below the threshold, wherever that is.
        if let Some((lowest, count)) = self.buckets.maybe_collapsed()
            && own < lowest
        {
            bounds.low = bounds.low.saturating_sub(count);
        }
        bounds
    }
}

/// Rank from 1 of a quantile by the nearest-rank definition. A product that misses a whole number by
/// rounding alone counts as that number: 0.07 · 100 is 7, not 7.000000000000001.
fn rank_of(q: f64, count: u64) -> u64 {
    let exact = q * count as f64;
    let whole = exact.round();
    let rank = if (exact - whole).abs() <= whole * 1e-12 { whole } else { exact.ceil() };
    (rank as u64).clamp(1, count)
}

/// A place in the buckets, moving upwards.
struct Cursor<'a> {
    sketch: &'a Sketch,
    at: usize,
    /// Durations in all buckets before `at`, and zeros.
    below: u64,
}

impl<'a> Cursor<'a> {
    fn new(sketch: &'a Sketch) -> Self {
        Self { sketch, at: 0, below: sketch.zeros }
    }

    /// The value of a rank above `below`, or zero where it is among the zeros.
    fn value_at(&mut self, rank: u64) -> f64 {
        if rank <= self.sketch.zeros {
            return 0.0;
        }
        middle(match &self.sketch.buckets {
            Buckets::Sparse(list) => {
                let buckets = list.buckets();
                self.seek(rank, buckets.len(), |at| buckets[at].1);
                buckets[self.at].0
            }
            Buckets::Dense(block) => {
                let slots = block.slots();
                while self.at + STRIDE < slots.len() {
                    let next = self.below.saturating_add(slots.sum(self.at..self.at + STRIDE));
                    if next >= rank {
                        break;
                    }
                    (self.at, self.below) = (self.at + STRIDE, next);
                }
                self.seek(rank, slots.len(), |at| slots.get(at));
                block.first() + self.at as i32
            }
        })
    }

    /// Moves to the bucket in which `rank` lies, and to the last one at most.
    fn seek(&mut self, rank: u64, len: usize, count_at: impl Fn(usize) -> u64) {
        while self.at + 1 < len {
            let next = self.below.saturating_add(count_at(self.at));
            if next >= rank {
                break;
            }
            (self.at, self.below) = (self.at + 1, next);
        }
    }
}

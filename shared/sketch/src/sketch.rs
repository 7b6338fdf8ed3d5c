//! The sketch: what it counts, and how sketches are added and taken away.

use crate::buckets::{BucketIter, Buckets, Outline};
use crate::dense::Dense;
use crate::index::{Place, bucket_of, place_of};

/// How many durations lay in which bucket.
///
/// See the crate's documentation for what is exact, what is bounded and what happens at the borders.
/// Cheap while it is small: up to 48 buckets cost 16 bytes each.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    pub(crate) zeros: u64,
    /// Sum of the buckets, saturating.
    pub(crate) positive: u64,
    pub(crate) buckets: Buckets,
}

impl Sketch {
    /// An empty sketch. Allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one duration in seconds. Says whether it was taken: negative values, infinities and NaN
    /// are not, and leave the sketch as it was; the caller counts them where it counts its drops.
    #[inline]
    pub fn insert(&mut self, seconds: f64) -> bool {
        if let Buckets::Dense(block) = &mut self.buckets
            && self.positive < u64::from(u32::MAX)
            && let Some(index) = bucket_of(seconds)
            && block.count_one_narrow(index)
        {
            self.positive += 1;
            return true;
        }
        self.insert_n(seconds, 1)
    }

    /// Counts the same duration in seconds `n` times. Says whether it was taken, as [`Self::insert`].
    pub fn insert_n(&mut self, seconds: f64, n: u64) -> bool {
        match place_of(seconds) {
            Place::Bucket(index) => self.insert_bucket(index, n),
            Place::Zero => self.zeros = self.zeros.saturating_add(n),
            Place::Refused => return false,
        }
        true
    }

    /// Adds to one bucket, whose index is one of [`crate::index::INDEXES`].
    pub(crate) fn insert_bucket(&mut self, index: i32, n: u64) {
        if n > 0 {
            self.positive = self.positive.saturating_add(n);
            self.buckets.add(index, n, self.positive);
        }
    }

    /// Makes ready for buckets that are about to be added, and counts them in. Gives the block to add
    /// them to, or `None`, and then nothing was done: they are to be inserted one by one.
    pub(crate) fn prepare(&mut self, outline: &Outline) -> Option<&mut Dense> {
        let sum = self.positive.saturating_add(outline.sum);
        let block = self.buckets.prepare(outline, sum)?;
        self.positive = sum;
        Some(block)
    }

    /// Adds all that `other` counted: the result is that of inserting both's durations into one
    /// sketch, in whatever order and grouping.
    pub fn merge(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_add(other.zeros);
        if other.positive == 0 {
            return;
        }
        let sum = self.positive.checked_add(other.positive);
        self.buckets.merge(&other.buckets, sum);
        self.positive = sum.unwrap_or(u64::MAX);
    }

    /// Takes away what was merged before: undoes a [`Self::merge`] exactly as long as no bucket
    /// saturated or collapsed. A count never falls below zero.
    pub fn subtract(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_sub(other.zeros);
        self.buckets.subtract(&other.buckets);
        self.positive = self.buckets.sum();
    }

    /// Forgets everything, but keeps its memory for what comes next.
    pub fn clear(&mut self) {
        self.zeros = 0;
        self.positive = 0;
        self.buckets.clear();
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Durations counted, zeros included; saturates.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.zeros.saturating_add(self.positive)
    }

    /// Durations counted as zero: zero itself, and what is not above 2^−1022 s.
    #[must_use]
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Index and count of each bucket that is not empty, from the lowest; zeros are not among them.
    /// Bucket `i` holds `(2^(i/64), 2^((i+1)/64)]` seconds.
    #[must_use]
    pub fn buckets(&self) -> BucketIter<'_> {
        self.buckets.iter()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.buckets.heap_bytes()
    }
}

/// Two sketches are equal if they count the same, whatever form they hold it in.
impl PartialEq for Sketch {
    fn eq(&self, other: &Self) -> bool {
        self.zeros == other.zeros && self.buckets().eq(other.buckets())
    }
}

impl Eq for Sketch {}

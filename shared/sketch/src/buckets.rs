//! The buckets of a sketch: a sorted list while they are few, a block of counters from then on.

use std::slice;

use crate::dense::Dense;
use crate::slots::Slots;
use crate::sparse::{Bucket, Full, SPARSE_BUCKETS_MAX, Sparse, lowest_beside};

/// The buckets in the form that suits their number. Which form it is cannot be seen from outside.
#[derive(Clone, Debug)]
pub(crate) enum Buckets {
    Sparse(Sparse),
    Dense(Dense),
}

/// What is known of buckets before they are added.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outline {
    /// How many there are.
    pub(crate) number: usize,
    /// Lowest and highest index.
    pub(crate) ends: Option<(i32, i32)>,
    /// Sum of their counts, saturating.
    pub(crate) sum: u64,
}

impl Outline {
    /// Notes a bucket, from the lowest up.
    pub(crate) fn note(&mut self, index: i32, count: u64) {
        self.number += 1;
        self.ends = Some((self.ends.map_or(index, |ends| ends.0), index));
        self.sum = self.sum.saturating_add(count);
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self::Sparse(Sparse::default())
    }
}

impl Buckets {
    /// Adds to one bucket; `sum` is that of all buckets afterwards.
    pub(crate) fn add(&mut self, index: i32, count: u64, sum: u64) {
        match self {
            Self::Sparse(list) => {
                if list.add(index, count) == Err(Full) {
                    self.densify(index, index, sum).add(index, count, sum);
                }
            }
            Self::Dense(block) => block.add(index, count, sum),
        }
    }

    /// Adds all of `other`; `sum` is that of all buckets afterwards, `None` if it does not fit 64 bits.
    pub(crate) fn merge(&mut self, other: &Self, sum: Option<u64>) {
        let fitting_sum = sum.unwrap_or(u64::MAX);
        match (&mut *self, other) {
            (Self::Dense(mine), Self::Dense(theirs)) => mine.merge(theirs, sum),
            (Self::Dense(mine), Self::Sparse(theirs)) => {
                for (index, count) in theirs.buckets().iter().rev() {
                    mine.add(*index, *count, fitting_sum);
                }
            }
            (Self::Sparse(mine), Self::Sparse(theirs)) => {
                if mine.merge(theirs.buckets()) == Err(Full) {
                    let (low, high) = ends(theirs.buckets());
                    let block = self.densify(low, high, fitting_sum);
                    for (index, count) in theirs.buckets().iter().rev() {
                        block.add(*index, *count, fitting_sum);
                    }
                }
            }
            (Self::Sparse(mine), Self::Dense(theirs)) => {
                let mut block = theirs.clone();
                for (index, count) in mine.buckets().iter().rev() {
                    block.add(*index, *count, fitting_sum);
                }
                *self = Self::Dense(block);
            }
        }
    }

    /// A block that is ready for these buckets, or `None` where a list may do for them.
    pub(crate) fn prepare(&mut self, buckets: &Outline, sum: u64) -> Option<&mut Dense> {
        let (lowest, highest) = buckets.ends?;
        match self {
            Self::Sparse(_) if buckets.number <= SPARSE_BUCKETS_MAX => return None,
            Self::Sparse(_) => {
                self.densify(lowest, highest, sum);
            }
            Self::Dense(_) => {}
        }
        match self {
            Self::Dense(block) => {
                block.prepare(lowest, highest, sum);
                Some(block)
            }
            Self::Sparse(_) => None,
        }
    }

    /// Takes away `other`'s counts, each down to zero.
    pub(crate) fn subtract(&mut self, other: &Self) {
        let highest = match self {
            Self::Sparse(list) => list.buckets().last().map(|bucket| bucket.0),
            Self::Dense(block) => block.highest(),
        };
        let Some(highest) = highest else { return };
        let floor = lowest_beside(highest);
        for (index, count) in other.iter() {
            match self {
                Self::Sparse(list) => list.remove(index.max(floor), count),
                Self::Dense(block) => block.remove(index.max(floor), count),
            }
        }
    }

    /// Sum of all buckets, saturating.
    pub(crate) fn sum(&self) -> u64 {
        match self {
            Self::Sparse(list) => {
                list.buckets().iter().fold(0, |sum: u64, bucket| sum.saturating_add(bucket.1))
            }
            Self::Dense(block) => block.sum(),
        }
    }

    /// Count of one bucket.
    pub(crate) fn get(&self, index: i32) -> u64 {
        match self {
            Self::Sparse(list) => list.get(index),
            Self::Dense(block) => block.get(index),
        }
    }

    /// Sum of the buckets above one, saturating.
    pub(crate) fn sum_above(&self, index: i32) -> u64 {
        match self {
            Self::Sparse(list) => {
                let above = list.buckets().iter().rev().take_while(|bucket| bucket.0 > index);
                above.fold(0, |sum: u64, bucket| sum.saturating_add(bucket.1))
            }
            Self::Dense(block) => block.sum_above(index),
        }
    }

    /// The lowest bucket and its count if lower ones may have collapsed into it.
    pub(crate) fn maybe_collapsed(&self) -> Option<(i32, u64)> {
        let lowest = match self {
            Self::Sparse(list) => list.buckets().last().map(|last| lowest_beside(last.0)),
            Self::Dense(block) => block.highest().map(lowest_beside),
        }?;
        let count = self.get(lowest);
        (count > 0).then_some((lowest, count))
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Sparse(list) => list.clear(),
            Self::Dense(block) => block.clear(),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Sparse(list) => list.heap_bytes(),
            Self::Dense(block) => block.heap_bytes(),
        }
    }

    /// Buckets that are not empty, from the lowest.
    pub(crate) fn iter(&self) -> BucketIter<'_> {
        BucketIter(match self {
            Self::Sparse(list) => Inner::Sparse(list.buckets().iter()),
            Self::Dense(block) => match block.slots() {
                Slots::Narrow(slots) => Inner::Narrow(block.first(), slots.iter()),
                Slots::Wide(slots) => Inner::Wide(block.first(), slots.iter()),
            },
        })
    }

    /// Turns the list into a block that also has room for `lowest..=highest`.
    fn densify(&mut self, lowest: i32, highest: i32, sum: u64) -> &mut Dense {
        if let Self::Sparse(list) = self {
            let (mut low, mut high) = (lowest, highest);
            if !list.buckets().is_empty() {
                let (first, last) = ends(list.buckets());
                (low, high) = (low.min(first), high.max(last));
            }
            let mut block = Dense::covering(low.max(lowest_beside(high)), high, sum);
            for (index, count) in list.buckets().iter().rev() {
                block.add((*index).max(lowest_beside(high)), *count, sum);
            }
            *self = Self::Dense(block);
        }
        match self {
            Self::Dense(block) => block,
            Self::Sparse(_) => unreachable!("it was made dense above"),
        }
    }
}

fn ends(buckets: &[Bucket]) -> (i32, i32) {
    match (buckets.first(), buckets.last()) {
        (Some(first), Some(last)) => (first.0, last.0),
        _ => (0, 0),
    }
}

/// Index and count of each bucket that is not empty, from the lowest. See [`crate::Sketch::buckets`].
#[derive(Clone, Debug)]
pub struct BucketIter<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    Sparse(slice::Iter<'a, Bucket>),
    Narrow(i32, slice::Iter<'a, u32>),
    Wide(i32, slice::Iter<'a, u64>),
}

impl Iterator for BucketIter<'_> {
    type Item = (i32, u64);

    fn next(&mut self) -> Option<(i32, u64)> {
        match &mut self.0 {
            Inner::Sparse(buckets) => buckets.next().copied(),
            Inner::Narrow(next, slots) => loop {
                let (index, count) = (*next, u64::from(*slots.next()?));
                *next += 1;
                if count != 0 {
                    return Some((index, count));
                }
            },
            Inner::Wide(next, slots) => loop {
                let (index, count) = (*next, *slots.next()?);
                *next += 1;
                if count != 0 {
                    return Some((index, count));
                }
            },
        }
    }
}

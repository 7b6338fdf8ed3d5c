//! Many buckets: a block of counters for consecutive indexes.

use std::ops::Range;

use crate::BUCKETS_MAX;
use crate::index::BUCKETS_PER_OCTAVE;
use crate::slots::Slots;
use crate::sparse::lowest_beside;

/// Counters for the indexes from `first` on, never more than [`BUCKETS_MAX`] of them. Some at both
/// ends may be zero: blocks grow by whole octaves.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    first: i32,
    slots: Slots,
}

impl Dense {
    /// A block of zeros for indexes from `lowest` to `highest`, which span no more than
    /// [`BUCKETS_MAX`], with counters that may sum up to `sum`.
    pub(crate) fn covering(lowest: i32, highest: i32, sum: u64) -> Self {
        let range = rounded(lowest, highest);
        Self { first: range.start, slots: Slots::zeros(range.len(), sum) }
    }

    pub(crate) fn first(&self) -> i32 {
        self.first
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.slots.heap_bytes()
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill_zero();
    }

    /// Counts one in a bucket of the block if its counter is narrow; says whether it did.
    /// The caller has seen to it that the sum still fits.
    #[inline]
    pub(crate) fn count_one_narrow(&mut self, index: i32) -> bool {
        let at = index.wrapping_sub(self.first) as u32 as usize;
        if let Slots::Narrow(slots) = &mut self.slots
            && let Some(slot) = slots.get_mut(at)
        {
            *slot = slot.wrapping_add(1);
            true
        } else {
            false
        }
    }

    /// Adds to one bucket; `sum` is that of all buckets afterwards.
    pub(crate) fn add(&mut self, index: i32, count: u64, sum: u64) {
        self.slots.widen_for(sum);
        let at = match self.slot_of(index) {
            Some(at) => at,
            None => self.make_room(index, index, sum),
        };
        self.slots.add(at, count);
    }

    /// Makes the block ready for [`Self::add_prepared`] of buckets from `lowest` to `highest`; `sum` is
    /// that of all buckets afterwards.
    pub(crate) fn prepare(&mut self, lowest: i32, highest: i32, sum: u64) {
        self.slots.widen_for(sum);
        if self.slot_of(lowest).is_none() || self.slot_of(highest).is_none() {
            self.make_room(lowest, highest, sum);
        }
    }

    /// Adds to one bucket of those that were prepared for. What lies below the block collapses: then
    /// its first bucket is the lowest that may stand beside the highest.
    #[inline]
    pub(crate) fn add_prepared(&mut self, index: i32, count: u64) {
        self.slots.add((index - self.first).max(0) as usize, count);
    }

    /// Adds another block; `sum` is that of all buckets afterwards, `None` if it does not fit 64 bits.
    pub(crate) fn merge(&mut self, other: &Self, sum: Option<u64>) {
        let (saturates, sum) = (sum.is_none(), sum.unwrap_or(u64::MAX));
        self.slots.widen_for(sum);
        let mut from = 0..other.slots.len();
        if self.slot_of(other.first).is_none() || self.slot_of(other.index_of(from.end - 1)).is_none() {
            from = other.slots.used();
            if from.is_empty() {
                return;
            }
            self.make_room(other.index_of(from.start), other.index_of(from.end - 1), sum);
        }
        let below = self.first.saturating_sub(other.index_of(from.start)).max(0) as usize;
        if below > 0 {
            let collapsed = from.start..from.end.min(from.start + below);
            self.slots.add(0, other.slots.sum(collapsed.clone()));
            from.start = collapsed.end;
        }
        if !from.is_empty() {
            let at = (other.index_of(from.start) - self.first) as usize;
            self.slots.add_range(at, &other.slots, from, saturates);
        }
    }

    /// Takes away up to `count` of one bucket; what lies below the block was counted in its lowest.
    pub(crate) fn remove(&mut self, index: i32, count: u64) {
        if let Some(at) = self.slot_of(index) {
            self.slots.remove(at, count);
        }
    }

    /// Count of one bucket.
    pub(crate) fn get(&self, index: i32) -> u64 {
        self.slot_of(index).map_or(0, |at| self.slots.get(at))
    }

    /// Sum of the buckets above one, saturating.
    pub(crate) fn sum_above(&self, index: i32) -> u64 {
        let from = index.saturating_add(1).saturating_sub(self.first).max(0) as usize;
        self.slots.sum(from.min(self.slots.len())..self.slots.len())
    }

    /// Sum of all buckets, saturating.
    pub(crate) fn sum(&self) -> u64 {
        self.slots.sum(0..self.slots.len())
    }

    /// Highest bucket that is not empty.
    pub(crate) fn highest(&self) -> Option<i32> {
        let used = self.slots.used();
        (!used.is_empty()).then(|| self.index_of(used.end - 1))
    }

    fn index_of(&self, at: usize) -> i32 {
        self.first + at as i32
    }

    fn slot_of(&self, index: i32) -> Option<usize> {
        let at = usize::try_from(index.wrapping_sub(self.first)).ok()?;
        (at < self.slots.len()).then_some(at)
    }

    /// Moves the block so that it holds what it holds now and `lowest..=highest`, collapsing from below
    /// what is too much. Gives the slot of `lowest`, or of the bucket that it collapsed into.
    fn make_room(&mut self, lowest: i32, highest: i32, sum: u64) -> usize {
        let used = self.slots.used();
        let (mut low, mut high) = (lowest, highest);
        if !used.is_empty() {
            low = low.min(self.index_of(used.start));
            high = high.max(self.index_of(used.end - 1));
        }
        low = low.max(lowest_beside(high));
        let old = std::mem::replace(self, Self::covering(low, high, sum));
        for at in used {
            let index = old.index_of(at).max(low);
            self.slots.add((index - self.first) as usize, old.slots.get(at));
        }
        (lowest.max(low) - self.first) as usize
    }
}

/// `lowest..=highest` rounded to whole octaves, but for the lower end where that would be too long.
fn rounded(lowest: i32, highest: i32) -> Range<i32> {
    let start = lowest.div_euclid(BUCKETS_PER_OCTAVE) * BUCKETS_PER_OCTAVE;
    let end = (highest.div_euclid(BUCKETS_PER_OCTAVE) + 1) * BUCKETS_PER_OCTAVE;
    if (end - start) as usize <= BUCKETS_MAX { start..end } else { lowest_beside(highest)..highest + 1 }
}

//! Counters of a dense block, as narrow as they may be.
//!
//! Which width is enough follows from the sum of all counters alone, so that no addition of single
//! counters has to be checked, and whole blocks are added in a loop that vectorises.

use std::ops::Range;

/// Consecutive counters.
#[derive(Clone, Debug)]
pub(crate) enum Slots {
    /// While the sum of all counters fits 32 bits.
    Narrow(Vec<u32>),
    /// Otherwise.
    Wide(Vec<u64>),
}

impl Slots {
    /// `len` zeros, wide enough for counters that sum up to `sum`.
    pub(crate) fn zeros(len: usize, sum: u64) -> Self {
        if u32::try_from(sum).is_ok() { Self::Narrow(vec![0; len]) } else { Self::Wide(vec![0; len]) }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(slots) => slots.len(),
            Self::Wide(slots) => slots.len(),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Narrow(slots) => slots.capacity() * size_of::<u32>(),
            Self::Wide(slots) => slots.capacity() * size_of::<u64>(),
        }
    }

    pub(crate) fn get(&self, at: usize) -> u64 {
        match self {
            Self::Narrow(slots) => u64::from(slots[at]),
            Self::Wide(slots) => slots[at],
        }
    }

    /// Makes the counters wide enough to sum up to `sum`. Never narrows them.
    pub(crate) fn widen_for(&mut self, sum: u64) {
        if let Self::Narrow(slots) = self
            && u32::try_from(sum).is_err()
        {
            *self = Self::Wide(slots.iter().copied().map(u64::from).collect());
        }
    }

    /// Adds to one counter, which is wide enough.
    #[inline]
    pub(crate) fn add(&mut self, at: usize, count: u64) {
        match self {
            Self::Narrow(slots) => slots[at] = slots[at].wrapping_add(count as u32),
            Self::Wide(slots) => slots[at] = slots[at].saturating_add(count),
        }
    }

    /// Takes from one counter, down to zero.
    pub(crate) fn remove(&mut self, at: usize, count: u64) {
        match self {
            Self::Narrow(slots) => {
                slots[at] = slots[at].saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            }
            Self::Wide(slots) => slots[at] = slots[at].saturating_sub(count),
        }
    }

    /// Adds as many of `other`'s counters as `from` names, the first of them to the counter at `at`.
    /// These counters are wide enough; `saturates` says that even 64 bits may not be.
    pub(crate) fn add_range(&mut self, at: usize, other: &Self, from: Range<usize>, saturates: bool) {
        let to = at..at + from.len();
        match (self, other) {
            (Self::Narrow(mine), Self::Narrow(theirs)) => {
                for (mine, their) in mine[to].iter_mut().zip(&theirs[from]) {
                    *mine = mine.wrapping_add(*their);
                }
            }
            (Self::Narrow(mine), Self::Wide(theirs)) => {
                for (mine, their) in mine[to].iter_mut().zip(&theirs[from]) {
                    *mine = mine.wrapping_add(*their as u32);
                }
            }
            (Self::Wide(mine), Self::Narrow(theirs)) => {
                for (mine, their) in mine[to].iter_mut().zip(&theirs[from]) {
                    *mine = mine.saturating_add(u64::from(*their));
                }
            }
            (Self::Wide(mine), Self::Wide(theirs)) if saturates => {
                for (mine, their) in mine[to].iter_mut().zip(&theirs[from]) {
                    *mine = mine.saturating_add(*their);
                }
            }
            (Self::Wide(mine), Self::Wide(theirs)) => {
                for (mine, their) in mine[to].iter_mut().zip(&theirs[from]) {
                    *mine = mine.wrapping_add(*their);
                }
            }
        }
    }

    /// Sum of a range of counters, saturating.
    pub(crate) fn sum(&self, range: Range<usize>) -> u64 {
        match self {
            Self::Narrow(slots) => u64::from(slots[range].iter().copied().fold(0, u32::wrapping_add)),
            Self::Wide(slots) => slots[range].iter().copied().fold(0, u64::saturating_add),
        }
    }

    /// From the first counter that is not zero to behind the last; empty if all are.
    pub(crate) fn used(&self) -> Range<usize> {
        let (first, last) = match self {
            Self::Narrow(slots) => (slots.iter().position(|n| *n != 0), slots.iter().rposition(|n| *n != 0)),
            Self::Wide(slots) => (slots.iter().position(|n| *n != 0), slots.iter().rposition(|n| *n != 0)),
        };
        match (first, last) {
            (Some(first), Some(last)) => first..last + 1,
            _ => 0..0,
        }
    }

    pub(crate) fn fill_zero(&mut self) {
        match self {
            Self::Narrow(slots) => slots.fill(0),
            Self::Wide(slots) => slots.fill(0),
        }
    }
}

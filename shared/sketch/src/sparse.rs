//! Few buckets: a list sorted by index, 16 bytes a bucket.

use crate::BUCKETS_MAX;

/// Longest list; with one bucket more the sketch becomes a dense block.
pub(crate) const SPARSE_BUCKETS_MAX: usize = 48;

/// A bucket's index and its count, which is never zero.
pub(crate) type Bucket = (i32, u64);

/// Buckets sorted by index, at most [`SPARSE_BUCKETS_MAX`] of them, never spanning more than
/// [`BUCKETS_MAX`] indexes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse(Vec<Bucket>);

/// The list has no place for what was to be added, and is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Sparse {
    pub(crate) fn buckets(&self) -> &[Bucket] {
        &self.0
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Bucket>()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Count of one bucket.
    pub(crate) fn get(&self, index: i32) -> u64 {
        self.0.binary_search_by_key(&index, |bucket| bucket.0).map_or(0, |at| self.0[at].1)
    }

    /// Adds `count` to one bucket.
    #[inline]
    pub(crate) fn add(&mut self, index: i32, count: u64) -> Result<(), Full> {
        let at = self.0.partition_point(|bucket| bucket.0 < index);
        if let Some(bucket) = self.0.get_mut(at)
            && bucket.0 == index
        {
            bucket.1 = bucket.1.saturating_add(count);
            return Ok(());
        }
        self.add_new(at, index, count)
    }

    fn add_new(&mut self, at: usize, index: i32, count: u64) -> Result<(), Full> {
        if let Some(highest) = self.0.last()
            && index < lowest_beside(highest.0)
        {
            return self.add(lowest_beside(highest.0), count);
        }
        if self.0.len() == SPARSE_BUCKETS_MAX {
            return Err(Full);
        }
        self.reserve_to(self.0.len() + 1);
        self.0.insert(at, (index, count));
        self.collapse();
        Ok(())
    }

    /// Adds another sorted list, from the back and in place.
    pub(crate) fn merge(&mut self, other: &[Bucket]) -> Result<(), Full> {
        let union = union_len(&self.0, other);
        if union > SPARSE_BUCKETS_MAX {
            return Err(Full);
        }
        let (mut mine, mut theirs, mut at) = (self.0.len(), other.len(), union);
        self.reserve_to(union);
        self.0.resize(union, (0, 0));
        while theirs > 0 {
            at -= 1;
            let their = other[theirs - 1];
            if mine > 0 && self.0[mine - 1].0 >= their.0 {
                mine -= 1;
                self.0[at] = self.0[mine];
                if self.0[at].0 == their.0 {
                    self.0[at].1 = self.0[at].1.saturating_add(their.1);
                    theirs -= 1;
                }
            } else {
                theirs -= 1;
                self.0[at] = their;
            }
        }
        self.collapse();
        Ok(())
    }

    /// Makes place for `len` buckets, doubling so that growth stays cheap.
    fn reserve_to(&mut self, len: usize) {
        if len > self.0.capacity() {
            let wanted = len.next_power_of_two().clamp(4, SPARSE_BUCKETS_MAX);
            self.0.reserve_exact(wanted - self.0.len());
        }
    }

    /// Takes away up to `count` of one bucket; what is not there is not taken.
    pub(crate) fn remove(&mut self, index: i32, count: u64) {
        if let Ok(at) = self.0.binary_search_by_key(&index, |bucket| bucket.0) {
            self.0[at].1 = self.0[at].1.saturating_sub(count);
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }

    /// Folds what lies too far below the highest bucket into the lowest one that may stand beside it.
    fn collapse(&mut self) {
        let (Some(lowest), Some(highest)) = (self.0.first(), self.0.last()) else { return };
        let floor = lowest_beside(highest.0);
        if lowest.0 >= floor {
            return;
        }
        let below = self.0.partition_point(|bucket| bucket.0 < floor);
        let folded = self.0.drain(..below).fold(0, |sum: u64, bucket| sum.saturating_add(bucket.1));
        match self.0.first_mut() {
            Some(bucket) if bucket.0 == floor => bucket.1 = bucket.1.saturating_add(folded),
            _ => self.0.insert(0, (floor, folded)),
        }
    }
}

/// The lowest bucket that may stand beside `highest`.
pub(crate) const fn lowest_beside(highest: i32) -> i32 {
    highest - (BUCKETS_MAX as i32 - 1)
}

/// Number of different indexes in two sorted lists.
fn union_len(a: &[Bucket], b: &[Bucket]) -> usize {
    let (mut i, mut j, mut both) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let (left, right) = (a[i].0, b[j].0);
        both += usize::from(left == right);
        i += usize::from(left <= right);
        j += usize::from(right <= left);
    }
    a.len() + b.len() - both
}

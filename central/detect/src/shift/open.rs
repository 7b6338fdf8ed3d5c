//! Seconds that are not settled yet.

use crate::Counts;

/// Most seconds that are open at once; the oldest is settled by force when one more comes.
const OPEN_MAX: usize = 16;

/// Seconds after the settled one, in order, each as it is known by now.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Open {
    seconds: [(i64, Counts); OPEN_MAX],
    len: usize,
    settled: Option<i64>,
}

impl Open {
    pub(super) fn settled_at(second: i64) -> Self {
        Self { settled: Some(second), ..Self::default() }
    }

    pub(super) const fn settled(&self) -> Option<i64> {
        self.settled
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Replaces what is known of a second. Of more than [`OPEN_MAX`] the newest are kept open.
    pub(super) fn set(&mut self, second: i64, counts: Counts) {
        if self.settled.is_some_and(|settled| second <= settled) {
            return;
        }
        let at = self.seconds[..self.len].partition_point(|(other, _)| *other < second);
        if at < self.len && self.seconds[at].0 == second {
            self.seconds[at].1 = counts;
        } else if self.len < OPEN_MAX {
            self.seconds.copy_within(at..self.len, at + 1);
            self.seconds[at] = (second, counts);
            self.len += 1;
        } else if at > 0 {
            // A second that cannot wait is passed over; it is neither weighed nor learned from.
            self.settled = Some(self.seconds[0].0);
            self.seconds.copy_within(1..at, 0);
            self.seconds[at - 1] = (second, counts);
        }
    }

    /// Takes the oldest second out, if it is not after `until`, as settled.
    pub(super) fn next(&mut self, until: i64) -> Option<(i64, Counts)> {
        let (second, counts) = *self.seconds[..self.len].first().filter(|(second, _)| *second <= until)?;
        self.seconds.copy_within(1..self.len, 0);
        self.len -= 1;
        self.settled = Some(second);
        Some((second, counts))
    }

    /// Every open second, oldest first.
    pub(super) fn each(&self, mut each: impl FnMut(i64, Counts)) {
        self.seconds[..self.len].iter().for_each(|(second, counts)| each(*second, *counts));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn seconds_come_out_once_in_their_order_whatever_order_they_came_in(
            notes in prop::collection::vec((0_i64..60, 1_u64..9, any::<bool>()), 0..200),
        ) {
            let (mut open, mut last) = (Open::default(), i64::MIN);
            for (second, count, takes) in notes {
                open.set(second, Counts::new(0, count));
                let mut before = open.settled().unwrap_or(i64::MIN);
                open.each(|second, _| {
                    assert!(second > before);
                    before = second;
                });
                if takes && let Some((taken, _)) = open.next(second - 3) {
                    prop_assert!(taken > last && taken <= second - 3);
                    last = taken;
                    prop_assert_eq!(open.settled(), Some(taken));
                }
            }
        }
    }
}

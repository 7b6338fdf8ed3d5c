//! The running sums of one window, second by second.

use goldentime_model::Second;
use serde::{Deserialize, Serialize};

/// How many seconds behind the head a window may end and still be summed at once: windows are fired
/// on at the head, and settled on at the newest complete second, which is a little older.
pub const SETTLE_SECONDS: usize = 3;

/// What one second adds to a window.
///
/// For a share, `seen` events of which between `bad_low` and `bad_high` were bad (they differ by what
/// lies inside the threshold's own sketch bucket). For traffic only `seen` is used; for a gauge the
/// events are readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Events.
    pub seen: u64,
    /// Events that were surely bad.
    pub bad_low: u64,
    /// Events that may have been bad.
    pub bad_high: u64,
}

impl Tally {
    /// The sum of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            seen: self.seen.saturating_add(other.seen),
            bad_low: self.bad_low.saturating_add(other.bad_low),
            bad_high: self.bad_high.saturating_add(other.bad_high),
        }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self {
            seen: self.seen.saturating_sub(other.seen),
            bad_low: self.bad_low.saturating_sub(other.bad_low),
            bad_high: self.bad_high.saturating_sub(other.bad_high),
        }
    }
}

/// Tallies of the newest `window + SETTLE_SECONDS` seconds with their sum, so that the sum of a
/// window costs the same however long the window is.
///
/// Invariant: `sum` is the sum of `slots`, and a slot holds the tally of the one second in
/// `head - len < second <= head` that is congruent to its index.
#[derive(Clone, Debug)]
pub struct Ring {
    slots: Box<[Tally]>,
    head: Second,
    sum: Tally,
    window_s: u32,
}

impl Ring {
    /// An empty ring for windows of `window_s` seconds that ends at `head`.
    #[must_use]
    pub fn new(window_s: u32, head: Second) -> Self {
        let window_s = window_s.max(1);
        let len = window_s as usize + SETTLE_SECONDS;
        Self { slots: vec![Tally::default(); len].into_boxed_slice(), head, sum: Tally::default(), window_s }
    }

    /// The newest second.
    #[must_use]
    pub const fn head(&self) -> Second {
        self.head
    }

    /// Whether `second` still lies in a window that ends at the head or a little before.
    #[must_use]
    pub fn holds(&self, second: Second) -> bool {
        second <= self.head && second > self.head.offset(-(self.slots.len() as i64))
    }

    /// Moves the head forward to `second`; what falls out behind is forgotten. Never moves back.
    pub fn advance(&mut self, second: Second) {
        if second <= self.head {
            return;
        }
        let steps = second.0.saturating_sub(self.head.0);
        if steps >= self.slots.len() as i64 {
            self.slots.fill(Tally::default());
            self.sum = Tally::default();
        } else {
            for step in 1..=steps {
                let at = self.index(self.head.offset(step));
                self.sum = self.sum.minus(std::mem::take(&mut self.slots[at]));
            }
        }
        self.head = second;
    }

    /// Replaces the tally of `second`, moving the head to it where it is newer. A second that has
    /// left the ring is ignored.
    pub fn set(&mut self, second: Second, tally: Tally) {
        self.advance(second);
        if self.holds(second) {
            let at = self.index(second);
            let before = std::mem::replace(&mut self.slots[at], tally);
            self.sum = self.sum.minus(before).plus(tally);
        }
    }

    /// The tally of one second; none where it is not held.
    #[must_use]
    pub fn get(&self, second: Second) -> Tally {
        if self.holds(second) { self.slots[self.index(second)] } else { Tally::default() }
    }

    /// All seconds that are held, oldest first.
    pub fn seconds(&self) -> impl Iterator<Item = Second> + use<> {
        let (head, len) = (self.head, self.slots.len() as i64);
        (1 - len..=0).map(move |behind| head.offset(behind))
    }

    /// The sum of the window that ends with `end`, which is brought into `head - SETTLE_SECONDS ..= head`.
    #[must_use]
    pub fn window(&self, end: Second) -> Tally {
        let behind = self.head.0.saturating_sub(end.0).clamp(0, SETTLE_SECONDS as i64);
        let oldest = self.head.offset(1 - self.slots.len() as i64);
        let mut sum = self.sum;
        for newer in 0..behind {
            sum = sum.minus(self.slots[self.index(self.head.offset(-newer))]);
        }
        for older in 0..(SETTLE_SECONDS as i64 - behind) {
            sum = sum.minus(self.slots[self.index(oldest.offset(older))]);
        }
        sum
    }

    /// Length of the window in seconds.
    #[must_use]
    pub const fn window_s(&self) -> u32 {
        self.window_s
    }

    /// Whether no second in reach holds anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sum == Tally::default()
    }

    fn index(&self, second: Second) -> usize {
        second.0.rem_euclid(self.slots.len() as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_window_is_the_sum_of_its_seconds_whatever_order_they_came_in(
            window_s in 1_u32..40,
            writes in prop::collection::vec((0_i64..120, 0_u64..1000, 0_u64..100), 1..200),
            behind in 0_i64..4,
        ) {
            let mut ring = Ring::new(window_s, Second(0));
            let mut naive = BTreeMap::new();
            for (second, seen, bad) in writes {
                let tally = Tally { seen, bad_low: bad.min(seen), bad_high: bad };
                let in_reach = second > ring.head().0 - i64::from(window_s) - SETTLE_SECONDS as i64;
                ring.set(Second(second), tally);
                if in_reach {
                    naive.insert(second, tally);
                }
                let end = ring.head().0 - behind;
                let expected = naive
                    .range(end - i64::from(window_s) + 1..=end)
                    .fold(Tally::default(), |sum, (_, tally)| sum.plus(*tally));
                prop_assert_eq!(ring.window(Second(end)), expected);
            }
        }

        #[test]
        fn a_ring_that_only_advances_forgets_everything_in_the_end(window_s in 1_u32..40, jump in 0_i64..100) {
            let mut ring = Ring::new(window_s, Second(10));
            ring.set(Second(10), Tally { seen: 5, bad_low: 1, bad_high: 2 });
            ring.advance(Second(10 + jump));
            let left = jump < i64::from(window_s);
            prop_assert_eq!(ring.window(ring.head()).seen, if left { 5 } else { 0 });
        }
    }

    #[test]
    fn a_second_before_the_epoch_has_its_slot_too() {
        let mut ring = Ring::new(5, Second(-10));
        ring.set(Second(-9), Tally { seen: 3, bad_low: 0, bad_high: 0 });
        assert_eq!(ring.window(Second(-9)).seen, 3);
    }
}

//! Sums of windows that end now, over slots of one width.

use goldentime_model::Second;

use super::super::ring::Tally;

/// Slots of one width with the sums of several windows over them: whatever a window's length, it costs
/// the same to move on and to read.
///
/// A window of slots wider than a second begins with a whole slot: it is exact at the last second of
/// each slot, and up to one slot longer in between.
///
/// Invariant: a slot holds the events of its seconds; each sum is that of its newest slots.
#[derive(Clone, Debug)]
pub(super) struct Tier {
    width_s: i64,
    slots: Box<[Tally]>,
    head: Second,
    sums: Vec<WindowSum>,
}

#[derive(Clone, Debug)]
struct WindowSum {
    window_s: u32,
    slots: i64,
    sum: Tally,
}

impl Tier {
    /// Empty, for windows of these lengths in seconds.
    pub(super) fn new(width_s: i64, windows_s: &[u32], head: Second) -> Self {
        let slots_of = |window_s: u32| {
            let whole = (i64::from(window_s) + width_s - 1) / width_s;
            if width_s == 1 { whole } else { whole + 1 }
        };
        let of = |window_s: &u32| WindowSum {
            window_s: *window_s,
            slots: slots_of(*window_s).max(1),
            sum: Tally::default(),
        };
        let sums: Vec<_> = windows_s.iter().map(of).collect();
        let len = sums.iter().map(|window| window.slots).max().unwrap_or(1);
        let len = usize::try_from(len).unwrap_or(1);
        Self { width_s, slots: vec![Tally::default(); len].into_boxed_slice(), head, sums }
    }

    pub(super) const fn width_s(&self) -> i64 {
        self.width_s
    }

    /// How far back its longest window reaches, in seconds.
    pub(super) fn reach_s(&self) -> i64 {
        self.slots.len() as i64 * self.width_s
    }

    /// Moves on to `second`; what falls out of a window is taken off its sum. Never moves back.
    pub(super) fn advance(&mut self, second: Second) {
        if second <= self.head {
            return;
        }
        let (from, to) = (self.slot_of(self.head), self.slot_of(second));
        self.head = second;
        if to - from >= self.slots.len() as i64 {
            self.slots.fill(Tally::default());
            self.sums.iter_mut().for_each(|window| window.sum = Tally::default());
            return;
        }
        for slot in from + 1..=to {
            for at in 0..self.sums.len() {
                let gone = self.slots[self.index(slot - self.sums[at].slots)];
                self.sums[at].sum = self.sums[at].sum.minus(gone);
            }
            let at = self.index(slot);
            self.slots[at] = Tally::default();
        }
    }

    /// What `second` held is now `after` instead of `before`. A second that has left every window is
    /// ignored.
    pub(super) fn change(&mut self, second: Second, before: Tally, after: Tally) {
        self.advance(second);
        let (slot, newest) = (self.slot_of(second), self.slot_of(self.head));
        if newest - slot >= self.slots.len() as i64 {
            return;
        }
        let at = self.index(slot);
        self.slots[at] = self.slots[at].minus(before).plus(after);
        for window in self.sums.iter_mut().filter(|window| newest - slot < window.slots) {
            window.sum = window.sum.minus(before).plus(after);
        }
    }

    /// The sum of one of its windows, ending with its head.
    pub(super) fn sum(&self, window_s: u32) -> Option<Tally> {
        let window = self.sums.iter().find(|window| window.window_s == window_s)?;
        let is_slots_end = (self.head.0 + 1).rem_euclid(self.width_s) == 0;
        if self.width_s == 1 || !is_slots_end {
            return Some(window.sum);
        }
        let oldest = self.slots[self.index(self.slot_of(self.head) - window.slots + 1)];
        Some(window.sum.minus(oldest))
    }

    const fn slot_of(&self, second: Second) -> i64 {
        second.0.div_euclid(self.width_s)
    }

    fn index(&self, slot: i64) -> usize {
        slot.rem_euclid(self.slots.len() as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn events(seen: u64, bad: u64) -> Tally {
        Tally { seen, bad_low: bad.min(seen), bad_high: bad.min(seen) }
    }

    proptest! {
        #[test]
        fn a_window_is_the_sum_of_its_slots_whatever_order_events_come_in(
            width_s in prop::sample::select(vec![1_i64, 10, 60]),
            writes in prop::collection::vec((0_i64..20, 0_u64..50, 0_u64..50, 0_i64..30), 1..200),
        ) {
            let windows = [60_u32, 90, 180];
            let mut tier = Tier::new(width_s, &windows, Second(0));
            let mut held: BTreeMap<i64, Tally> = BTreeMap::new();
            let mut head = 0;
            for (step, seen, bad, behind) in writes {
                head += step;
                tier.advance(Second(head));
                let (second, after) = ((head - behind).max(0), events(seen, bad));
                let before = held.insert(second, after).unwrap_or_default();
                tier.change(Second(second), before, after);
                for window_s in windows {
                    let first = (head - i64::from(window_s) + 1).div_euclid(width_s) * width_s;
                    let first = match (width_s, (head + 1) % width_s) {
                        (1, _) => first,
                        // Whole slots, as many as fit, and the present one.
                        (_, 0) => head + 1 - (i64::from(window_s) + width_s - 1) / width_s * width_s,
                        _ => (head.div_euclid(width_s) - (i64::from(window_s) + width_s - 1) / width_s) * width_s,
                    };
                    let naive = held.range(first..=head).fold(Tally::default(), |sum, (_, one)| sum.plus(*one));
                    prop_assert_eq!(tier.sum(window_s), Some(naive), "{} s by {} s at {}", window_s, width_s, head);
                }
            }
        }
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut tier = Tier::new(60, &[3600], Second(0));
        tier.change(Second(30), Tally::default(), events(10, 1));
        tier.advance(Second(3_599));
        assert_eq!(tier.sum(3600).map(|sum| sum.seen), Some(10));
        tier.advance(Second(3_659));
        assert_eq!(tier.sum(3600).map(|sum| sum.seen), Some(0));
        tier.change(Second(30), Tally::default(), events(10, 1));
        assert_eq!(tier.sum(3600).map(|sum| sum.seen), Some(0));
        assert_eq!(tier.sum(60), None);
    }
}

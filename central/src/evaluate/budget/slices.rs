//! Slices of time as events: OpenSLO's Timeslices and RatioTimeslices.

use std::collections::BTreeMap;

use goldentime_model::Second;

use super::super::ring::Tally;
use super::objective::GoodSlice;
use super::track::Past;

/// A slice of RatioTimeslices counts as so many events, so that its share is kept in whole numbers.
pub const RATIO_UNIT: u64 = 1_000_000_000;

/// For how long after its end a slice still changes with its seconds.
const KEPT_S: i64 = 60;

/// The slices of one track that are not over, or were just now.
#[derive(Clone, Debug)]
pub(super) struct Slices {
    slice_s: i64,
    good: GoodSlice,
    /// What each slice holds, by its number.
    held: BTreeMap<i64, Held>,
    /// The first slice that is not over.
    next: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    sum: Tally,
    event: Tally,
}

/// An event whose tally changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Changed {
    pub(super) second: Second,
    pub(super) before: Tally,
    pub(super) after: Tally,
}

impl Slices {
    /// From the slice that holds `from` on.
    pub(super) fn new(slice_s: u32, good: GoodSlice, from: Second) -> Self {
        let slice_s = i64::from(slice_s.max(1));
        Self { slice_s, good, held: BTreeMap::new(), next: from.0.div_euclid(slice_s) }
    }

    /// Length of a slice in seconds.
    pub(super) const fn slice_s(&self) -> i64 {
        self.slice_s
    }

    /// First second of the first slice that is not over.
    pub(super) const fn open_from(&self) -> Second {
        Second(self.next * self.slice_s)
    }

    /// What `second` held is now `after` instead of `before`. Of a slice that is over the event changes.
    pub(super) fn change(&mut self, second: Second, before: Tally, after: Tally) -> Option<Changed> {
        let number = second.0.div_euclid(self.slice_s);
        let is_over = number < self.next;
        if is_over && !self.held.contains_key(&number) {
            return None;
        }
        let held = self.held.entry(number).or_default();
        held.sum = held.sum.minus(before).plus(after);
        if !is_over {
            return None;
        }
        let event = event(self.good, self.slice_s, held.sum, 0.0);
        let before = std::mem::replace(&mut held.event, event);
        Some(Changed { second: last_of(number, self.slice_s), before, after: event })
    }

    /// Ends the slices whose last second is `settled` or before. `missing` says how many events of a
    /// slice, by its last second, were expected and not seen.
    pub(super) fn close(
        &mut self,
        settled: Second,
        missing: impl Fn(Second) -> f64,
        mut each: impl FnMut(Changed),
    ) {
        let until = (settled.0 + 1).div_euclid(self.slice_s);
        if until - self.next > 100_000 && self.held.is_empty() {
            // After a leap of time nobody was there to see anything.
            self.next = until;
        }
        while self.next < until {
            let (number, second) = (self.next, last_of(self.next, self.slice_s));
            self.next += 1;
            let is_floor = matches!(self.good, GoodSlice::RateAtLeast(_));
            let Some(held) = self.held.get_mut(&number) else {
                if is_floor {
                    let held = Held {
                        event: event(self.good, self.slice_s, Tally::default(), missing(second)),
                        ..Held::default()
                    };
                    self.held.insert(number, held);
                    each(Changed { second, before: Tally::default(), after: held.event });
                }
                continue;
            };
            held.event = event(self.good, self.slice_s, held.sum, missing(second));
            each(Changed { second, before: Tally::default(), after: held.event });
        }
        let kept = (settled.0 - KEPT_S).div_euclid(self.slice_s);
        self.held = self.held.split_off(&kept);
    }

    /// The events of stored history, by time. What belongs to the slice that is not over is added to it.
    pub(super) fn past(&mut self, past: &[Past]) -> Vec<Changed> {
        let mut events = Vec::new();
        let mut sums: BTreeMap<i64, Tally> = BTreeMap::new();
        let changed = |second, after| Changed { second, before: Tally::default(), after };
        for Past { at, width_s, tally } in past {
            let number = at.0.div_euclid(self.slice_s);
            if *width_s > self.slice_s {
                events.push(changed(*at, self.of_history(*tally, *width_s as f64 / self.slice_s as f64)));
            } else if number >= self.next {
                let held = self.held.entry(number).or_default();
                held.sum = held.sum.plus(*tally);
            } else {
                let sum = sums.entry(number).or_default();
                *sum = sum.plus(*tally);
            }
        }
        let whole = sums
            .into_iter()
            .map(|(number, sum)| changed(last_of(number, self.slice_s), self.of_history(sum, 1.0)));
        events.extend(whole);
        events
    }

    /// The event that `sum` over `slices` whole slices makes, each of which may have any part of it.
    fn of_history(&self, sum: Tally, slices: f64) -> Tally {
        let one = |good| event(good, self.slice_s, sum, 0.0);
        match self.good {
            _ if slices <= 1.0 => one(self.good),
            GoodSlice::AsItsShare => scaled(one(self.good), slices),
            GoodSlice::RateAtLeast(floor) => scaled(one(GoodSlice::RateAtLeast(floor * slices)), slices),
            GoodSlice::ShareAtLeast(target) => {
                let (seen, count) = (sum.seen as f64, slices.round());
                if sum.seen == 0 {
                    return Tally::default();
                }
                // A bad slice holds more bad ones than this, with the requests spread evenly.
                let needed = seen / count * (1.0 - target);
                let most =
                    |bad: u64| if needed > 0.0 { (bad as f64 / needed).floor().min(count) } else { count };
                let low = if sum.bad_low == sum.seen { count } else { 0.0 };
                let high = if sum.bad_high == 0 { 0.0 } else { most(sum.bad_high) };
                Tally { seen: count as u64, bad_low: low as u64, bad_high: high.max(low) as u64 }
            }
        }
    }
}

/// Last second of a slice.
const fn last_of(number: i64, slice_s: i64) -> Second {
    Second((number + 1) * slice_s - 1)
}

fn scaled(event: Tally, slices: f64) -> Tally {
    let by = |count: u64| (count as f64 * slices).round() as u64;
    Tally { seen: by(event.seen), bad_low: by(event.bad_low), bad_high: by(event.bad_high) }
}

fn event(good: GoodSlice, slice_s: i64, sum: Tally, missing: f64) -> Tally {
    let missing = missing.max(0.0);
    if let GoodSlice::RateAtLeast(floor) = good {
        let rate = |events: f64| events / slice_s as f64;
        let low = rate(sum.seen as f64 + missing) < floor;
        let high = rate(sum.seen as f64) < floor;
        return Tally { seen: 1, bad_low: u64::from(low), bad_high: u64::from(high) };
    }
    let events = sum.seen as f64 + missing;
    if events <= 0.0 {
        return Tally::default();
    }
    let (low, high) = (sum.bad_low as f64 / events, (sum.bad_high as f64 + missing) / events);
    match good {
        GoodSlice::AsItsShare => {
            let units = |share: f64| (share.min(1.0) * RATIO_UNIT as f64).round() as u64;
            Tally { seen: RATIO_UNIT, bad_low: units(low), bad_high: units(high) }
        }
        GoodSlice::ShareAtLeast(target) => {
            // As for every share: the last rounding of decimal fractions is no difference.
            let limit = ((1.0 - target) * 1e12).round() / 1e12;
            Tally { seen: 1, bad_low: u64::from(low > limit), bad_high: u64::from(high > limit) }
        }
        GoodSlice::RateAtLeast(_) => Tally::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(seen: u64, bad: u64) -> Tally {
        Tally { seen, bad_low: bad, bad_high: bad }
    }

    fn closed(slices: &mut Slices, settled: i64, missing: f64) -> Vec<(i64, Tally)> {
        let mut found = Vec::new();
        slices.close(Second(settled), |_| missing, |changed| found.push((changed.second.0, changed.after)));
        found
    }

    #[test]
    fn a_slice_is_one_event_once_it_is_over() {
        let mut slices = Slices::new(60, GoodSlice::ShareAtLeast(0.95), Second(0));
        for second in 0..120 {
            let bad = if second < 60 { 1 } else { 0 };
            assert_eq!(slices.change(Second(second), Tally::default(), events(20, bad)), None);
        }
        assert_eq!(closed(&mut slices, 58, 0.0), []);
        // 5% bad is exactly what may be.
        assert_eq!(closed(&mut slices, 59, 0.0), [(59, events(1, 0))]);
        assert_eq!(closed(&mut slices, 125, 0.0), [(119, events(1, 0))]);
        // One more bad request in a second that is still open to change.
        let changed = slices.change(Second(100), events(20, 0), events(20, 20)).expect("changed");
        assert_eq!(
            (changed.second, changed.before, changed.after),
            (Second(119), events(1, 0), events(1, 0))
        );
        let changed = slices.change(Second(101), events(20, 0), events(80, 80)).expect("changed");
        assert_eq!(changed.after, events(1, 1));
    }

    #[test]
    fn slices_without_requests_count_for_floors_only() {
        let mut shares = Slices::new(10, GoodSlice::ShareAtLeast(0.9), Second(0));
        assert_eq!(closed(&mut shares, 100, 0.0), []);
        let mut floor = Slices::new(10, GoodSlice::RateAtLeast(1.0), Second(0));
        assert_eq!(floor.change(Second(3), Tally::default(), events(10, 0)), None);
        assert_eq!(closed(&mut floor, 19, 0.0), [(9, events(1, 0)), (19, events(1, 1))]);
    }

    #[test]
    fn what_is_missing_makes_the_event_an_interval() {
        let mut slices = Slices::new(10, GoodSlice::ShareAtLeast(0.9), Second(0));
        slices.change(Second(3), Tally::default(), events(90, 8));
        assert_eq!(closed(&mut slices, 9, 10.0), [(9, Tally { seen: 1, bad_low: 0, bad_high: 1 })]);
    }

    #[test]
    fn a_ratio_slice_is_as_good_as_its_share() {
        let mut slices = Slices::new(10, GoodSlice::AsItsShare, Second(0));
        slices.change(Second(3), Tally::default(), events(8, 2));
        assert_eq!(closed(&mut slices, 9, 0.0), [(9, events(RATIO_UNIT, RATIO_UNIT / 4))]);
    }

    #[test]
    fn rows_wider_than_a_slice_say_how_many_may_have_been_bad() {
        let slices = Slices::new(60, GoodSlice::ShareAtLeast(0.9), Second(0));
        // 600 requests in ten slices, 20 bad: three slices of 60 may have had more than 6.
        assert_eq!(slices.of_history(events(600, 20), 10.0), Tally { seen: 10, bad_low: 0, bad_high: 3 });
        assert_eq!(slices.of_history(events(600, 0), 10.0), events(10, 0));
        assert_eq!(slices.of_history(events(600, 600), 10.0), events(10, 10));
        assert_eq!(slices.of_history(Tally::default(), 10.0), Tally::default());
    }
}

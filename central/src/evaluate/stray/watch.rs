//! The seconds of one service as a straying rule sees them: each judged once, when it is complete.

use std::collections::BTreeMap;

use goldentime_model::Second;
use goldentime_model::indicator::{Compared, Straying};

use super::super::ring::Tally;
use super::{Baseline, Reading, Usual};

/// How far back seconds are read to learn from after a start: those of which cells of one second are
/// kept.
pub(crate) const SEED_S: i64 = 340;

/// Most seconds that wait to be judged, after a start or behind an agent that sends its backlog.
const PENDING_MAX: usize = 400;

/// A second is learned from when no more than this share of its requests is missing.
const MISSING_SHARE_MAX: f64 = 0.01;

/// What a second holds of a rule's selection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// What is compared; `None` where there is nothing to compare, as latency without requests.
    pub reading: Option<Reading>,
    /// The selection's share of what the service did.
    pub share: f64,
}

/// The seconds of one service that are known and not judged yet, and what is usual.
#[derive(Clone, Debug)]
pub(crate) struct StrayWatch {
    baseline: Baseline,
    pending: BTreeMap<Second, Seen>,
    /// The first second that is not judged yet.
    next: Option<Second>,
    /// Up to here a second without a cell may be one of which the cell was not there to be read.
    blind_until: Second,
}

impl StrayWatch {
    /// Knows nothing yet. A second up to `blind_until` of which nothing is noted is not known; a
    /// later one had no requests.
    pub(crate) fn new(phase: u32, blind_until: Second) -> Self {
        Self { baseline: Baseline::new(phase), pending: BTreeMap::new(), next: None, blind_until }
    }

    /// What is usual, once enough is known.
    pub(crate) const fn usual(&self) -> Option<&Usual> {
        self.baseline.usual()
    }

    /// Takes what is known of a second by now, in any order. One that was judged already is left as it is.
    pub(crate) fn note(&mut self, second: Second, seen: Seen) {
        if self.next.is_some_and(|next| second < next) {
            return;
        }
        self.pending.insert(second, seen);
        while self.pending.len() > PENDING_MAX {
            if let Some((dropped, _)) = self.pending.pop_first() {
                self.next = Some(dropped.offset(1));
            }
        }
    }

    /// Judges every second up to and with `until` that was not judged yet, and gives `each` what it adds to
    /// the rule's window. `missing` is how many requests of a second are expected and were not seen.
    ///
    /// A service whose alert is `firing` is well again when its readings seem so, and not already when it
    /// has too few requests to be sure.
    pub(crate) fn advance(
        &mut self,
        rule: &Straying,
        until: Second,
        firing: bool,
        missing: impl Fn(Second) -> f64,
        mut each: impl FnMut(Second, Tally),
    ) {
        let Some(first) = self.next.or_else(|| self.pending.keys().next().copied()) else { return };
        let mut second = first.max(until.offset(-SEED_S));
        while second <= until {
            let seen = self.pending.remove(&second);
            let missing = if seen.is_some() || second > self.blind_until { missing(second) } else { 0.0 };
            let reading = self.reading(rule, second, seen);
            let missing = missing.max(0.0) * seen.map_or(1.0, |seen| seen.share);
            let strays = self.judge(rule, reading, missing, firing).is_some_and(|(tally, strays)| {
                each(second, tally);
                strays
            });
            let learned = reading.filter(|reading| missing <= requests(reading) * MISSING_SHARE_MAX);
            self.baseline.take(second, learned.map(|reading| reading.value()), strays);
            second = second.offset(1);
        }
        self.pending = self.pending.split_off(&second);
        self.next = Some(second.max(first));
    }

    fn reading(&self, rule: &Straying, second: Second, seen: Option<Seen>) -> Option<Reading> {
        match (seen, &rule.of) {
            (Some(seen), _) => seen.reading,
            (None, Compared::Traffic) if second > self.blind_until => {
                Some(Reading::Traffic { requests: 0.0 })
            }
            (None, _) => None,
        }
    }

    /// What the second adds, and whether its reading strays as it is.
    fn judge(
        &self,
        rule: &Straying,
        reading: Option<Reading>,
        missing: f64,
        firing: bool,
    ) -> Option<(Tally, bool)> {
        let (usual, reading) = (self.baseline.usual()?, reading?);
        let score = |reading: &Reading| {
            let score = usual.score(reading);
            if firing { score.seeming } else { score.sure }
        };
        let bad = reading.with_missing(missing).map(|reading| rule.is_bad(score(&reading)));
        // Of latencies that are missing nothing is known, and the slow ones may have come first.
        let unknown =
            matches!(reading, Reading::Latency { .. }) && missing > requests(&reading) * MISSING_SHARE_MAX;
        let tally = Tally {
            seen: 1,
            bad_low: u64::from(bad[0] && bad[1] && !unknown),
            bad_high: u64::from(bad[0] || bad[1]),
        };
        Some((tally, score(&reading).abs() > rule.threshold))
    }
}

/// Requests that a reading is made of; those of a gauge are never missing.
const fn requests(reading: &Reading) -> f64 {
    match *reading {
        Reading::Errors { total, .. } => total,
        Reading::Latency { requests, .. } | Reading::Traffic { requests } => requests,
        Reading::Saturation { .. } => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use goldentime_model::indicator::Side;

    use super::*;

    const START: Second = Second(1_700_000_000);

    fn drop_of_traffic() -> Straying {
        Straying { of: Compared::Traffic, side: Side::Below, threshold: 6.0 }
    }

    fn seen(requests: f64) -> Seen {
        Seen { reading: Some(Reading::Traffic { requests }), share: 1.0 }
    }

    fn learned(seconds: i64) -> StrayWatch {
        let mut watch = StrayWatch::new(0, START.offset(-1));
        for at in 0..seconds {
            watch.note(START.offset(at), seen(200.0 + (at % 7) as f64));
        }
        watch
    }

    fn tallies(watch: &mut StrayWatch, until: i64, missing: f64) -> Vec<(i64, Tally)> {
        let mut tallies = Vec::new();
        let each = |second: Second, tally| tallies.push((second.0 - START.0, tally));
        watch.advance(&drop_of_traffic(), START.offset(until), false, |_| missing, each);
        tallies
    }

    const CALM: Tally = Tally { seen: 1, bad_low: 0, bad_high: 0 };
    const BAD: Tally = Tally { seen: 1, bad_low: 1, bad_high: 1 };
    const EITHER: Tally = Tally { seen: 1, bad_low: 0, bad_high: 1 };

    #[test]
    fn a_second_of_which_nothing_came_has_no_requests_unless_some_are_missing() {
        let mut watch = learned(300);
        assert_eq!(tallies(&mut watch, 299, 0.0).last(), Some(&(299, CALM)));
        assert_eq!(tallies(&mut watch, 300, 0.0), [(300, BAD)]);
        assert_eq!(tallies(&mut watch, 301, 200.0), [(301, EITHER)]);
    }

    #[test]
    fn a_second_before_the_start_of_which_nothing_can_be_read_is_not_known() {
        let mut watch = StrayWatch::new(0, START.offset(310));
        (0..300).for_each(|at| watch.note(START.offset(at), seen(200.0)));
        let judged = tallies(&mut watch, 312, 0.0);
        assert_eq!(judged.last(), Some(&(312, BAD)));
        assert!(judged.iter().all(|(at, _)| !(300..=310).contains(at)), "{judged:?}");
    }

    #[test]
    fn each_second_is_judged_once_in_its_order_whatever_order_it_came_in() {
        let mut watch = learned(0);
        (0..300).rev().for_each(|at| watch.note(START.offset(at), seen(200.0)));
        let judged = tallies(&mut watch, 299, 0.0);
        assert!(judged.iter().map(|(at, _)| *at).eq(judged[0].0..300));
        watch.note(START.offset(290), seen(0.0));
        assert_eq!(tallies(&mut watch, 299, 0.0), []);
    }

    #[test]
    fn more_seconds_than_can_wait_are_not_taken_for_silence() {
        let mut watch = learned(2000);
        let judged = tallies(&mut watch, 1999, 0.0);
        assert!(judged.iter().all(|(_, tally)| *tally == CALM));
        assert!(judged.len() <= PENDING_MAX && judged.last().is_some_and(|(at, _)| *at == 1999));
    }
}

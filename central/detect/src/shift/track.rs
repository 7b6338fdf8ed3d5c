//! One CUSUM, and since when it rises.

use crate::Counts;

/// Sizes of change that are looked for side by side.
pub(super) const SIZES: usize = 3;

/// What one request adds to a statistic.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Worth {
    bad: f64,
    good: f64,
}

impl Worth {
    /// Of the share `to` against the share `from`.
    pub(super) fn new(from: f64, to: f64, dispersion: f64) -> Self {
        let bad = (to / from).ln() / dispersion;
        let good = ((1.0 - to) / (1.0 - from)).ln() / dispersion;
        Self { bad, good }
    }

    pub(super) fn of(&self, counts: Counts) -> f64 {
        counts.bad * self.bad + counts.good() * self.good
    }
}

/// The statistic, and what was seen since it was zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Track {
    pub(super) log: f64,
    pub(super) since: i64,
    pub(super) counts: Counts,
}

impl Track {
    pub(super) fn advance(&mut self, second: i64, counts: Counts, worth: &Worth, most: f64) {
        let log = self.log + worth.of(counts).min(most);
        if log <= 0.0 {
            *self = Self::default();
            return;
        }
        if self.log <= 0.0 {
            (self.since, self.counts) = (second, Counts::default());
        }
        self.log = log;
        self.counts = self.counts.plus(counts);
    }
}

//! A window that may be incomplete, as the best and the worst that it could be.
//!
//! Fire if it is bad even were all that is missing good. Resolve only if it is good even were all
//! that is missing bad. Otherwise it is unknown.

use serde::{Deserialize, Serialize};

/// Lower and upper bound of a value that is not wholly known; equal where it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound, never below `low`.
    pub high: f64,
}

/// What an interval says of a rule's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// True wherever in the interval the value lies.
    Breaching,
    /// False wherever in the interval the value lies.
    Healthy,
    /// True at one end and false at the other.
    Unknown,
}

impl Interval {
    /// A value that is known exactly.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self { low: value, high: value }
    }

    /// The share of bad events when `missing` further events are expected but unseen.
    ///
    /// `bad_low` and `bad_high` differ where events lie inside the threshold's own bucket. `None`
    /// when nothing was seen and nothing is expected: then there is no share at all.
    #[must_use]
    pub fn bad_share(bad_low: u64, bad_high: u64, seen: u64, missing: f64) -> Option<Self> {
        let missing = missing.max(0.0);
        let expected = seen as f64 + missing;
        (expected > 0.0)
            .then(|| Self { low: bad_low as f64 / expected, high: (bad_high as f64 + missing) / expected })
    }

    /// Judges the condition "value is above `threshold`".
    #[must_use]
    pub fn above(&self, threshold: f64) -> Verdict {
        if self.low > threshold {
            Verdict::Breaching
        } else if self.high > threshold {
            Verdict::Unknown
        } else {
            Verdict::Healthy
        }
    }

    /// Judges the condition "value is below `threshold`".
    #[must_use]
    pub fn below(&self, threshold: f64) -> Verdict {
        if self.high < threshold {
            Verdict::Breaching
        } else if self.low < threshold {
            Verdict::Unknown
        } else {
            Verdict::Healthy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_fires_only_if_bad_were_all_that_is_missing_good() {
        let seen_only = Interval::bad_share(6, 6, 100, 0.0).expect("seen");
        assert_eq!(seen_only.above(0.05), Verdict::Breaching);
        let half_unseen = Interval::bad_share(6, 6, 100, 100.0).expect("seen");
        assert_eq!(half_unseen.above(0.05), Verdict::Unknown);
    }

    #[test]
    fn a_share_is_healthy_only_if_good_were_all_that_is_missing_bad() {
        let share = Interval::bad_share(0, 0, 100, 4.0).expect("seen");
        assert_eq!(share.above(0.05), Verdict::Healthy);
        let share = Interval::bad_share(0, 0, 100, 6.0).expect("seen");
        assert_eq!(share.above(0.05), Verdict::Unknown);
    }

    #[test]
    fn nothing_seen_and_nothing_expected_is_no_share() {
        assert_eq!(Interval::bad_share(0, 0, 0, 0.0), None);
    }
}

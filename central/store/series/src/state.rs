//! Up to where a partition is rolled up, and up to where its rows are let go: by that, which rows a bucket
//! of ten seconds belongs into.

use goldentime_model::Second;

use crate::resolution::Resolution;
use crate::store::SETTLED_AFTER_S;

/// Rows of ten seconds are rolled up so many seconds at a time: long enough that the minutes of a series
/// are written side by side, short enough that a step blocks the writer for a fraction of a second.
pub(crate) const ROLL_S: i64 = 600;

/// A partition whose log stands still for this long is rolled up to its end all the same.
pub(crate) const IDLE_NS: i64 = 24 * 3_600 * 1_000_000_000;

/// Both limits of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Rows of minutes and hours hold everything before this second, and nothing after it.
    pub(crate) rolled_until: Second,
    /// First second whose rows are kept, by resolution.
    pub(crate) dropped_until: [Second; 3],
}

/// What of a partition is over at `log_time`.
pub(crate) const fn settled(log_time: Second) -> Second {
    let settled = log_time.offset(-SETTLED_AFTER_S);
    Second(settled.0 - settled.0.rem_euclid(ROLL_S))
}

impl State {
    /// Of a partition whose first rows come at `log_time`: whatever is over by then comes late, and goes into
    /// every row.
    pub(crate) const fn begin(log_time: Second) -> Self {
        Self { rolled_until: settled(log_time), dropped_until: [Second(i64::MIN); 3] }
    }

    /// The resolutions whose rows a bucket of ten seconds that begins at `start` is added to.
    pub(crate) fn tiers_of(&self, start: Second) -> impl Iterator<Item = Resolution> {
        let Self { rolled_until, dropped_until } = *self;
        Resolution::ALL.into_iter().filter(move |tier| {
            let due = *tier == Resolution::TenSeconds || start < rolled_until;
            due && tier.bucket_of(start) >= dropped_until[tier.index()]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_goes_into_every_row_that_already_holds_its_time() {
        let mut state = State { rolled_until: Second(7_200), dropped_until: [Second(i64::MIN); 3] };
        let tiers = |state: State, at| state.tiers_of(Second(at)).collect::<Vec<_>>();
        assert_eq!(tiers(state, 7_200), [Resolution::TenSeconds]);
        assert_eq!(tiers(state, 7_190), Resolution::ALL);
        state.dropped_until[0] = Second(7_000);
        assert_eq!(tiers(state, 6_990), [Resolution::Minute, Resolution::Hour]);
        state.dropped_until[2] = Second(86_400);
        assert_eq!(tiers(state, 6_990), [Resolution::Minute]);
    }

    #[test]
    fn ten_minutes_are_over_ten_seconds_after_their_end() {
        assert_eq!(settled(Second(1_209)), Second(600));
        assert_eq!(settled(Second(1_210)), Second(1_200));
    }
}

//! Whether a budget burns too fast: one window, or a long one and a short one together.
//!
//! Multiwindow, multi-burn-rate alerts are those of the Google SRE Workbook, chapter 5: the long window
//! says that enough of the budget was spent, the short one that it still is.

use goldentime_model::{Interval, Verdict};

use super::super::instance::{Judgement, with_at_least};
use super::super::ring::Tally;
use super::super::rule::{Condition, Rule};
use super::track::Track;

/// Judges a rule by the sums of its objective. `missing` says how many events of a window were expected
/// and not seen; `unit` how many events one of them is kept as.
pub(super) fn judgement(
    rule: &Rule,
    track: &Track,
    unit: u64,
    missing: impl Fn(u32) -> f64,
) -> Option<Judgement> {
    let Condition::BadShareAbove(limit) = rule.condition else { return None };
    let of = |window_s: u32| {
        let Tally { seen, bad_low, bad_high } = track.sum(window_s);
        let missing = missing(window_s);
        (seen / unit.max(1), missing, Interval::bad_share(bad_low, bad_high, seen, missing * unit as f64))
    };
    let (seen, missing_of_long, long) = of(rule.window_s);
    let verdict = |share: Option<Interval>| share.map_or(Verdict::Healthy, |share| share.above(limit));
    let long_verdict = with_at_least(rule.requests_min, seen, missing_of_long, verdict(long));
    let short = rule.burn.as_ref().and_then(|burn| burn.short_window_s).map(|window_s| of(window_s).2);
    let head = match short {
        None => long_verdict,
        Some(short) => both(long_verdict, verdict(short)),
    };
    // A short window in which nothing was seen proves nothing.
    let settled = match (long, short) {
        (None, _) | (_, Some(None)) => None,
        (Some(_), _) => Some(head),
    };
    Some(Judgement { head, settled, empty: long.is_none(), value: long })
}

/// True where both are, false where one is.
const fn both(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Breaching, Verdict::Breaching) => Verdict::Breaching,
        (Verdict::Healthy, _) | (_, Verdict::Healthy) => Verdict::Healthy,
        _ => Verdict::Unknown,
    }
}

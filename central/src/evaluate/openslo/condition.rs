//! When an alert condition is true of an aim.

use std::time::Duration;

use goldentime_model::config::Fault;
use goldentime_model::units::Shorthand;

use super::super::rule::{Burn, Condition};
use super::burn_rates::BurnRate;
use super::documents::{Comparison, ConditionSpec};
use super::objective::{Limit, clean};
use super::site::Object;

/// Longest window that is judged from live state alone.
const LIVE_WINDOW_S_MAX: u32 = 15 * 60;
/// Longest window of all.
const WINDOW_S_MAX: u64 = 30 * 86_400;
/// Longest time that a condition may be asked to hold.
const HOLD_MAX: Duration = Duration::from_secs(24 * 3600);

/// Annotation of a condition with a second window.
const SHORT_WINDOW: &str = "goldentime.io/short_window";

/// A condition worked out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) condition: Condition,
    pub(super) window_s: u32,
    pub(super) hold: Duration,
    /// Set where a budget's sums are needed.
    pub(super) burn: Option<Burn>,
}

/// What else bears on a condition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Why there are no sums beyond live state; `None` where there are.
    pub(super) live_only: Option<&'static str>,
    /// Length of the time slices that are counted.
    pub(super) slice_s: Option<u32>,
    /// A shorter window over which it must be true too.
    pub(super) short_window: Option<Shorthand>,
}

/// Works out `kind: burnrate` for an aim.
///
/// Burn rate is the share of bad events divided by the share allowed (Google SRE Workbook, chapter
/// 5), so "burn rate above T" is "share of bad events above T × (1 − target)". OpenSLO's own examples
/// write "exceeds 2" as `op: lte`, the threshold on the left; `gt` and `lt` alike mean above, `gte`
/// and `lte` at or above, since nobody wants to be told of a budget that is not being spent.
pub(super) fn judged(
    condition: &Object<ConditionSpec>,
    limit: &Limit,
    terms: Terms,
    faults: &mut Vec<Fault>,
) -> Option<Judged> {
    let burn = &condition.spec.condition;
    let mut refuse = |field: &str, message: String| {
        faults.push(condition.site.fault(&format!("spec.condition.{field}"), message));
    };
    let window_s = match window(burn.lookback_window, terms) {
        Ok(window_s) => Some(window_s),
        Err(message) => {
            refuse("lookbackWindow", message);
            None
        }
    };
    let short_window_s = match terms.short_window.map(|short| short_window(short, window_s, terms)) {
        None => Some(None),
        Some(Ok(short)) => Some(Some(short)),
        Some(Err(message)) => {
            faults.push(condition.site.fault("metadata.annotations", format!("`{SHORT_WINDOW}` {message}")));
            None
        }
    };
    let mut refuse = |field: &str, message: String| {
        faults.push(condition.site.fault(&format!("spec.condition.{field}"), message));
    };
    let hold = match burn.alert_after {
        None => Some(Duration::ZERO),
        Some(after) => {
            let hold = after.fixed().filter(|hold| *hold <= HOLD_MAX);
            if hold.is_none() {
                refuse("alertAfter", format!("`{after}` is longer than the `1d` allowed"));
            }
            hold
        }
    };
    let judged = match limit {
        Limit::Floor(floor) => {
            if burn.threshold == 1.0 {
                Some(Condition::RateBelow(*floor))
            } else {
                let message = "a floor is undercut or not, it has no burn rate; write `threshold: 1`";
                refuse("threshold", message.into());
                None
            }
        }
        Limit::Share { allowed, from } => match bad_share(burn.op, burn.threshold, *allowed, from) {
            Ok(condition) => Some(condition),
            Err(message) => {
                refuse("threshold", message);
                None
            }
        },
    };
    let (window_s, short_window_s) = (window_s?, short_window_s?);
    let needs_sums = window_s > LIVE_WINDOW_S_MAX || terms.slice_s.is_some() || short_window_s.is_some();
    let burn = needs_sums.then_some(Burn { short_window_s, slice_s: terms.slice_s });
    if burn.is_some() && matches!(limit, Limit::Floor(_)) {
        let message = "is more than a floor can be asked for, which is judged over `15m` at most and over one window; \
                       `budgetingMethod: Timeslices` makes a share of it";
        refuse("lookbackWindow", message.into());
        return None;
    }
    Some(Judged { condition: judged?, window_s, hold: hold?, burn })
}

/// Works out a burn rate that has no condition of its own.
pub(super) fn burning(one: &BurnRate, limit: &Limit, terms: Terms) -> Result<Judged, String> {
    if let Some(why) = terms.live_only {
        return Err(format!("asks for the sums of a budget, and {why}"));
    }
    let Limit::Share { allowed, from } = limit else {
        return Err("a floor has no burn rate; with `budgetingMethod: Timeslices` it has one".into());
    };
    let condition = bad_share(Comparison::Gt, one.rate, *allowed, from)?;
    let window_s = window(one.long, terms)?;
    let short = one.short.map(|short| short_window(short, Some(window_s), terms)).transpose()?;
    let burn = Some(Burn { short_window_s: short, slice_s: terms.slice_s });
    Ok(Judged { condition, window_s, hold: Duration::ZERO, burn })
}

/// A window of the indicator, in seconds.
fn window(window: Shorthand, terms: Terms) -> Result<u32, String> {
    let seconds = match window.fixed().map(|window| window.as_secs()) {
        Some(0) => return Err("is empty; the shortest window is `1s`".into()),
        Some(seconds) if seconds <= WINDOW_S_MAX => u32::try_from(seconds).unwrap_or(u32::MAX),
        _ => return Err(format!("`{window}` is longer than the `30d` allowed")),
    };
    match (terms.live_only, terms.slice_s) {
        (Some(why), _) if seconds > LIVE_WINDOW_S_MAX => {
            Err(format!("`{window}` is longer than `15m`, and {why}"))
        }
        (_, Some(slice_s)) if seconds < slice_s => Err(format!(
            "`{window}` is shorter than one `timeSliceWindow` of {slice_s}s: it never holds a slice"
        )),
        _ => Ok(seconds),
    }
}

/// A window that stands beside a longer one.
fn short_window(short: Shorthand, long_s: Option<u32>, terms: Terms) -> Result<u32, String> {
    if let Some(why) = terms.live_only {
        return Err(format!("asks for a second window, and {why}"));
    }
    let short_s = window(short, terms)?;
    match long_s {
        Some(long_s) if short_s >= long_s => {
            Err(format!("`{short}` is not shorter than the `lookbackWindow` of {long_s}s"))
        }
        _ => Ok(short_s),
    }
}

fn bad_share(op: Comparison, threshold: f64, allowed: f64, from: &str) -> Result<Condition, String> {
    if !threshold.is_finite() || threshold < 0.0 {
        return Err(format!("{threshold} is no burn rate; it is at least 0"));
    }
    let share = clean(threshold * allowed);
    let inclusive = matches!(op, Comparison::Gte | Comparison::Lte);
    if share > 1.0 || (share >= 1.0 && !inclusive) {
        let side = if inclusive { "reach" } else { "exceed" };
        return Err(format!(
            "can never be: burn rate {threshold} × (1 − {from}) = {share}, and no share of bad events can {side} \
             {share}; the highest burn rate is {}",
            clean(1.0 / allowed)
        ));
    }
    if inclusive && share <= 0.0 {
        return Err("is always reached, even without one bad event; write `op: gt`".into());
    }
    // "At or above x" is "above the number just below x".
    Ok(Condition::BadShareAbove(if inclusive { share.next_down() } else { share }))
}

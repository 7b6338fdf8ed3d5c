//! When an alert condition is true of an aim.

use std::time::Duration;

use goldentime_model::config::Fault;

use super::super::rule::Condition;
use super::documents::{Comparison, ConditionSpec};
use super::objective::{Limit, clean};
use super::site::Object;

/// Longest window that is judged from live state.
pub(super) const WINDOW_S_MAX: u64 = 15 * 60;
/// Longest time that a condition may be asked to hold.
const HOLD_MAX: Duration = Duration::from_secs(24 * 3600);

/// A condition worked out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) condition: Condition,
    pub(super) window_s: u32,
    pub(super) hold: Duration,
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
    faults: &mut Vec<Fault>,
) -> Option<Judged> {
    let burn = &condition.spec.condition;
    let mut refuse = |field: &str, message: String| {
        faults.push(condition.site.fault(&format!("spec.condition.{field}"), message));
    };
    let window = burn.lookback_window;
    let window_s = match window.fixed().map(|window| window.as_secs()) {
        Some(0) => {
            refuse("lookbackWindow", "is empty; the shortest window is `1s`".into());
            None
        }
        Some(seconds) if seconds <= WINDOW_S_MAX => u32::try_from(seconds).ok(),
        _ => {
            let message = format!(
                "`{window}` is longer than `15m`: longer windows need stored history, which is not judged"
            );
            refuse("lookbackWindow", message);
            None
        }
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
        Limit::Usual => {
            if burn.threshold == 1.0 {
                Some(Condition::BadShareAbove(0.0))
            } else {
                refuse(
                    "threshold",
                    "a shift is there or not, it has no burn rate; write `threshold: 1`".into(),
                );
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
    Some(Judged { condition: judged?, window_s: window_s?, hold: hold? })
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

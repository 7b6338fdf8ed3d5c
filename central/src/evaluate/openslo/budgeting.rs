//! What an SLO's budget is: its period and what counts as an event.

use goldentime_model::config::Fault;
use goldentime_model::units::Shorthand;

use super::super::budget::maintenance::zone_of;
use super::super::budget::period::{USUAL, mean_s};
use super::super::budget::{BudgetWindow, Calendar, GoodSlice, Method};
use super::super::rule::Measure;
use super::documents::{BudgetingMethod, Objective};
use super::objective::{Aim, Limit};
use super::read::Slo;
use super::site::Site;

/// Longest rolling period.
const ROLLING_S_MAX: u64 = 92 * 86_400;
/// Longest period of a calendar, about.
const CALENDAR_S_MAX: i64 = 366 * 86_400;
/// Longest time slice.
const SLICE_S_MAX: u64 = 86_400;
/// What traffic is measured over where every request counts alike: a rate needs some time.
const FLOOR_SLICE_S: u32 = 10;

/// OpenSLO wants exactly one window, rolling or aligned to the calendar.
pub(super) fn window(slo: &Slo, faults: &mut Vec<Fault>) -> Option<BudgetWindow> {
    let (site, windows) = (&slo.object.site, &slo.object.spec.time_window);
    let mut refuse = |field: &str, message: String| {
        faults.push(site.fault(&format!("spec.timeWindow{field}"), message));
    };
    if windows.len() > 1 {
        refuse("[1]", "is a second window; OpenSLO allows one".into());
        return None;
    }
    let Some(window) = windows.first() else { return Some(USUAL) };
    let duration = window.duration;
    if duration.count == 0 {
        refuse("[0].duration", "is empty".into());
        return None;
    }
    let Some(calendar) = &window.calendar else {
        return match duration.fixed().map(|length| length.as_secs()) {
            _ if !window.is_rolling => {
                let message = "is neither rolling nor aligned to a calendar; write `isRolling: true`, or `calendar` \
                               with `startTime` and `timeZone`";
                refuse("[0]", message.into());
                None
            }
            None => {
                let message =
                    format!("`{duration}` has no fixed length; a rolling window is written in days");
                refuse("[0].duration", message);
                None
            }
            Some(seconds @ 1..=ROLLING_S_MAX) => u32::try_from(seconds).ok().map(BudgetWindow::Rolling),
            Some(_) => {
                refuse("[0].duration", format!("`{duration}` is longer than the `92d` allowed"));
                None
            }
        };
    };
    if window.is_rolling {
        let message =
            format!("starts at {} and yet is rolling; leave out one of the two", calendar.start_time);
        refuse("[0].calendar", message);
        return None;
    }
    if mean_s(duration) > CALENDAR_S_MAX {
        refuse("[0].duration", format!("`{duration}` is longer than the `1Y` allowed"));
        return None;
    }
    match zone_of(&calendar.time_zone) {
        Ok(zone) => {
            Some(BudgetWindow::Calendar(Calendar { every: duration, start: calendar.start_time, zone }))
        }
        Err(message) => {
            refuse("[0].calendar.timeZone", message);
            None
        }
    }
}

/// What counts as an event of the objective at `path`.
pub(super) fn method(
    method: Option<BudgetingMethod>,
    objective: &Objective,
    site: &Site,
    path: &str,
    aim: &Aim,
    faults: &mut Vec<Fault>,
) -> Option<Method> {
    let mut refuse = |field: &str, message: String| {
        faults.push(site.fault(&format!("{path}.{field}"), message));
    };
    let floor = match (&aim.measure, &aim.limit) {
        (Measure::Traffic, Limit::Floor(floor)) => Some(*floor),
        _ => None,
    };
    let method = method.unwrap_or(BudgetingMethod::Occurrences);
    if method == BudgetingMethod::Occurrences {
        let slices = [
            ("timeSliceTarget", objective.time_slice_target.is_some()),
            ("timeSliceWindow", objective.time_slice_window.is_some()),
        ];
        if let Some((field, _)) = slices.into_iter().find(|(_, is_there)| *is_there) {
            refuse(field, "belongs to `Timeslices`; with `Occurrences` every request counts alike".into());
            return None;
        }
        return Some(match floor {
            None => Method::Occurrences,
            Some(floor) => Method::Slices { slice_s: FLOOR_SLICE_S, good: GoodSlice::RateAtLeast(floor) },
        });
    }
    if matches!(aim.measure, Measure::Stray(_)) {
        refuse("timeSliceWindow", "has no meaning beside `stray`, of which every second is an event".into());
        return None;
    }
    let slice_s = slice(objective.time_slice_window, &mut refuse)?;
    let good = match (method, objective.time_slice_target, floor) {
        (_, _, Some(floor)) => GoodSlice::RateAtLeast(floor),
        (BudgetingMethod::RatioTimeslices, None, None) => GoodSlice::AsItsShare,
        (BudgetingMethod::RatioTimeslices, Some(_), None) => {
            let message = "belongs to `Timeslices`; with `RatioTimeslices` a slice is as good as its share";
            refuse("timeSliceTarget", message.into());
            return None;
        }
        (_, Some(target), None) if target > 0.0 && target <= 1.0 => GoodSlice::ShareAtLeast(target),
        (_, Some(_), None) => {
            refuse("timeSliceTarget", "is out of range: from above 0 to 1".into());
            return None;
        }
        (_, None, None) => {
            let message = "is missing; `Timeslices` asks which share of a slice must be good".into();
            refuse("timeSliceTarget", message);
            return None;
        }
    };
    Some(Method::Slices { slice_s, good })
}

fn slice(window: Option<Shorthand>, refuse: &mut impl FnMut(&str, String)) -> Option<u32> {
    let Some(window) = window else {
        refuse("timeSliceWindow", "is missing; say how long a slice is, such as `1m`".into());
        return None;
    };
    match window.fixed().map(|length| length.as_secs()) {
        Some(seconds @ 1..=SLICE_S_MAX) => u32::try_from(seconds).ok(),
        _ => {
            refuse("timeSliceWindow", format!("`{window}` is not between `1s` and `1d`"));
            None
        }
    }
}

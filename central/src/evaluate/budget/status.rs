//! How a budget stands, for the API and the dashboard.

use std::sync::Arc;

use goldentime_model::Interval;
use serde::{Deserialize, Serialize};

use super::super::ring::Tally;
use super::objective::{GoodSlice, Method, Objective, PRESENT_S};
use super::period::BudgetWindow;
use super::track::Track;

/// One objective's error budget over one part of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetStatus {
    /// The objective's name.
    pub objective: Arc<str>,
    /// Share of events that must be good.
    pub target: f64,
    /// Its weight among the objectives of a composite SLO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// How events are counted.
    pub budgeting: MethodName,
    /// Length of a time slice in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice_s: Option<u32>,
    /// First second of the period.
    pub from_s: i64,
    /// First second after it; of a rolling one the next second.
    pub until_s: i64,
    /// Events in it: requests, readings or slices.
    pub events: f64,
    /// How many of them were bad, with what may have been.
    pub bad: Interval,
    /// How many may be.
    pub allowed: f64,
    /// Share of good events. None before there were any.
    pub sli: Option<Interval>,
    /// Share of the budget that is left; below 0 where more was spent than there was.
    pub left: Option<Interval>,
    /// How many times too fast it was spent in the last hour; 1 spends exactly the budget.
    pub burn_rate: Option<f64>,
    /// At that rate it is spent in so many seconds; none where it lasts.
    pub exhausted_in_s: Option<f64>,
    /// Maintenance goes on: nothing counts.
    pub maintenance: bool,
    /// What was before the central's start is counted too.
    pub complete: bool,
}

/// OpenSLO's name of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MethodName {
    /// Events are requests or readings.
    Occurrences,
    /// Events are slices of time, good or bad.
    Timeslices,
    /// Events are slices of time, as good as their share.
    RatioTimeslices,
}

impl BudgetStatus {
    /// What a track says of its objective.
    #[must_use]
    pub(super) fn of(objective: &Objective, track: &Track) -> Self {
        let unit = objective.unit() as f64;
        let spent = track.spent(&objective.window);
        let (from, until) = track.period(&objective.window);
        let (budgeting, slice_s) = named(objective.method);
        let (events, low, high) = in_units(spent, unit);
        let period_s = (until.0 - from.0) as f64;
        let share = objective.allowed();
        let allowed = match slice_s {
            // How many slices a period has is known beforehand.
            Some(slice_s) => period_s / f64::from(slice_s) * share,
            None => events * share,
        };
        let left = (allowed > 0.0 && (events > 0.0 || slice_s.is_some()))
            .then(|| Interval { low: 1.0 - high / allowed, high: 1.0 - low / allowed });
        let (present, present_bad, _) = in_units(track.sum(PRESENT_S), unit);
        let burn_rate = (present > 0.0 && share > 0.0).then(|| present_bad / present / share);
        let exhausted_in_s = match (left, burn_rate) {
            (Some(left), _) if left.high <= 0.0 => Some(0.0),
            (Some(left), Some(burn)) if burn > 0.0 => match (&objective.window, slice_s) {
                // Of a calendar's period what is allowed grows with what is still to come.
                (BudgetWindow::Calendar(_), None) => (burn > 1.0)
                    .then(|| (allowed - low) / (present / f64::from(PRESENT_S) * share * (burn - 1.0))),
                _ => Some(left.high * period_s / burn),
            },
            _ => None,
        };
        let remaining_s = (until.0 - track.head().0) as f64;
        let lasts =
            |seconds: &f64| matches!(objective.window, BudgetWindow::Calendar(_)) && *seconds >= remaining_s;
        Self {
            objective: Arc::clone(&objective.name),
            target: objective.target,
            weight: objective.weight,
            budgeting,
            slice_s,
            from_s: from.0,
            until_s: until.0,
            events,
            bad: Interval { low, high },
            allowed,
            sli: (events > 0.0).then(|| Interval { low: 1.0 - high / events, high: 1.0 - low / events }),
            left,
            burn_rate,
            exhausted_in_s: exhausted_in_s.filter(|seconds| !lasts(seconds)),
            maintenance: track.is_off(),
            complete: track.filled,
        }
    }
}

/// Events, surely bad ones, and those that may be.
fn in_units(tally: Tally, unit: f64) -> (f64, f64, f64) {
    let Tally { seen, bad_low, bad_high } = tally;
    (seen as f64 / unit, bad_low as f64 / unit, bad_high as f64 / unit)
}

const fn named(method: Method) -> (MethodName, Option<u32>) {
    match method {
        Method::Occurrences => (MethodName::Occurrences, None),
        Method::Slices { slice_s, good: GoodSlice::AsItsShare } => {
            (MethodName::RatioTimeslices, Some(slice_s))
        }
        Method::Slices { slice_s, .. } => (MethodName::Timeslices, Some(slice_s)),
    }
}

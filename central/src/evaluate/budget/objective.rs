//! What an SLO promises, and by what its budget is reckoned.

use std::sync::Arc;

use super::super::rule::{Measure, Rule};
use super::maintenance::Maintenance;
use super::period::BudgetWindow;

/// Over how long the present burn rate is taken, in seconds.
pub const PRESENT_S: u32 = 3_600;

/// Longest window whose seconds are kept one by one.
pub const SECONDS_WINDOW_S_MAX: u32 = 900;

/// One objective of an SLO.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The SLO's name, and the objective's if there are several.
    pub name: Arc<str>,
    /// Name of the SLO.
    pub slo: Arc<str>,
    /// What it counts, as a rule of which nobody is told: selector, parts and measure.
    pub counted: Arc<Rule>,
    /// What is an event.
    pub method: Method,
    /// Share of events that must be good.
    pub target: f64,
    /// The budget's period.
    pub window: BudgetWindow,
    /// Stretches of time that do not count.
    pub maintenance: Arc<[Maintenance]>,
    /// Its weight among the objectives of a composite SLO.
    pub weight: Option<f64>,
    /// Rules that are judged by its sums: those with windows longer than live state, with two windows,
    /// or over time slices.
    pub burns: Vec<Arc<Rule>>,
}

/// OpenSLO's budgeting methods.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Every request or reading is an event.
    Occurrences,
    /// Every slice of time is an event.
    Slices {
        /// Its length in seconds. Slices are counted from the epoch.
        slice_s: u32,
        /// When it is good.
        good: GoodSlice,
    },
}

/// When a slice of time is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GoodSlice {
    /// `Timeslices`: the share of good events in it is at least this.
    ShareAtLeast(f64),
    /// `RatioTimeslices`: it is as good as the share of good events in it.
    AsItsShare,
    /// Of a traffic floor: its rate per second is at least this. A slice without requests is bad.
    RateAtLeast(f64),
}

impl Objective {
    /// Whether both count the same events over the same windows: then the sums of one are those of the
    /// other, whatever the target is.
    #[must_use]
    pub fn counts_like(&self, other: &Self) -> bool {
        let (one, two) = (&self.counted, &other.counted);
        one.selector == two.selector
            && one.group_by == two.group_by
            && one.measure == two.measure
            && self.method == other.method
            && self.window == other.window
            && self.maintenance == other.maintenance
            && self.windows_s() == other.windows_s()
    }

    /// Every window that is summed up, in seconds, each once.
    #[must_use]
    pub fn windows_s(&self) -> Vec<u32> {
        let mut windows = vec![PRESENT_S];
        if let BudgetWindow::Rolling(seconds) = self.window {
            windows.push(seconds);
        }
        for rule in &self.burns {
            windows.push(rule.window_s);
            windows.extend(rule.burn.as_ref().and_then(|burn| burn.short_window_s));
        }
        windows.sort_unstable();
        windows.dedup();
        windows
    }

    /// Share of events that may be bad.
    #[must_use]
    pub fn allowed(&self) -> f64 {
        // 1 − 0.95 is 0.05, not 0.050000000000000044.
        ((1.0 - self.target) * 1e12).round() / 1e12
    }

    /// Events of one unit of what is counted.
    #[must_use]
    pub const fn unit(&self) -> u64 {
        match self.method {
            Method::Slices { good: GoodSlice::AsItsShare, .. } => super::slices::RATIO_UNIT,
            Method::Occurrences | Method::Slices { .. } => 1,
        }
    }

    /// Whether history can be read of what it counts.
    #[must_use]
    pub fn reads_samples(&self) -> bool {
        matches!(self.counted.measure, Measure::Saturation { .. })
    }
}

/// Width of the slots that a window's events are kept in, in seconds.
#[must_use]
pub const fn slot_width_s(window_s: u32) -> i64 {
    match window_s {
        0..=SECONDS_WINDOW_S_MAX => 1,
        901..=43_200 => 60,
        43_201..=432_000 => 600,
        _ => 3_600,
    }
}

//! What others page on, as they say it: a share over a window, and burn rates over several.

use std::collections::VecDeque;

/// Events of the last seconds.
#[derive(Clone, Debug)]
pub(super) struct Window {
    length_ms: i64,
    events: VecDeque<(i64, bool)>,
    bad: u32,
}

impl Window {
    pub(super) fn new(length_s: i64) -> Self {
        Self { length_ms: length_s * 1000, events: VecDeque::new(), bad: 0 }
    }

    pub(super) fn push(&mut self, at_ms: i64, is_bad: bool) {
        self.forget(at_ms);
        self.events.push_back((at_ms, is_bad));
        self.bad += u32::from(is_bad);
    }

    pub(super) fn forget(&mut self, now_ms: i64) {
        while self.events.front().is_some_and(|(at, _)| *at <= now_ms - self.length_ms) {
            self.bad -= u32::from(self.events.pop_front().is_some_and(|(_, is_bad)| is_bad));
        }
    }

    /// When what it holds changes next by the passing of time.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.events.front().map(|(at, _)| at + self.length_ms)
    }

    pub(super) fn total(&self) -> usize {
        self.events.len()
    }

    pub(super) fn share(&self) -> f64 {
        f64::from(self.bad) / self.events.len().max(1) as f64
    }
}

/// Multi-window, multi-burn-rate (Google, *The Site Reliability Workbook*, chapter 5): 14.4 over an hour and
/// five minutes, or 6 over six hours and half an hour.
#[derive(Clone, Debug)]
pub(super) struct BurnRates {
    windows: [Window; 4],
    allowed: f64,
}

impl BurnRates {
    pub(super) fn new(allowed: f64) -> Self {
        Self { windows: [3600, 300, 21_600, 1800].map(Window::new), allowed }
    }

    pub(super) fn push(&mut self, at_ms: i64, is_bad: bool) -> bool {
        self.windows.iter_mut().for_each(|window| window.push(at_ms, is_bad));
        let [hour, short, six_hours, half_hour] = self.windows.each_ref().map(|w| w.share() / self.allowed);
        (hour > 14.4 && short > 14.4) || (six_hours > 6.0 && half_hour > 6.0)
    }
}

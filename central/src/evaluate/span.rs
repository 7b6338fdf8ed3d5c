//! How much of a window's event time is still to come from the agents.

use goldentime_model::Second;

use super::expectation::{Expectation, Gap};

/// Milliseconds of a second.
pub(super) const MS: i64 = 1000;

/// A window's reach in event time, as far as the watermark has come.
#[derive(Clone, Copy)]
pub(super) struct Span {
    from_ms: i64,
    until_ms: i64,
}

impl Span {
    pub(super) fn ending(end: Second, window_s: u32, watermark_ms: i64) -> Self {
        let until_ms = end.0.saturating_add(1).saturating_mul(MS);
        Self {
            from_ms: until_ms.saturating_sub(i64::from(window_s) * MS),
            until_ms: until_ms.min(watermark_ms),
        }
    }

    /// Events that gaps of several services make up.
    pub(super) fn unseen_in(self, gaps: &[Gap]) -> f64 {
        gaps.iter().map(|gap| gap.events(self.from_ms, self.until_ms)).sum()
    }

    pub(super) fn unseen(self, expectation: &dyn Expectation) -> f64 {
        expectation.unseen(self.from_ms, self.until_ms)
    }

    pub(super) fn unseen_on(self, expectation: &dyn Expectation, host: &str) -> Option<f64> {
        expectation.unseen_on_host(host, self.from_ms, self.until_ms)
    }
}

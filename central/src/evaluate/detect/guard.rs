//! Whether a window of few requests may be bad by chance.

use std::sync::Arc;

use goldentime_detect::{Evidence, LowTraffic};
use goldentime_model::{Second, Verdict};

use super::super::instance::{Judgement, Step, Unseen};
use super::super::ring::{Ring, Tally};
use super::super::rule::{Condition, LowTrafficGuard, Measure, Rule};

/// A window in which fewer bad requests than this are allowed has low traffic: a few errors more or less
/// decide there. With more the window speaks for itself.
const ALLOWED_BAD_MIN: f64 = 5.0;

/// Evidence of what was rare is kept of a part that is heard no more for so long.
const KEPT_S: i64 = 6 * 3600;

/// The test of one rule.
#[derive(Clone, Debug)]
pub(in super::super) struct Guard {
    test: Arc<LowTraffic>,
    limit: f64,
}

impl Guard {
    /// The guard that the rule asks for. Where no bad request is allowed, one is enough.
    pub(in super::super) fn of(rule: &Rule) -> Option<Self> {
        let is_of_requests = matches!(rule.measure, Measure::Availability { .. } | Measure::Latency { .. });
        match rule.condition {
            Condition::BadShareAbove(limit)
                if is_of_requests && limit > 0.0 && rule.low_traffic == LowTrafficGuard::Sequential =>
            {
                Some(Self { test: Arc::new(LowTraffic::new(limit)), limit })
            }
            _ => None,
        }
    }

    /// Which shares it tells apart: evidence against another limit says nothing here.
    pub(in super::super) const fn limit(&self) -> f64 {
        self.limit
    }

    /// Takes what a second holds more than before.
    pub(in super::super) fn observe(
        &self,
        evidence: &mut Evidence,
        second: Second,
        before: Tally,
        now: Tally,
    ) {
        let more = now.minus(before);
        let bad = more.bad_low.min(more.seen);
        self.test.observe(evidence, second.0.saturating_mul(1000), bad as f64, (more.seen - bad) as f64);
    }

    /// What a judgement of the window is worth. At low traffic a breach needs evidence, and its end too.
    pub(in super::super) fn weigh(
        &self,
        evidence: &Evidence,
        ring: &Ring,
        settled: Second,
        unseen: Unseen,
        is_firing: bool,
        judged: Judgement,
    ) -> Judgement {
        let is_low =
            |tally: Tally, unseen: f64| (tally.seen as f64 + unseen.max(0.0)) * self.limit < ALLOWED_BAD_MIN;
        if is_firing {
            let is_low = is_low(ring.window(settled), unseen.settled);
            let goes_on = is_low && !self.test.is_over(evidence, unseen.settled);
            let settled = if goes_on { judged.settled.map(|_| Verdict::Unknown) } else { judged.settled };
            return Judgement { settled, ..judged };
        }
        if judged.head == Verdict::Healthy || !is_low(ring.window(ring.head()), unseen.at_head) {
            return judged;
        }
        if self.test.is_enough(evidence, unseen.at_head) {
            return judged;
        }
        if self.test.could_be_enough(evidence, unseen.at_head) && unseen.at_head > 0.0 {
            return Judgement { head: Verdict::Unknown, ..judged };
        }
        Judgement { head: Verdict::Healthy, settled: judged.settled.map(|_| Verdict::Healthy), ..judged }
    }

    /// Takes note of what became of the alert.
    pub(in super::super) fn note(&self, evidence: &mut Evidence, step: &Step) {
        match step {
            Step::Fired => self.test.raise(evidence),
            Step::Resolved | Step::GaveUp => evidence.clear(),
            Step::Same | Step::Worse => {}
        }
    }
}

/// Whether evidence would be missed if its part were forgotten.
pub(in super::super) fn is_worth_keeping(evidence: &Evidence, now: Second) -> bool {
    evidence.is_worth_keeping() && now.0.saturating_sub(evidence.at_ms() / 1000) < KEPT_S
}

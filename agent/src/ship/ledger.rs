//! What was dropped, by reason. Shown by `status`, sent with every ping, and exported as a metric.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use goldentime_model::metric_names::DROPS_TOTAL;

/// Most reasons kept; they are constants of the program, so that this bounds a mistake only.
const REASONS_MAX: usize = 128;

/// Counts of what was dropped since the start, by reason. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Ledger {
    /// Counts `events` (requests, samples or lines) that `component` dropped for `reason`.
    pub fn add(&self, component: &'static str, reason: &'static str, events: u64) {
        if events > 0 {
            metrics::counter!(DROPS_TOTAL, "component" => component, "reason" => reason).increment(events);
            self.note(reason, events);
        }
    }

    /// Counts what its own component has exported as a metric already.
    pub fn note(&self, reason: &'static str, events: u64) {
        let mut reasons = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.len() < REASONS_MAX || reasons.contains_key(reason) {
            let count = reasons.entry(reason).or_default();
            *count = count.saturating_add(events);
        }
    }

    /// What was dropped so far.
    #[must_use]
    pub fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

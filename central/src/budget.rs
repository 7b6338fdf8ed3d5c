//! The memory that components declare as their bounds, added up before anything starts.

use std::fmt::Write as _;

use goldentime_model::metric_names::MEMORY_BOUND_BYTES;
use goldentime_model::units::ByteSize;

/// Bounds by component.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    parts: Vec<(&'static str, u64)>,
}

/// The bounds add up to more than the configuration allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "components may take {total} together, more than `memory_bytes_max: {max}`:{parts}\n\
     Raise memory_bytes_max, or lower the limits of the largest of them"
)]
pub struct OverBudget {
    total: ByteSize,
    max: ByteSize,
    parts: String,
}

impl Budget {
    /// Adds a component's bound in bytes, and shows it as a metric.
    pub fn declare(&mut self, component: &'static str, bytes: u64) {
        metrics::gauge!(MEMORY_BOUND_BYTES, "component" => component).set(bytes as f64);
        self.parts.push((component, bytes));
    }

    /// All bounds together, in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// Refuses bounds that add up to more than `max`, naming each, the largest first.
    pub fn check(&self, max: ByteSize) -> Result<(), OverBudget> {
        let total = self.total();
        if total <= max.get() {
            return Ok(());
        }
        let mut sorted = self.parts.clone();
        sorted.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let mut parts = String::new();
        for (component, bytes) in sorted {
            let _ = write!(parts, "\n  {component}: {}", ByteSize(bytes));
        }
        Err(OverBudget { total: ByteSize(total), max, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_over_the_limit_are_refused_with_the_largest_named_first() {
        let mut budget = Budget::default();
        budget.declare("log", 10 << 20);
        budget.declare("windows", 60 << 20);
        assert_eq!(budget.check(ByteSize::mib(70)), Ok(()));
        let refused = budget.check(ByteSize::mib(64)).expect_err("too much").to_string();
        let (windows, log) = (refused.find("windows"), refused.find("log"));
        assert!(windows.is_some() && windows < log, "{refused}");
    }
}

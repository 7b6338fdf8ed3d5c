//! The memory that components declare as their bounds, added up before anything starts.

use std::fmt::Write as _;

use goldentime_model::metric_names::MEMORY_BOUND_BYTES;
use goldentime_model::units::ByteSize;

use crate::config::Config;
use crate::roles::Role;
use crate::serve::{self, ALERTS_MAX, TRANSITIONS_MAX};
use crate::{access, ingest, notify};

/// Bounds by component.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    parts: Vec<(&'static str, u64)>,
}

/// The bounds add up to more than the configuration allows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "components may take {total} together, more than {max}:{parts}\n\
     Raise memory_bytes_max, or lower the limits of the largest of them"
)]
pub struct OverBudget {
    total: String,
    max: String,
    parts: String,
}

impl Budget {
    /// What every station says that it may take.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut budget = Self::default();
        serve::declare_memory(config, &mut budget);
        if config.does(Role::Gateway) {
            budget.declare("ingest", ingest::start::memory_bound_bytes(&config.agents, config.partitions()));
        }
        if let Some(kafka) = &config.cluster.kafka {
            budget.declare("kafka", ingest::shared::memory_bound_bytes(kafka, config.does(Role::Process)));
            if let Some(raw) = config.raw() {
                budget.declare("raw", ingest::raw::start::memory_bound_bytes(kafka, raw));
            }
        }
        if config.cluster.postgres.is_some() {
            budget.declare("registry", ingest::registry::MEMORY_BYTES_MAX);
        }
        budget.declare("access", access::memory_bound_bytes());
        if config.does(Role::Process) || config.does(Role::Notify) {
            budget.declare("notify", notify::memory_bound_bytes(&config.notify, TRANSITIONS_MAX, ALERTS_MAX));
        }
        budget
    }

    /// Shows each bound as a metric.
    pub fn show(&self) {
        for (component, bytes) in &self.parts {
            metrics::gauge!(MEMORY_BOUND_BYTES, "component" => *component).set(*bytes as f64);
        }
    }

    /// Adds a component's bound in bytes.
    pub fn declare(&mut self, component: &'static str, bytes: u64) {
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
            let _ = write!(parts, "\n  {component}: {}", ByteSize(bytes).rounded());
        }
        Err(OverBudget { total: ByteSize(total).rounded(), max: max.rounded(), parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_limits_fit_the_default_memory_with_some_channels() {
        let channel = "name: a\nwebhook: {url: 'https://hooks.example.com/a'}\n";
        let mut config = Config::default();
        let source = goldentime_model::config::Source { name: "channel".into(), text: channel.into() };
        let node = goldentime_model::config::yaml::parse(&std::sync::Arc::new(source)).expect("YAML");
        let channel: notify::config::ChannelConfig =
            goldentime_model::config::decode(&node).expect("a channel");
        config.notify.channels = vec![channel; 8];
        assert_eq!(Budget::of(&config).check(config.memory_bytes_max), Ok(()));
    }

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

//! Names of the metrics that both programs expose about themselves at `/metrics`.
//!
//! Metrics of one station stand beside the code that counts them; here are those that a dashboard or
//! a rule reads from both programs alike.

/// Gauge, always 1. Labels `program`, `version`.
pub const BUILD_INFO: &str = "goldentime_build_info";
/// Counter. Whatever was let go: lines, records, samples, frames. Labels `component`, `reason`.
pub const DROPS_TOTAL: &str = "goldentime_drops_total";
/// Gauge. Items waiting in a bounded queue. Label `queue`.
pub const QUEUE_DEPTH: &str = "goldentime_queue_depth";
/// Gauge. Bytes that components declared as their bounds at start. Label `component`.
pub const MEMORY_BOUND_BYTES: &str = "goldentime_memory_bound_bytes";
/// Gauge. Resident memory of the process.
pub const RESIDENT_BYTES: &str = "goldentime_resident_bytes";
/// Counter. Loads of SLO files. Label `result`: `loaded` or `refused`.
pub const RULES_RELOAD_TOTAL: &str = "goldentime_rules_reload_total";
/// Gauge. Rules in force.
pub const RULES: &str = "goldentime_rules";
/// Gauge. 1 while the newest SLO files are refused and older rules stay in force, else 0.
pub const RULES_STALE: &str = "goldentime_rules_stale";

/// What a metric is, for `# HELP` and `# TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows, until the process ends.
    Counter,
    /// A reading.
    Gauge,
}

/// One metric: name, kind, unit in words, help text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricDescription {
    /// Full name.
    pub name: &'static str,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// One sentence.
    pub help: &'static str,
}

/// Every metric named here. A program hands each to its recorder at start.
pub const SHARED: [MetricDescription; 8] = [
    gauge(BUILD_INFO, "Always 1; the labels name program and version."),
    counter(DROPS_TOTAL, "Whatever was let go, by component and reason."),
    gauge(QUEUE_DEPTH, "Items waiting in a bounded queue."),
    gauge(MEMORY_BOUND_BYTES, "Bytes that a component declared as its bound at start."),
    gauge(RESIDENT_BYTES, "Resident memory of the process in bytes."),
    counter(RULES_RELOAD_TOTAL, "Loads of SLO files by result."),
    gauge(RULES, "Rules in force."),
    gauge(RULES_STALE, "1 while the newest SLO files are refused and older rules stay in force."),
];

const fn gauge(name: &'static str, help: &'static str) -> MetricDescription {
    MetricDescription { name, kind: MetricKind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> MetricDescription {
    MetricDescription { name, kind: MetricKind::Counter, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shared_metric_carries_the_prefix_and_counters_their_suffix() {
        for metric in SHARED {
            assert!(metric.name.starts_with("goldentime_"), "{}", metric.name);
            let total = metric.name.ends_with("_total");
            assert_eq!(total, metric.kind == MetricKind::Counter, "{}", metric.name);
        }
    }
}

//! Documents for tests, and the places of what is wrong with them.

use std::sync::Arc;

use goldentime_model::config::Source;

use super::rule_set::RuleSet;

/// One SLO with one condition, into which tests put a fault.
pub(super) const SLO: &str = "\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: orders
spec:
  service: order-api
  indicator:
    metadata: {name: orders}
    spec:
      ratioMetric:
        good: {metricSource: {type: goldentime, spec: {signal: errors}}}
        total: {metricSource: {type: goldentime, spec: {signal: errors}}}
  objectives:
    - target: 0.95
  alertPolicies:
    - metadata: {name: orders}
      spec:
        conditions:
          - metadata: {name: fast}
            spec:
              severity: page
              condition:
                kind: burnrate
                op: gt
                threshold: 1
                lookbackWindow: 10s
                alertAfter: 0s
";

/// Compiles one text, named `slo.yaml`.
pub(super) fn load(text: &str) -> Result<RuleSet, Vec<String>> {
    let source = Source { name: "slo.yaml".into(), text: text.into() };
    RuleSet::compile(&[Arc::new(source)]).map_err(|faults| {
        let line = |fault: &goldentime_model::config::Fault| {
            let place = fault.place.as_ref().map_or_else(String::new, ToString::to_string);
            format!("{place}: {}", fault.summary())
        };
        faults.0.iter().map(line).collect()
    })
}

/// Compiles [`SLO`] with `from` replaced by `to`.
pub(super) fn with(from: &str, to: &str) -> Result<RuleSet, Vec<String>> {
    assert!(SLO.contains(from), "the document has `{from}`");
    load(&SLO.replace(from, to))
}

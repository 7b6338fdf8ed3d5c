//! SLO files of the tests.

use std::path::Path;

use anyhow::{Context, Result};

/// Writes `<name>.yaml`: more than `bad` of the service's requests failed in the last five seconds,
/// judged as a whole or `by` its parts (`host`).
pub fn write(folder: &Path, name: &str, service: &str, bad: f64, by: Option<&str>) -> Result<()> {
    let path = folder.join(format!("{name}.yaml"));
    std::fs::write(&path, text(name, service, bad, by)).with_context(|| path.display().to_string())
}

/// The text of such a file.
#[must_use]
pub fn text(name: &str, service: &str, bad: f64, by: Option<&str>) -> String {
    let by = by.map_or_else(String::new, |by| format!(", by: {by}"));
    let target = 1.0 - bad;
    format!(
        "apiVersion: openslo/v1
kind: SLO
metadata:
  name: {name}
spec:
  service: {service}
  indicator:
    metadata: {{name: {name}}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: goldentime, spec: {{signal: errors{by}}}}}}}
        total: {{metricSource: {{type: goldentime, spec: {{signal: errors{by}}}}}}}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{target: {target}}}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{name: {name}}}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata: {{name: {name}}}
            spec:
              severity: page
              condition: {{kind: burnrate, op: gt, threshold: 1, lookbackWindow: 5s, alertAfter: 0s}}
"
    )
}

/// Writes `<name>.yaml`: more than `bad` of the requests failed that `selector` picks (`services: [a, b]`) over
/// `window`, where it holds `requests_min`.
pub fn write_selected(
    folder: &Path,
    name: &str,
    selector: &str,
    bad: f64,
    window: &str,
    requests_min: u32,
) -> Result<()> {
    let spec = "spec: {signal: errors}";
    let picked = format!("spec: {{signal: errors, selector: {{{PLACE}, {selector}}}}}");
    let annotated =
        format!("  name: {name}\n  annotations: {{goldentime.io/requests_min: '{requests_min}'}}\nspec:");
    let text = text(name, "shop", bad, None)
        .replace(spec, &picked)
        .replacen(&format!("  name: {name}\nspec:"), &annotated, 1)
        .replace("lookbackWindow: 5s", &format!("lookbackWindow: {window}"));
    let path = folder.join(format!("{name}.yaml"));
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

/// Where the services of the tests are.
const PLACE: &str = "project: default, environment: default";

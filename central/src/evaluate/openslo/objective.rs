//! What an objective demands of a measurement.

use std::sync::Arc;

use goldentime_model::config::Fault;
use goldentime_model::indicator::Measured;

use super::super::rule::Measure;
use super::documents::{Comparison, Objective};
use super::site::Site;
use super::source::{Form, Measurement, signal};

/// What is counted, and how much of it may be bad.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aim {
    pub(super) measure: Measure,
    pub(super) limit: Limit,
}

/// How much may be bad.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Limit {
    /// The share of bad events that spends the budget at burn rate 1.
    Share {
        /// 1 − target, or 1 − quantile.
        allowed: f64,
        /// Where it comes from, for messages: `target 0.95`.
        from: String,
    },
    /// The rate per second that must be reached.
    Floor(f64),
    /// What is usual, whatever that is.
    Usual,
}

/// Works out the objective at `path` of an SLO.
pub(super) fn aim(
    objective: &Objective,
    site: &Site,
    path: &str,
    measurement: &Measurement,
    faults: &mut Vec<Fault>,
) -> Option<Aim> {
    let target = target(objective, site, path, faults);
    let share = |target: f64| Limit::Share { allowed: clean(1.0 - target), from: format!("target {target}") };
    let threshold = |faults: &mut Vec<Fault>| threshold(objective, site, path, measurement, faults);
    match &measurement.indicator.measured {
        Measured::Errors { bad } => {
            refuse_value(objective, site, path, faults)?;
            Some(Aim { measure: Measure::Availability { bad: bad.clone() }, limit: share(target?) })
        }
        Measured::Latency { threshold_s, quantile } => {
            let threshold_s = match (measurement.form, threshold_s) {
                (Form::Ratio, Some(threshold_s)) => {
                    refuse_value(objective, site, path, faults)?;
                    *threshold_s
                }
                _ => threshold(faults)?,
            };
            let limit = match quantile {
                Some(q) => Limit::Share { allowed: clean(1.0 - q), from: format!("quantile {q}") },
                None => share(target?),
            };
            target?;
            Some(Aim { measure: Measure::Latency { threshold_s }, limit })
        }
        Measured::Traffic { .. } => {
            let floor = threshold(faults)?;
            target?;
            Some(Aim { measure: Measure::Traffic, limit: Limit::Floor(floor) })
        }
        Measured::Stray(straying) => {
            if objective.value.is_some() || objective.op.is_some() {
                let field = if objective.value.is_some() { "value" } else { "op" };
                let message = "has no meaning beside `stray`: how far is the indicator's `threshold`";
                faults.push(site.fault(&format!("{path}.{field}"), message));
                return None;
            }
            Some(Aim { measure: Measure::Stray(straying.clone()), limit: share(target?) })
        }
        Measured::Shift(of) => {
            if objective.value.is_some() || objective.op.is_some() {
                let field = if objective.value.is_some() { "value" } else { "op" };
                let message =
                    "has no meaning beside `shift`, which compares with what is usual; leave it out";
                faults.push(site.fault(&format!("{path}.{field}"), message));
                return None;
            }
            target?;
            Some(Aim { measure: Measure::Shift(of.clone()), limit: Limit::Usual })
        }
        Measured::Saturation { metric, .. } => {
            let threshold = threshold(faults)?;
            let measure = Measure::Saturation { metric: Arc::from(metric.as_str()), threshold };
            Some(Aim { measure, limit: share(target?) })
        }
    }
}

/// Takes the last rounding of decimal fractions away: 1 − 0.95 is 0.05, not 0.050000000000000044,
/// which a share of exactly 5 in 100 would not reach.
pub(super) fn clean(value: f64) -> f64 {
    (value * 1e12).round() / 1e12
}

fn target(objective: &Objective, site: &Site, path: &str, faults: &mut Vec<Fault>) -> Option<f64> {
    let (target, field) = match (objective.target, objective.target_percent) {
        (Some(target), None) => (target, "target"),
        (None, Some(percent)) => (clean(percent / 100.0), "targetPercent"),
        (Some(_), Some(_)) => {
            faults.push(
                site.fault(&format!("{path}.targetPercent"), "stands beside `target`; give one of the two"),
            );
            return None;
        }
        (None, None) => {
            faults.push(
                site.fault(
                    path,
                    "has no `target`; write the share that must be good, such as `target: 0.99`",
                ),
            );
            return None;
        }
    };
    if (0.0..1.0).contains(&target) {
        return Some(target);
    }
    let range = if field == "target" { "from 0 to below 1" } else { "from 0 to below 100" };
    faults.push(site.fault(&format!("{path}.{field}"), format!("is out of range: {range}")));
    None
}

/// The value that the measured one is compared with: in the source's spec, in the objective, or the
/// same in both.
fn threshold(
    objective: &Objective,
    site: &Site,
    path: &str,
    measurement: &Measurement,
    faults: &mut Vec<Fault>,
) -> Option<f64> {
    let measured = &measurement.indicator.measured;
    let name = signal(measured).as_str();
    let (own, good, unit) = match measured {
        Measured::Latency { threshold_s, .. } => (*threshold_s, [Comparison::Lt, Comparison::Lte], "seconds"),
        Measured::Traffic { floor_per_s } => {
            (*floor_per_s, [Comparison::Gt, Comparison::Gte], "requests per second")
        }
        Measured::Saturation { threshold, .. } => {
            (*threshold, [Comparison::Lt, Comparison::Lte], "the metric's unit")
        }
        Measured::Errors { .. } | Measured::Stray(_) | Measured::Shift(_) => return None,
    };
    if let Some(op) = objective.op.filter(|op| !good.contains(op)) {
        let wanted = if good[0] == Comparison::Lt { "`lt` or `lte`" } else { "`gt` or `gte`" };
        let message = format!("`{}` would call {name} good on the wrong side; write {wanted}", op.as_str());
        faults.push(site.fault(&format!("{path}.op"), message));
        return None;
    }
    let field = format!("{path}.value");
    match (own, objective.value) {
        (Some(own), None) => Some(own),
        (None, Some(value)) if objective.op.is_none() => {
            faults.push(
                site.fault(path, format!("has a `value` of {value} and no `op`; say which side is good")),
            );
            None
        }
        (None, Some(value)) if value.is_finite() && value > 0.0 => Some(value),
        (None, Some(_)) => {
            faults.push(site.fault(&field, format!("must be above 0, in {unit}")));
            None
        }
        (Some(own), Some(value)) if own == value => Some(own),
        (Some(own), Some(value)) => {
            let message =
                format!("{value} is not the indicator's `threshold`, {own} in {unit}; give one of the two");
            faults.push(site.fault(&field, message));
            None
        }
        (None, None) => {
            let message = "is missing; say it here, or as `op` and `value` of the objective";
            faults.push(measurement.site.fault("threshold", message));
            None
        }
    }
}

fn refuse_value(objective: &Objective, site: &Site, path: &str, faults: &mut Vec<Fault>) -> Option<()> {
    if objective.value.is_none() {
        return Some(());
    }
    let message = "belongs to `thresholdMetric`; a ratio is compared with `target`";
    faults.push(site.fault(&format!("{path}.value"), message));
    None
}

impl Comparison {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Lte => "lte",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Gt => "gt",
        }
    }
}

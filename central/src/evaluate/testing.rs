//! What the tests of this station share.

use std::time::Duration;

use goldentime_model::indicator::Selector;
use goldentime_model::{Labels, ServiceId, Severity};

use super::rule::{Condition, GroupBy, LowTrafficGuard, Measure, Rule};

/// A service of the default project and environment.
pub(crate) fn service(name: &str) -> ServiceId {
    ServiceId::new("default", "default", name).expect("a valid name")
}

/// A critical rule over ten seconds of the service `shop` that fires at once above a bad share of 5%.
pub(crate) fn rule(name: &str, measure: Measure) -> Rule {
    Rule {
        name: name.into(),
        slo: None,
        origin: "test".into(),
        selector: Selector {
            project: Some("default".into()),
            environment: Some("default".into()),
            service: Some("shop".into()),
            ..Selector::default()
        },
        group_by: GroupBy::Service,
        measure,
        condition: Condition::BadShareAbove(0.05),
        requests_min: 0,
        low_traffic: LowTrafficGuard::Off,
        window_s: 10,
        hold: Duration::ZERO,
        severity: Severity::Critical,
        alert_on_no_data: false,
        alert_on_resolve: true,
        targets: Vec::new(),
        labels: Labels::new(),
        annotations: Labels::new(),
    }
}

//! What the tests of this station share.

use std::sync::Arc;
use std::time::Duration;

use goldentime_model::indicator::Selector;
use goldentime_model::{Labels, Outcome, ServiceId, Severity};

use super::budget::{self, Method, Objective};
use super::rule::{Condition, GroupBy, Measure, Rule};

/// A service of the default project and environment.
pub(crate) fn service(name: &str) -> ServiceId {
    ServiceId::new("default", "default", name).expect("a valid name")
}

/// A critical rule over ten seconds of the service `shop` that fires at once above a bad share of 5%.
pub(crate) fn rule(name: &str, measure: Measure) -> Rule {
    Rule {
        name: name.into(),
        slo: None,
        objective: None,
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
        window_s: 10,
        burn: None,
        hold: Duration::ZERO,
        severity: Severity::Critical,
        alert_on_no_data: false,
        alert_on_resolve: true,
        targets: Vec::new(),
        labels: Labels::new(),
        annotations: Labels::new(),
    }
}

/// An objective over four weeks: 99.9% of the requests of the service `shop` succeed.
pub(crate) fn objective(name: &str) -> Objective {
    let counted = rule(name, Measure::Availability { bad: vec![Outcome::ServerError] });
    Objective {
        name: name.into(),
        slo: name.into(),
        counted: Arc::new(counted),
        method: Method::Occurrences,
        target: 0.999,
        window: budget::period::USUAL,
        maintenance: Arc::default(),
        weight: None,
        burns: Vec::new(),
    }
}

//! What agents need to know of the rules: which observations cannot wait for the next flush.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::identity::HOST_SERVICE_PREFIX;
use goldentime_model::indicator::{ANY, ANY_HOST_SERVICE, Compared, Selector};
use goldentime_wire::proto;

use super::super::project::part_matches;
use super::super::rule::{Measure, Rule};

/// Services named to one agent; rules on more are told as a rule on every service, which is never
/// later, only more eager.
const SERVICES_MAX: usize = 10_000;

/// The tightest threshold of the rules on each service, as one agent must know it: an agent of
/// another project or environment gets what concerns it only.
///
/// Services are canonical ids, and `*` stands for every service; the agent takes the tighter of the
/// two.
#[must_use]
pub fn thresholds(rules: &[Arc<Rule>], project: &str, environment: &str, host: &str) -> proto::Thresholds {
    let mut services: BTreeMap<String, proto::ServiceThreshold> = BTreeMap::new();
    for rule in rules {
        if !picks(&rule.selector, project, environment, host) {
            continue;
        }
        let one = rule.selector.service.as_deref();
        let several = rule.selector.services.iter().flatten().map(|name| Some(name.as_str()));
        for name in several.chain(rule.selector.services.is_none().then_some(one)) {
            let service = match name {
                None | Some(ANY) => ANY.to_owned(),
                Some(ANY_HOST_SERVICE) => format!("{project}/{environment}/{HOST_SERVICE_PREFIX}{host}"),
                Some(name) => format!("{project}/{environment}/{name}"),
            };
            let entry = services.entry(service).or_default();
            entry.watched = true;
            tighten(entry, &rule.measure);
        }
    }
    if services.len() > SERVICES_MAX {
        let every = services.into_values().fold(proto::ServiceThreshold::default(), |mut every, one| {
            every.watched = true;
            every.errors |= one.errors;
            every.slow_seconds = tighter(every.slow_seconds, one.slow_seconds);
            every
        });
        services = BTreeMap::from([(ANY.to_owned(), every)]);
    }
    let named =
        services.into_iter().map(|(service, threshold)| proto::ServiceThreshold { service, ..threshold });
    proto::Thresholds { services: named.collect() }
}

fn picks(selector: &Selector, project: &str, environment: &str, host: &str) -> bool {
    part_matches(selector.project.as_deref(), project)
        && part_matches(selector.environment.as_deref(), environment)
        && part_matches(selector.host.as_deref(), host)
}

fn tighten(entry: &mut proto::ServiceThreshold, measure: &Measure) {
    match measure {
        Measure::Availability { .. } | Measure::Shift(Compared::Errors { .. }) => entry.errors = true,
        Measure::Latency { threshold_s } => entry.slow_seconds = tighter(entry.slow_seconds, *threshold_s),
        // What strays is judged once a second is complete: nothing of it is in a hurry.
        Measure::Traffic | Measure::Saturation { .. } | Measure::Stray(_) | Measure::Shift(_) => {}
    }
}

/// The smaller threshold, where 0 stands for none.
fn tighter(a: f64, b: f64) -> f64 {
    match (a > 0.0, b > 0.0) {
        (true, true) => a.min(b),
        (true, false) => a,
        (false, _) => b,
    }
}

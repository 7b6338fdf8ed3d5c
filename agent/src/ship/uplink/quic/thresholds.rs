//! What the central's rules watch, as the shards want it.

use goldentime_model::ServiceId;
use goldentime_wire::proto;

use crate::aggregate::{Watch, WatchTable};

/// Name under which the central says what holds for every service of the project.
const EVERY_SERVICE: &str = "*";

/// The table for the shards. A name that is no service id, as a later central might send, is passed
/// over: its service is then flushed at the ordinary pace, which is late by a second and wrong in
/// nothing.
pub(super) fn watch_table(thresholds: &proto::Thresholds) -> WatchTable {
    let mut every = Watch::NONE;
    let mut services = Vec::new();
    for threshold in &thresholds.services {
        let watch = Watch {
            watched: threshold.watched,
            slow_s: (threshold.slow_seconds > 0.0).then_some(threshold.slow_seconds),
            errors: threshold.errors,
        };
        if threshold.service == EVERY_SERVICE {
            every = watch;
        } else if let Ok(service) = threshold.service.parse::<ServiceId>() {
            services.push((service, watch));
        } else {
            tracing::warn!(service = threshold.service, "the central watches a name that is no service id");
        }
    }
    WatchTable::new(every, services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_for_every_service_joins_that_of_one() {
        let threshold = |service: &str, slow_seconds, errors| proto::ServiceThreshold {
            service: service.into(),
            watched: true,
            slow_seconds,
            errors,
        };
        let services =
            vec![threshold("*", 0.0, true), threshold("p/e/s", 0.2, false), threshold("?", 1.0, true)];
        let table = watch_table(&proto::Thresholds { services });
        let own = table.of(&"p/e/s".parse().expect("valid"));
        assert_eq!(own, Watch { watched: true, slow_s: Some(0.2), errors: true });
        let other = table.of(&"p/e/other".parse().expect("valid"));
        assert_eq!(other, Watch { watched: true, slow_s: None, errors: true });
    }

    #[test]
    fn without_rules_nothing_is_watched() {
        let table = watch_table(&proto::Thresholds::default());
        assert_eq!(table.of(&"p/e/s".parse().expect("valid")), Watch::NONE);
    }
}

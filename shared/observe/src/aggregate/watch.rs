//! What the central's rules watch, so that what may tip one does not wait for the next flush.

use std::collections::HashMap;

use goldentime_model::ServiceId;

/// What rules watch on one service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    /// Some rule watches the service: it is flushed at the short interval.
    pub watched: bool,
    /// Tightest latency threshold in seconds; what is slower goes by the express lane. `None`: no
    /// rule on latency.
    pub slow_s: Option<f64>,
    /// Some rule watches errors: bad outcomes go by the express lane.
    pub errors: bool,
}

impl Watch {
    /// No rule watches the service.
    pub const NONE: Self = Self { watched: false, slow_s: None, errors: false };

    /// What `self` and `other` watch together.
    #[must_use]
    fn tightest(self, other: Self) -> Self {
        let slow_s = match (self.slow_s, other.slow_s) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { watched: self.watched || other.watched, slow_s, errors: self.errors || other.errors }
    }
}

/// What rules watch on all services. Replaced whole when the central sends a new list.
#[derive(Clone, Debug)]
pub struct WatchTable {
    every: Watch,
    services: HashMap<ServiceId, Watch>,
}

impl Default for WatchTable {
    /// Nothing is known yet: every service counts as watched for errors, so that an agent that has
    /// not yet heard from its central is too eager rather than too late.
    fn default() -> Self {
        Self { every: Watch { watched: true, slow_s: None, errors: true }, services: HashMap::new() }
    }
}

impl WatchTable {
    /// A table from what holds for every service and what holds for single ones besides.
    #[must_use]
    pub fn new(every: Watch, services: impl IntoIterator<Item = (ServiceId, Watch)>) -> Self {
        Self { every, services: services.into_iter().collect() }
    }

    /// What rules watch on `service`.
    #[must_use]
    pub fn of(&self, service: &ServiceId) -> Watch {
        self.services.get(service).map_or(self.every, |own| own.tightest(self.every))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_of_two_thresholds_holds() {
        let id: ServiceId = "p/e/s".parse().expect("valid");
        let every = Watch { watched: true, slow_s: Some(1.0), errors: false };
        let own = Watch { watched: true, slow_s: Some(0.2), errors: true };
        let table = WatchTable::new(every, [(id.clone(), own)]);
        assert_eq!(table.of(&id), Watch { watched: true, slow_s: Some(0.2), errors: true });
        assert_eq!(table.of(&"p/e/other".parse().expect("valid")), every);
    }
}

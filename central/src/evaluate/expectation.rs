//! What is expected of a service but was not seen yet.

use serde::{Deserialize, Serialize};

/// A stretch of event time of which events are expected and were not sent yet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Its beginning, in milliseconds.
    pub from_ms: i64,
    /// Its end; `i64::MAX` where it lasts.
    pub until_ms: i64,
    /// Events in each millisecond of it.
    pub per_ms: f64,
}

impl Gap {
    /// Events that are missing of `from_ms..until_ms`.
    #[must_use]
    pub fn events(&self, from_ms: i64, until_ms: i64) -> f64 {
        let missing_ms = self.until_ms.min(until_ms).saturating_sub(self.from_ms.max(from_ms)).max(0);
        self.per_ms * missing_ms as f64
    }
}

/// The agents that feed a service, as far as judging needs to know them.
///
/// Without this the express lane, by which bad observations arrive first, doubles false alarms: the
/// window would hold the bad requests of an instant whose good ones are still on their way.
pub trait Expectation {
    /// Events that were to be expected in `from_ms..until_ms` of event time and were not sent yet:
    /// the sum over the agents of rate × time that their progress does not cover.
    fn unseen(&self, from_ms: i64, until_ms: i64) -> f64;

    /// The same for the agents on one host; `None` when no agent on that host feeds the service.
    fn unseen_on_host(&self, host: &str, from_ms: i64, until_ms: i64) -> Option<f64>;

    /// Event time up to which every agent that is expected has sent everything; `None` when nobody
    /// is expected.
    fn complete_until_ms(&self) -> Option<i64>;

    /// Every gap, for those who judge elsewhere: [`Expectation::unseen`] of a span is the sum over them, but that what
    /// came early inside a gap is spread over it.
    fn gaps(&self, each: &mut dyn FnMut(Gap));
}

/// Nobody feeds the service.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyExpected;

impl Expectation for NobodyExpected {
    fn unseen(&self, _from_ms: i64, _until_ms: i64) -> f64 {
        0.0
    }

    fn unseen_on_host(&self, _host: &str, _from_ms: i64, _until_ms: i64) -> Option<f64> {
        None
    }

    fn complete_until_ms(&self) -> Option<i64> {
        None
    }

    fn gaps(&self, _each: &mut dyn FnMut(Gap)) {}
}

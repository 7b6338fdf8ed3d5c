//! What is expected of a service but was not seen yet.

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
}

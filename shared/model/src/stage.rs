//! When a fact passed each station between the request and the page.

use serde::{Deserialize, Serialize};

use crate::UnixNanos;

/// Instants at which the observation that tipped a rule passed each station, all on the central's
/// clock (the agent's two are corrected by the offset that the uplink measured). A station that was
/// not passed, such as a record born in the central itself, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTimes {
    /// The request ended, as its log line says.
    pub occurred: Option<UnixNanos>,
    /// The agent committed the batch that holds it to its spool.
    pub flushed: Option<UnixNanos>,
    /// The central read the batch from the uplink.
    pub received: Option<UnixNanos>,
    /// It was added to its window.
    pub merged: Option<UnixNanos>,
    /// The rule was found true.
    pub evaluated: Option<UnixNanos>,
    /// Silences, inhibition, grouping and debounce let it through.
    pub dispatched: Option<UnixNanos>,
    /// The first channel confirmed it.
    pub delivered: Option<UnixNanos>,
    /// `occurred` comes from a stamp of whole seconds and is right to within one second only.
    #[serde(default)]
    pub occurred_is_coarse: bool,
}

impl StageTimes {
    /// Names and instants in order, for tables and the dashboard's bar.
    #[must_use]
    pub const fn in_order(&self) -> [(&'static str, Option<UnixNanos>); 7] {
        [
            ("occurred", self.occurred),
            ("flushed", self.flushed),
            ("received", self.received),
            ("merged", self.merged),
            ("evaluated", self.evaluated),
            ("dispatched", self.dispatched),
            ("delivered", self.delivered),
        ]
    }

    /// Milliseconds from the request to its delivery, once both are known.
    #[must_use]
    pub fn golden_time_ms(&self) -> Option<f64> {
        let (occurred, delivered) = (self.occurred?, self.delivered?);
        Some(delivered.since(occurred) as f64 / 1e6)
    }
}

//! Measuring a series by what is usual for it instead of by a fixed threshold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::Signal;
use crate::Outcome;

/// Threshold of a straying indicator that gives none.
pub const STRAY_THRESHOLD: f64 = 6.0;

/// Lowest and highest threshold of a straying indicator: below, calm seconds stray by chance several
/// times an hour; scores are not told apart above.
pub const STRAY_THRESHOLDS: [f64; 2] = [2.0, 50.0];

/// The quantile of latencies that is compared where none is given.
pub const STRAY_QUANTILE: f64 = 0.95;

/// On which side of the usual a second is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// More than usual.
    Above,
    /// Less than usual.
    Below,
    /// Both.
    Either,
}

/// Each complete second is an event, and bad when it lies further than the threshold from what the
/// minutes before it make usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Straying {
    /// What is compared.
    pub of: Compared,
    /// Where it is bad.
    pub side: Side,
    /// In widths of what is usual.
    pub threshold: f64,
}

/// What of a second is compared with what is usual.
#[derive(Clone, Debug, PartialEq)]
pub enum Compared {
    /// Share of requests that end badly.
    Errors {
        /// Outcomes that are bad.
        bad: Vec<Outcome>,
    },
    /// A quantile of the latencies.
    Latency {
        /// Above 0 and below 1.
        quantile: f64,
    },
    /// Number of requests.
    Traffic,
    /// The highest reading of a gauge.
    Saturation {
        /// `name` or `name{label="value"}`, labels sorted.
        metric: String,
    },
}

impl Straying {
    /// Whether a score is on the bad side and beyond the threshold.
    #[must_use]
    pub fn is_bad(&self, score: f64) -> bool {
        match self.side {
            Side::Above => score > self.threshold,
            Side::Below => -score > self.threshold,
            Side::Either => score.abs() > self.threshold,
        }
    }
}

impl Compared {
    /// The golden signal that it belongs to.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        match self {
            Self::Errors { .. } => Signal::Errors,
            Self::Latency { .. } => Signal::Latency,
            Self::Traffic => Signal::Traffic,
            Self::Saturation { .. } => Signal::Saturation,
        }
    }
}

impl Side {
    /// Name as written in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
            Self::Either => "either",
        }
    }
}

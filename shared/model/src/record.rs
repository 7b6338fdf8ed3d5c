//! The record types that are not folded into sketches: samples and log records.
//!
//! The third, the observation, lives only inside the agent, which folds it into a one-second sketch
//! the moment it is parsed; see `goldentime_agent::aggregate`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Labels, UnixNanos};

/// What the values of a sample mean over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// A reading at an instant: the newest stands for its second.
    Gauge,
    /// An increase since the last flush: the sum stands for its second.
    Counter,
}

/// One reading of a metric that is not a request: saturation, queue length, a custom counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Metric name in OpenTelemetry's style, such as `system.cpu.utilization`.
    pub name: String,
    /// Labels that tell sources apart (`device`, `mode`), without host and service.
    pub labels: Labels,
    /// Gauge or counter.
    pub kind: SampleKind,
    /// The reading, in `unit`.
    pub value: f64,
    /// UCUM unit: `1` for a ratio, `By`, `s`, `{packet}`.
    pub unit: String,
    /// When it was read, UTC.
    pub at: UnixNanos,
}

/// One shipped log line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// When the line says it happened, else when it was read; UTC.
    pub at: UnixNanos,
    /// Level in lower case (`error`, `warn`, `info`), empty where the line names none.
    pub level: String,
    /// The message after redaction.
    pub message: String,
    /// W3C trace id in hexadecimal, empty where the line names none.
    pub trace_id: String,
    /// W3C span id in hexadecimal, empty where the line names none.
    pub span_id: String,
    /// Everything else that the line says.
    pub attributes: BTreeMap<String, String>,
}

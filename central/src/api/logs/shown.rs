//! Log lines as they are answered.

use std::collections::BTreeMap;

use goldentime_search::{Line, NewLine};
use serde::Serialize;

use crate::push::sources::millis;

/// A line.
#[derive(Debug, Serialize)]
pub(in crate::api) struct LineView {
    /// To ask for its context with; none for a line of the live tail.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Where it came from: stream, partition, number, index.
    origin: String,
    at_ms: f64,
    level: String,
    service: String,
    host: String,
    message: String,
    trace_id: String,
    span_id: String,
    attributes: BTreeMap<String, String>,
}

impl From<NewLine> for LineView {
    fn from(line: NewLine) -> Self {
        let NewLine { identity, service, host, record } = line;
        Self {
            id: None,
            origin: identity.to_string(),
            at_ms: millis(record.at),
            level: record.level,
            service: service.to_string(),
            host: host.to_string(),
            message: record.message,
            trace_id: record.trace_id,
            span_id: record.span_id,
            attributes: record.attributes,
        }
    }
}

impl From<Line> for LineView {
    fn from(line: Line) -> Self {
        let Line { id, identity, service, host, record } = line;
        Self { id: Some(id.to_string()), ..NewLine { identity, service, host, record }.into() }
    }
}

/// A page of lines.
#[derive(Serialize)]
pub(in crate::api) struct LinesFound {
    /// Newest first; of a trace oldest first.
    pub(super) lines: Vec<LineView>,
    /// `before` of the next page; null when all was searched. A page may be short or empty and yet have
    /// a next one.
    pub(super) next: Option<String>,
    /// Everything after this time was searched.
    pub(super) searched_back_to_ms: Option<f64>,
    /// Stored pieces that could not be read; their lines are missing.
    pub(super) damaged: u64,
}

/// Counts over time.
#[derive(Serialize)]
pub(in crate::api) struct Counts {
    pub(super) from_ms: f64,
    pub(super) width_ms: f64,
    /// Oldest first.
    pub(super) buckets: Vec<Count>,
    pub(super) total: u64,
    /// The counts are a projection from a sample.
    pub(super) approximate: bool,
    pub(super) damaged: u64,
}

#[derive(Serialize)]
pub(in crate::api) struct Count {
    pub(super) lines: u64,
    /// Those at `error` or graver.
    pub(super) errors: u64,
}

/// A line among those of its service and host.
#[derive(Serialize)]
pub(in crate::api) struct Around {
    /// Oldest first.
    pub(super) lines: Vec<LineView>,
    /// Place of the line itself.
    pub(super) focus: usize,
}

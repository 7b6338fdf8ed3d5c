//! Lines as log records.

use std::collections::BTreeMap;

use goldentime_model::{LogRecord, UnixNanos};

use crate::inputs::parse::Fields;
use crate::inputs::redact::redact;

/// Bytes of a level's name that are kept.
const LEVEL_BYTES_MAX: usize = 16;
/// Hexadecimal digits of a W3C trace id.
const TRACE_BYTES_MAX: usize = 32;

/// A redacted log record of a line, and whether its text had to be repaired to be UTF-8.
pub(super) fn record(line: &[u8], fields: Option<&Fields<'_>>, now: UnixNanos) -> (LogRecord, bool) {
    let nothing = Fields::default();
    let fields = fields.unwrap_or(&nothing);
    let raw = if fields.message.is_empty() { line } else { &fields.message };
    let text = String::from_utf8_lossy(raw);
    let is_repaired = matches!(text, std::borrow::Cow::Owned(_));
    let mut attributes = BTreeMap::new();
    let mut add = |name: &str, value: &[u8]| {
        if !value.is_empty() {
            attributes.insert(name.to_owned(), redact(&String::from_utf8_lossy(value)).into_owned());
        }
    };
    add("http.request.method", &fields.method);
    add("url.path", &fields.path);
    add("http.route", &fields.endpoint);
    if let Some(status) = fields.status {
        attributes.insert("http.response.status_code".to_owned(), status.to_string());
    }
    if let Some(duration_s) = fields.duration_s {
        attributes.insert("duration_s".to_owned(), duration_s.to_string());
    }
    let level = match fields.status {
        _ if !fields.level.is_empty() => short(&fields.level, LEVEL_BYTES_MAX).to_ascii_lowercase(),
        Some(500..) => "error".to_owned(),
        _ => String::new(),
    };
    let record = LogRecord {
        at: fields.at.unwrap_or(now),
        level,
        message: redact(&text).into_owned(),
        trace_id: short(&fields.trace_id, TRACE_BYTES_MAX),
        span_id: short(&fields.span_id, TRACE_BYTES_MAX),
        attributes,
    };
    (record, is_repaired)
}

fn short(bytes: &[u8], max: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(max)]).into_owned()
}

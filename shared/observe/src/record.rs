//! Lines as log records.

use std::collections::BTreeMap;

use goldentime_model::identity::NAME_BYTES_MAX;
use goldentime_model::{LogRecord, UnixNanos};
use goldentime_wire::limits::{ATTRIBUTE_BYTES_MAX, MESSAGE_BYTES_MAX};

use crate::cut::within;
use crate::parse::Fields;
use crate::redact::{redact, redact_field};

/// Bytes of a level's name that are kept.
const LEVEL_BYTES_MAX: usize = 16;
/// Hexadecimal digits of a W3C trace id.
const TRACE_BYTES_MAX: usize = 32;

/// A log record of a line.
pub struct Shipped {
    /// The record, redacted.
    pub record: LogRecord,
    /// Its text had to be repaired to be UTF-8.
    pub is_repaired: bool,
    /// Texts that were cut at the longest that a record may hold.
    pub cut: u64,
}

/// Level and message of the log record that a line becomes, as `check` shows them.
#[must_use]
pub fn preview(line: &[u8], fields: Option<&Fields<'_>>) -> String {
    let LogRecord { level, message, attributes, .. } = record(line, fields, UnixNanos(0)).record;
    let level = if level.is_empty() { "(no level)" } else { &level };
    let more =
        if attributes.is_empty() { String::new() } else { format!(" + {} attributes", attributes.len()) };
    format!("{level}{more}: {message}")
}

/// The log record of a line, redacted, with every text cut to what a record may hold: one text too
/// long would cost its neighbours, which travel in the same record on the wire.
pub fn record(line: &[u8], fields: Option<&Fields<'_>>, now: UnixNanos) -> Shipped {
    let nothing = Fields::default();
    let fields = fields.unwrap_or(&nothing);
    let raw = if fields.message.is_empty() { line } else { &fields.message };
    let text = String::from_utf8_lossy(raw);
    let is_repaired = matches!(text, std::borrow::Cow::Owned(_));
    let mut cut = 0;
    let attributes = attributes(fields, &mut cut);
    let level = match fields.status {
        _ if !fields.level.is_empty() => short(&fields.level, LEVEL_BYTES_MAX).to_ascii_lowercase(),
        Some(500..) => "error".to_owned(),
        _ => String::new(),
    };
    let record = LogRecord {
        at: fields.at.unwrap_or(now),
        level,
        message: within(redact(&text).into_owned(), MESSAGE_BYTES_MAX, &mut cut),
        trace_id: short(&fields.trace_id, TRACE_BYTES_MAX),
        span_id: short(&fields.span_id, TRACE_BYTES_MAX),
        attributes,
    };
    Shipped { record, is_repaired, cut }
}

fn attributes(fields: &Fields<'_>, cut: &mut u64) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    let mut add = |name: &str, value: &[u8]| {
        if value.is_empty() || name.is_empty() {
            return;
        }
        let value = redact_field(name, &String::from_utf8_lossy(value)).into_owned();
        let name = within(name.to_owned(), NAME_BYTES_MAX, cut);
        attributes.insert(name, within(value, ATTRIBUTE_BYTES_MAX, cut));
    };
    // Where the whole line is the message, it says them already.
    if !fields.message.is_empty() {
        for (name, value) in &fields.others {
            add(name, value);
        }
    }
    add("http.request.method", &fields.method);
    add("url.path", &fields.path);
    add("http.route", &fields.endpoint);
    if let Some(status) = fields.status {
        add("http.response.status_code", status.to_string().as_bytes());
    }
    if let Some(duration_s) = fields.duration_s {
        add("duration_s", duration_s.to_string().as_bytes());
    }
    attributes
}

/// A name or number of one line: no control characters, so that one of them costs no neighbour.
fn short(bytes: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max)]);
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_record_is_within_what_the_wire_allows() {
        let long = "가".repeat(40_000);
        let name = "n".repeat(2 * NAME_BYTES_MAX);
        let fields = Fields {
            message: long.as_bytes().into(),
            path: long.as_bytes().into(),
            level: b"wa\nrn".as_slice().into(),
            others: vec![(name.as_str().into(), long.as_bytes().into())],
            ..Fields::default()
        };
        let shipped = record(b"", Some(&fields), UnixNanos(1));
        let record = shipped.record;
        assert!(record.message.len() <= MESSAGE_BYTES_MAX && record.message.ends_with('가'));
        assert_eq!(record.level, "warn");
        for (name, value) in &record.attributes {
            assert!(name.len() <= NAME_BYTES_MAX && value.len() <= ATTRIBUTE_BYTES_MAX);
        }
        assert_eq!((record.attributes.len(), shipped.cut), (2, 4));
    }

    #[test]
    fn a_field_whose_name_speaks_of_a_secret_is_taken_out_whole() {
        let fields = Fields {
            message: b"login".as_slice().into(),
            others: vec![("db.password".into(), b"hunter22".as_slice().into())],
            ..Fields::default()
        };
        let record = record(b"", Some(&fields), UnixNanos(1)).record;
        assert_eq!(record.attributes["db.password"], "[redacted:secret]");
    }
}

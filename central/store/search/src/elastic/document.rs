//! A line as a document, and back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use goldentime_model::{LogRecord, ServiceId, UnixNanos};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fold::fold;
use crate::grams::Words;
use crate::level::{Level, Levels};
use crate::line::{Identity, Line, LineId, NewLine};

/// What is sent of a line and what comes back of it, but for the words.
#[derive(Serialize, Deserialize)]
struct Document<'a> {
    /// For people and other programs.
    #[serde(rename = "@timestamp", skip_deserializing)]
    timestamp: String,
    at: i64,
    partition: u32,
    place: u64,
    stream: String,
    #[serde(rename = "log_partition")]
    identity_partition: u32,
    number: u64,
    index: u32,
    #[serde(borrow)]
    service: Cow<'a, str>,
    #[serde(borrow)]
    host: Cow<'a, str>,
    #[serde(borrow)]
    level: Cow<'a, str>,
    #[serde(skip_deserializing)]
    grade: &'static str,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    #[serde(borrow)]
    span_id: Cow<'a, str>,
    attributes: Cow<'a, BTreeMap<String, String>>,
    #[serde(skip_deserializing)]
    words: Cow<'a, str>,
    #[serde(skip_deserializing)]
    bytes: usize,
}

/// Writes lines as documents; keeps its memory from line to line.
#[derive(Default)]
pub(super) struct Writer {
    words: Words,
    text: String,
}

impl Writer {
    /// Appends a line's document. `place` is its number among the lines of its partition.
    pub(super) fn write(&mut self, line: &NewLine, partition: u32, place: u64, out: &mut Vec<u8>) {
        let record = &line.record;
        let mut bytes = record.message.len();
        self.words.clear();
        self.words.add_text_of_line(&fold(&record.message));
        for (key, value) in &record.attributes {
            let pair = format!("{key}={value}");
            bytes += pair.len();
            self.words.add_text_of_line(&fold(&pair));
        }
        self.words.write(&mut self.text);
        let document = Document {
            timestamp: timestamp(record.at),
            at: record.at.0,
            partition,
            place,
            stream: line.identity.stream.iter().map(|byte| format!("{byte:02x}")).collect(),
            identity_partition: line.identity.partition,
            number: line.identity.number,
            index: line.identity.index,
            service: line.service.as_str().into(),
            host: (&*line.host).into(),
            level: (&*record.level).into(),
            grade: grade(Levels::of(&record.level)),
            message: (&*record.message).into(),
            trace_id: (&*record.trace_id).into(),
            span_id: (&*record.span_id).into(),
            attributes: Cow::Borrowed(&record.attributes),
            words: (&*self.text).into(),
            bytes,
        };
        // Strings and numbers into memory: that does not fail.
        let _ = serde_json::to_writer(out, &document);
    }
}

/// A document back as a line; none when it is not one of ours.
pub(super) fn read(source: &Value) -> Option<Line> {
    let document = Document::deserialize(source).ok()?;
    let mut stream = [0; 16];
    for (at, byte) in stream.iter_mut().enumerate() {
        *byte = u8::from_str_radix(document.stream.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    let service: ServiceId = document.service.parse().ok()?;
    Some(Line {
        id: line_id(document.at, document.partition, document.place),
        identity: Identity {
            stream,
            partition: document.identity_partition,
            number: document.number,
            index: document.index,
        },
        service,
        host: document.host.into(),
        record: LogRecord {
            at: UnixNanos(document.at),
            level: document.level.into_owned(),
            message: document.message.into_owned(),
            trace_id: document.trace_id.into_owned(),
            span_id: document.span_id.into_owned(),
            attributes: document.attributes.into_owned(),
        },
    })
}

/// A line's place in the order: by time, then partition, then arrival.
pub(super) const fn line_id(at: i64, partition: u32, place: u64) -> LineId {
    LineId { at, place: [partition, (place >> 32) as u32, place as u32] }
}

/// The values that documents are sorted by, of a place in the order.
pub(super) const fn sort_values(id: &LineId) -> (i64, u32, u64) {
    let [partition, high, low] = id.place;
    (id.at, partition, ((high as u64) << 32) | low as u64)
}

/// The name of a one-element set of levels.
pub(super) fn grade(one: Levels) -> &'static str {
    Level::ALL.get(one.slot()).map_or("unknown", |level| level.as_str())
}

/// As `date_nanos` takes it: nothing before 1970.
pub(super) fn timestamp(at: UnixNanos) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0.max(0)));
    format!("{:.9}", at.unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::line;

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let mut new = line(1, "카드 \"결제\"\n\u{0}\u{1f600}");
        new.identity.number = u64::MAX;
        new.record.attributes = [(String::new(), "a..b".to_owned()), (".".to_owned(), String::new())].into();
        let mut out = Vec::new();
        Writer::default().write(&new, 3, (7 << 32) | 9, &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("\"@timestamp\":\"2023-11-14T22:13:21.000000000Z\""), "{text}");
        let Line { id, identity, service, host, record } =
            read(&serde_json::from_str(&text).expect("JSON")).expect("a line");
        assert_eq!(id, LineId { at: new.record.at.0, place: [3, 7, 9] });
        assert_eq!(sort_values(&id), (new.record.at.0, 3, (7 << 32) | 9));
        assert_eq!(NewLine { identity, service, host, record }, new);
    }

    #[test]
    fn what_is_no_line_is_none() {
        for other in [Value::Null, serde_json::json!({}), serde_json::json!({"at": "x"})] {
            assert!(read(&other).is_none(), "{other}");
        }
    }
}

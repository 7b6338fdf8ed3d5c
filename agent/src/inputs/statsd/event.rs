//! Events and service checks of DogStatsD: `_e{5,4}:title|text|t:error|#tags` and
//! `_sc|name|status|#tags|m:message`.
//!
//! An event is something that happened, told in words: it becomes a log record. A service check is a
//! reading from 0 (ok) to 3 (unknown): it becomes a gauge under its name.

use std::collections::BTreeMap;

use goldentime_model::{LogRecord, UnixNanos};
use goldentime_wire::limits;

use super::fit::fit;
use super::line::{Kind, Metric};
use super::malformed::Malformed;
use super::number::whole;
use super::resolver::{CONTAINER_LABEL, container_id};
use super::tags::tags;
use crate::inputs::redact::{redact, redact_field};
use goldentime_observe::cut::within;

/// What an event begins with.
pub(super) const EVENT: &[u8] = b"_e{";
/// What a service check begins with.
pub(super) const SERVICE_CHECK: &[u8] = b"_sc|";

/// What an event says. Everything is as it was sent; line ends in texts are written `\n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Event<'a> {
    title: &'a [u8],
    text: &'a [u8],
    alert_type: &'a [u8],
    /// Further fields by the attribute that they become.
    named: [(&'static str, &'a [u8]); 5],
    pub(super) tags: &'a [u8],
    pub(super) at_s: Option<i64>,
}

/// Reads an event.
pub(super) fn event(line: &[u8]) -> Result<Event<'_>, Malformed> {
    let rest = line.strip_prefix(EVENT).ok_or(Malformed::Event)?;
    let brace = memchr::memchr(b'}', rest).ok_or(Malformed::Event)?;
    let (lengths, rest) = (&rest[..brace], &rest[brace + 1..]);
    let comma = memchr::memchr(b',', lengths).ok_or(Malformed::Event)?;
    let length = |digits: &[u8]| whole(digits).and_then(|length| usize::try_from(length).ok());
    let title = length(&lengths[..comma]).ok_or(Malformed::Event)?;
    let text = length(&lengths[comma + 1..]).ok_or(Malformed::Event)?;
    let rest = rest.strip_prefix(b":").ok_or(Malformed::Event)?;
    let (title, rest) = rest.split_at_checked(title).ok_or(Malformed::Event)?;
    let rest = rest.strip_prefix(b"|").ok_or(Malformed::Event)?;
    let (text, rest) = rest.split_at_checked(text).ok_or(Malformed::Event)?;
    if title.is_empty() || !(rest.is_empty() || rest[0] == b'|') {
        return Err(Malformed::Event);
    }
    let mut event = Event { title, text, alert_type: b"info", ..Event::default() };
    for field in rest.split(|byte| *byte == b'|') {
        match field {
            [b'd', b':', seconds @ ..] => event.at_s = Some(whole(seconds).ok_or(Malformed::Timestamp)?),
            [b't', b':', alert_type @ ..] => event.alert_type = alert_type,
            [b'h', b':', host @ ..] => event.named[0] = ("event.host", host),
            [b'k', b':', key @ ..] => event.named[1] = ("event.aggregation_key", key),
            [b'p', b':', priority @ ..] => event.named[2] = ("event.priority", priority),
            [b's', b':', source @ ..] => event.named[3] = ("event.source", source),
            [b'c', b':', container @ ..] => event.named[4] = (CONTAINER_LABEL, container_id(container)),
            [b'#', tags @ ..] => event.tags = tags,
            _ => {}
        }
    }
    Ok(event)
}

impl Event<'_> {
    /// The log record that it becomes, and how many texts were cut to what a record may hold; `at` is when
    /// it came. Secrets are taken out before anything is cut, lest half of one stays.
    pub(super) fn record(&self, at: UnixNanos) -> (LogRecord, u64) {
        let level = match self.alert_type {
            b"error" => "error",
            b"warning" => "warn",
            _ => "info",
        };
        let mut message = plain(self.title);
        if !self.text.is_empty() {
            message.push_str(": ");
            message.push_str(&plain(self.text));
        }
        let (mut attributes, mut cut) = (BTreeMap::new(), 0);
        let named = self
            .named
            .iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (name.as_bytes(), *value));
        for (name, value) in named.chain(tags(self.tags)) {
            let name = fit(name);
            if name.text.is_empty() || attributes.contains_key(&name.text) {
                continue;
            }
            cut += u64::from(name.is_cut);
            if attributes.len() >= limits::ATTRIBUTES_MAX {
                cut += 1;
                continue;
            }
            let value = String::from_utf8_lossy(value);
            let value = redact_field(&name.text, &value).into_owned();
            attributes.insert(name.text, within(value, limits::ATTRIBUTE_BYTES_MAX, &mut cut));
        }
        let record = LogRecord {
            at,
            level: level.into(),
            message: within(redact(&message).into_owned(), limits::MESSAGE_BYTES_MAX, &mut cut),
            trace_id: String::new(),
            span_id: String::new(),
            attributes,
        };
        (record, cut)
    }
}

/// A text with its line ends put back.
fn plain(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace("\\n", "\n")
}

/// Reads a service check as the gauge that it becomes.
pub(super) fn service_check(line: &[u8]) -> Result<Metric<'_>, Malformed> {
    let rest = line.strip_prefix(SERVICE_CHECK).ok_or(Malformed::ServiceCheck)?;
    let mut fields = rest.split(|byte| *byte == b'|');
    let name = fields.next().filter(|name| !name.is_empty()).ok_or(Malformed::ServiceCheck)?;
    let status = fields.next().filter(|status| matches!(status, [b'0'..=b'3']));
    let packed = status.ok_or(Malformed::ServiceCheck)?;
    let mut metric =
        Metric { name, packed, kind: Kind::Gauge, rate: 1.0, tags: &[], container: &[], at_s: None };
    for field in fields {
        match field {
            [b'd', b':', seconds @ ..] => metric.at_s = Some(whole(seconds).ok_or(Malformed::Timestamp)?),
            [b'#', tags @ ..] => metric.tags = tags,
            [b'c', b':', container @ ..] => metric.container = container,
            // The message comes last and may hold anything.
            [b'm', b':', ..] => break,
            _ => {}
        }
    }
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_becomes_a_log_record() {
        let line =
            b"_e{6,14}:Deploy|of v2|done\\nok|d:1700000000|t:warning|s:ci|c:ci-77|#service:shop,env:prod";
        let event = event(line).expect("valid");
        let (record, cut) = event.record(UnixNanos(5));
        assert_eq!(cut, 0);
        assert_eq!(event.at_s, Some(1_700_000_000));
        assert_eq!((record.level.as_str(), record.message.as_str()), ("warn", "Deploy: of v2|done\nok"));
        let attributes: Vec<_> = record.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            attributes,
            [("container.id", "77"), ("env", "prod"), ("event.source", "ci"), ("service", "shop")]
        );
    }

    #[test]
    fn an_event_whose_lengths_do_not_fit_is_refused() {
        for line in [
            "_e{9,1}:a|b",
            "_e{1,1}:a",
            "_e{1}:a|b",
            "_e{0,1}:|b",
            "_e{1,1}:a|bc",
            "_e{-1,1}:a|b",
            "_e{1,1}a|b",
        ] {
            assert_eq!(event(line.as_bytes()).err(), Some(Malformed::Event), "{line}");
        }
    }

    #[test]
    fn a_service_check_becomes_a_gauge() {
        let check = service_check(b"_sc|db.up|2|d:1700000000|#service:shop|m:down|really").expect("valid");
        assert_eq!((check.name, check.packed, check.kind), (&b"db.up"[..], &b"2"[..], Kind::Gauge));
        assert_eq!((check.tags, check.at_s), (&b"service:shop"[..], Some(1_700_000_000)));
        assert_eq!(service_check(b"_sc|db.up|4").err(), Some(Malformed::ServiceCheck));
        assert_eq!(service_check(b"_sc||0").err(), Some(Malformed::ServiceCheck));
    }
}

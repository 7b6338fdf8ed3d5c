//! What could not be taken, with its reason, for somebody to look at and perhaps to send again.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use goldentime_kafka::{KafkaFailure, Outgoing, ProducerHandle, Receipt, Topic};
use goldentime_model::UnixNanos;

use super::config::KafkaLogConfig;
use super::group::Headers;
use crate::store::Entry;

/// Headers of a dead letter. Names are stable: tools read them. What is not known has no header.
pub mod header {
    /// Stable reason, such as `invalid_endpoint`.
    pub const REASON: &str = "goldentime-reason";
    /// What exactly.
    pub const DETAIL: &str = "goldentime-detail";
    /// Agent, or topic with partition and offset, that it came from.
    pub const SOURCE: &str = "goldentime-source";
    /// When, in nanoseconds since the epoch.
    pub const AT_NS: &str = "goldentime-at-ns";
    /// How many bytes were cut off the end.
    pub const CUT_BYTES: &str = "goldentime-cut-bytes";
    /// What it is: `record`, `line` or `raw`.
    pub const KIND: &str = "goldentime-kind";
    /// Id of the agent that sent it.
    pub const AGENT: &str = "goldentime-agent";
    /// Host that it came from.
    pub const HOST: &str = "goldentime-host";
    /// Project that it is of.
    pub const PROJECT: &str = "goldentime-project";
    /// Service that it names.
    pub const SERVICE: &str = "goldentime-service";
    /// Key that it had in the raw topic.
    pub const KEY: &str = "goldentime-key";
    /// Its place in the record that it was taken out of.
    pub const PLACE: &str = "goldentime-place";
    /// Stream (in hexadecimal), partition and number under which the log has it, with `/` between them.
    pub const LOGGED_AS: &str = "goldentime-logged-as";
    /// Its line was shipped all the same.
    pub const IS_SHIPPED: &str = "goldentime-line-shipped";
}

/// Longest text of a header.
const HEADER_BYTES_MAX: usize = 1024;
/// Room for headers in a record.
const HEADERS_BYTES: usize = 16 * 1024;

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterKind {
    /// A record as an agent sends it.
    Record,
    /// A log line that the log has and a log store would not take.
    Line,
    /// What somebody else produced to the raw topic.
    Raw,
}

/// Where the log has what a letter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedAs {
    /// Stream.
    pub stream: [u8; 16],
    /// Partition.
    pub partition: u32,
    /// Number within it.
    pub number: u64,
}

/// A record that was refused. Texts are empty where nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// When.
    pub at: UnixNanos,
    /// What it is.
    pub kind: LetterKind,
    /// Where it came from.
    pub source: String,
    /// The agent's id.
    pub agent: String,
    /// The host that it came from.
    pub host: String,
    /// The agent's project.
    pub project: String,
    /// The service that it names.
    pub service: String,
    /// Stable reason.
    pub reason: Cow<'static, str>,
    /// What exactly.
    pub detail: String,
    /// Its key in the raw topic.
    pub key: Bytes,
    /// As it was.
    pub record: Bytes,
    /// How many bytes of it were cut off the end.
    pub cut_bytes: u64,
    /// Its place in the record that it was taken out of.
    pub place: u32,
    /// Where the log has it, if it has.
    pub logged_as: Option<LoggedAs>,
    /// Its line was shipped all the same.
    pub is_shipped: bool,
}

/// The topic of dead letters. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetterTopic {
    producer: ProducerHandle,
    topic: Arc<str>,
    record_bytes_max: usize,
}

impl DeadLetterTopic {
    /// The topic, written by `producer`.
    #[must_use]
    pub fn new(config: &KafkaLogConfig, producer: ProducerHandle) -> Self {
        let topic = Topic::DeadLetter.name(config);
        let record_bytes_max = letter_bytes_max(config.record_bytes_max.as_usize());
        Self { producer, topic, record_bytes_max }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.topic
    }

    /// Gives a letter in; the receipt tells when it is kept. A record that is too large is cut, and says
    /// by how much.
    pub async fn add(&self, letter: Letter) -> Result<Receipt, KafkaFailure> {
        self.producer.send(letter.outgoing(&self.topic, self.record_bytes_max)).await
    }
}

/// What a letter's record may take, in bytes: the rest of a Kafka record is for its headers.
#[must_use]
pub const fn letter_bytes_max(record_bytes_max: usize) -> usize {
    record_bytes_max.saturating_sub(HEADERS_BYTES)
}

impl LetterKind {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Line => "line",
            Self::Raw => "raw",
        }
    }
}

impl LoggedAs {
    fn written(self) -> String {
        format!("{:032x}/{}/{}", u128::from_be_bytes(self.stream), self.partition, self.number)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let stream = u128::from_str_radix(parts.next()?, 16).ok()?.to_be_bytes();
        let (partition, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { stream, partition, number })
    }
}

impl Letter {
    /// One of which nothing is known but when, why and what.
    #[must_use]
    pub fn bare(
        at: UnixNanos,
        kind: LetterKind,
        reason: impl Into<Cow<'static, str>>,
        record: Bytes,
    ) -> Self {
        Self {
            at,
            kind,
            source: String::new(),
            agent: String::new(),
            host: String::new(),
            project: String::new(),
            service: String::new(),
            reason: reason.into(),
            detail: String::new(),
            key: Bytes::new(),
            record,
            cut_bytes: 0,
            place: 0,
            logged_as: None,
            is_shipped: false,
        }
    }

    /// The letter as it is sent to `topic`, its record cut at `bytes_max`.
    #[must_use]
    pub fn outgoing(mut self, topic: &Arc<str>, bytes_max: usize) -> Outgoing {
        if let Some(cut @ 1..) = self.record.len().checked_sub(bytes_max) {
            self.record.truncate(bytes_max);
            self.cut_bytes += cut as u64;
        }
        let headers = self.headers();
        Outgoing {
            topic: Arc::clone(topic),
            partition: 0,
            key: Bytes::copy_from_slice(fit(&self.reason).as_bytes()),
            headers,
            payload: self.record,
        }
    }

    fn headers(&self) -> Vec<(&'static str, Bytes)> {
        let number = |number: u64| if number > 0 { number.to_string() } else { String::new() };
        let texts: [(&'static str, &str); 12] = [
            (header::REASON, &self.reason),
            (header::DETAIL, &self.detail),
            (header::SOURCE, &self.source),
            (header::AT_NS, &self.at.0.to_string()),
            (header::KIND, self.kind.as_str()),
            (header::AGENT, &self.agent),
            (header::HOST, &self.host),
            (header::PROJECT, &self.project),
            (header::SERVICE, &self.service),
            (header::PLACE, &number(u64::from(self.place))),
            (header::LOGGED_AS, &self.logged_as.map(LoggedAs::written).unwrap_or_default()),
            (header::CUT_BYTES, &number(self.cut_bytes)),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
        let mut headers: Vec<_> =
            texts.map(|(name, text)| (name, Bytes::copy_from_slice(fit(text).as_bytes()))).collect();
        if !self.key.is_empty() {
            headers.push((header::KEY, self.key.slice(..self.key.len().min(HEADER_BYTES_MAX))));
        }
        if self.is_shipped {
            headers.push((header::IS_SHIPPED, Bytes::from_static(b"true")));
        }
        headers
    }

    /// What the topic holds. Whoever may write to it may write anything: what is no letter is one without a reason.
    #[must_use]
    pub fn read(headers: &Headers, entry: &Entry) -> Self {
        let found = |name: &str| headers.iter().find(|(header, _)| header == name).map(|(_, value)| value);
        let text = |name: &str| {
            let text = String::from_utf8_lossy(found(name).map_or(&[][..], |value| value)).into_owned();
            fit(&text).to_owned()
        };
        let number = |name: &str| text(name).parse::<u64>().unwrap_or(0);
        let reason = Some(text(header::REASON)).filter(|reason| !reason.is_empty());
        let reason = reason.map_or(Cow::Borrowed("unknown"), Cow::Owned);
        let kind = match text(header::KIND).as_str() {
            "record" => LetterKind::Record,
            "line" => LetterKind::Line,
            // Before there was this header, only raw records came here.
            _ => LetterKind::Raw,
        };
        Self {
            // Not later than the log took it: what lies in the future would never be too old.
            at: text(header::AT_NS).parse().map_or(entry.append_time, UnixNanos).min(entry.append_time),
            source: text(header::SOURCE),
            agent: text(header::AGENT),
            host: text(header::HOST),
            project: text(header::PROJECT),
            service: text(header::SERVICE),
            detail: text(header::DETAIL),
            key: found(header::KEY).cloned().unwrap_or_default(),
            cut_bytes: number(header::CUT_BYTES),
            place: u32::try_from(number(header::PLACE)).unwrap_or(0),
            logged_as: LoggedAs::read(&text(header::LOGGED_AS)),
            is_shipped: found(header::IS_SHIPPED).is_some(),
            ..Self::bare(entry.append_time, kind, reason, entry.record.clone())
        }
    }
}

/// As much of a text as a header holds.
fn fit(text: &str) -> &str {
    &text[..text.floor_char_boundary(HEADER_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(record: Bytes) -> Entry {
        Entry { partition: 0, offset: 1, append_time: UnixNanos(9), record }
    }

    fn sent(letter: Letter, bytes_max: usize) -> (Headers, Entry) {
        let Outgoing { headers, payload, .. } = letter.outgoing(&"dead".into(), bytes_max);
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (headers, entry(payload))
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let bare =
            Letter::bare(UnixNanos(7), LetterKind::Line, "log_store_rejected", Bytes::from_static(b"{}"));
        let full = Letter {
            source: "goldentime.raw/0@17".into(),
            agent: "a1".into(),
            host: "web-1".into(),
            project: "shop".into(),
            service: "shop/prod/카드결제".into(),
            detail: "no".into(),
            key: Bytes::from_static(b"\xff\x00"),
            place: 3,
            logged_as: Some(LoggedAs { stream: [0xab; 16], partition: 5, number: 6 }),
            is_shipped: true,
            ..bare.clone()
        };
        for letter in [bare, full] {
            let (headers, entry) = sent(letter.clone(), 100);
            assert_eq!(Letter::read(&headers, &entry), letter);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so_and_what_others_wrote_is_a_letter_all_the_same() {
        let long = Letter {
            detail: "결".repeat(2000),
            ..Letter::bare(UnixNanos(7), LetterKind::Record, "too_large", vec![1; 40].into())
        };
        let (headers, entry_of_long) = sent(long, 30);
        let read = Letter::read(&headers, &entry_of_long);
        assert_eq!((read.record.len(), read.cut_bytes, read.detail.chars().count()), (30, 10, 341));
        let foreign =
            Letter::read(&vec![(header::AT_NS.to_owned(), Bytes::from_static(b"x"))], &entry(Bytes::new()));
        assert_eq!((foreign.at, &*foreign.reason, foreign.kind), (UnixNanos(9), "unknown", LetterKind::Raw));
    }
}

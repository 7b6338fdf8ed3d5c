//! What could not be taken, with its reason, for somebody to look at and perhaps to send again.

use std::sync::Arc;

use bytes::Bytes;
use goldentime_kafka::{KafkaFailure, Outgoing, ProducerHandle, Receipt, Topic};
use goldentime_model::UnixNanos;

use super::config::KafkaLogConfig;

/// Headers of a dead letter. Names are stable: tools read them.
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
}

/// Longest text of a header.
const HEADER_BYTES_MAX: usize = 1024;
/// Room for headers in a record.
const HEADERS_BYTES: usize = 8 * 1024;

/// A record that was refused.
#[derive(Clone, Debug)]
pub struct Letter {
    /// When.
    pub at: UnixNanos,
    /// Where it came from.
    pub source: String,
    /// Stable reason.
    pub reason: &'static str,
    /// What exactly.
    pub detail: String,
    /// As it was.
    pub record: Bytes,
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

impl Letter {
    /// The letter as it is sent to `topic`, its record cut at `bytes_max`.
    #[must_use]
    pub fn outgoing(mut self, topic: &Arc<str>, bytes_max: usize) -> Outgoing {
        let text = |text: &str| {
            Bytes::copy_from_slice(&text.as_bytes()[..text.floor_char_boundary(HEADER_BYTES_MAX)])
        };
        let mut headers = vec![
            (header::REASON, text(self.reason)),
            (header::DETAIL, text(&self.detail)),
            (header::SOURCE, text(&self.source)),
            (header::AT_NS, text(&self.at.0.to_string())),
        ];
        if let Some(cut @ 1..) = self.record.len().checked_sub(bytes_max) {
            self.record.truncate(bytes_max);
            headers.push((header::CUT_BYTES, text(&cut.to_string())));
        }
        Outgoing {
            topic: Arc::clone(topic),
            partition: 0,
            key: text(self.reason),
            headers,
            payload: self.record,
        }
    }
}

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
        let record_bytes_max = config.record_bytes_max.as_usize().saturating_sub(HEADERS_BYTES);
        Self { producer, topic, record_bytes_max }
    }

    /// Gives a letter in; the receipt tells when it is kept. A record that is too large is cut, and says
    /// by how much.
    pub async fn add(&self, mut letter: Letter) -> Result<Receipt, KafkaFailure> {
        let text = |text: &str| {
            Bytes::copy_from_slice(&text.as_bytes()[..text.floor_char_boundary(HEADER_BYTES_MAX)])
        };
        let mut headers = vec![
            (header::REASON, text(letter.reason)),
            (header::DETAIL, text(&letter.detail)),
            (header::SOURCE, text(&letter.source)),
            (header::AT_NS, text(&letter.at.0.to_string())),
        ];
        if let Some(cut @ 1..) = letter.record.len().checked_sub(self.record_bytes_max) {
            letter.record.truncate(self.record_bytes_max);
            headers.push((header::CUT_BYTES, text(&cut.to_string())));
        }
        let record = Outgoing {
            topic: Arc::clone(&self.topic),
            partition: 0,
            key: text(letter.reason),
            headers,
            payload: letter.record,
        };
        self.producer.send(record).await
    }
}

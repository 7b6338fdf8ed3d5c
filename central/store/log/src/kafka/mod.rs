//! The log on Kafka.
//!
//! [`config`] is what can be set, [`topics`] sees to it that the topics are there and as they must be.
//! [`reader`] reads a partition from any offset on, for those who keep their own position; [`group`]
//! shares partitions among centrals and brings what follows a committed offset. [`checkpoints`] keeps
//! what a merge goes on from, [`letters`] what could not be taken.
//!
//! **Offsets.** Kafka counts from 0, the log from 1: an entry's offset is Kafka's plus one. It is also
//! what Kafka calls committed once the entry is applied. Offsets have holes where transactions end.

pub mod checkpoints;
pub mod config;
pub mod group;
pub mod letters;
pub mod reader;
pub mod topics;

use goldentime_model::UnixNanos;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Timestamp};

use crate::store::{Entry, LogError};
use bytes::Bytes;
use goldentime_kafka::KafkaFailure;

pub use checkpoints::KafkaCheckpoints;
pub use config::KafkaLogConfig;
pub use goldentime_kafka::Topic;
pub use group::{
    Assigned, Batch, Feed, Group, GroupEvent, GroupHandle, Headers, Revoked, SESSION_TIMEOUT, Tenure,
};
pub use letters::{DeadLetterTopic, Letter, LetterKind, LoggedAs};
pub use reader::KafkaLog;
pub use topics::TopicsError;

/// A message as an entry; none for a tombstone, which no log has.
fn entry(message: &BorrowedMessage<'_>) -> Option<Entry> {
    let append_time = match message.timestamp() {
        Timestamp::LogAppendTime(ms) | Timestamp::CreateTime(ms) => UnixNanos::from_millis(ms),
        Timestamp::NotAvailable => UnixNanos(0),
    };
    Some(Entry {
        partition: u32::try_from(message.partition()).ok()?,
        offset: u64::try_from(message.offset()).ok()? + 1,
        append_time,
        record: Bytes::copy_from_slice(message.payload()?),
    })
}

/// Kafka's number of a partition.
fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Kafka's offset of an entry's.
fn place(offset: u64) -> i64 {
    i64::try_from(offset.saturating_sub(1)).unwrap_or(i64::MAX)
}

fn unavailable(action: &'static str, failure: KafkaFailure) -> LogError {
    LogError::Unavailable { action, source: Box::new(failure) }
}

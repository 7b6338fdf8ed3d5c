//! One of librdkafka's producers, from its making to the first failure.

use std::time::Duration;

use bytes::Bytes;
use goldentime_model::UnixNanos;
use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use tokio::sync::mpsc;

use super::{Outgoing, Placed, ProducerLimits};
use crate::brokers;
use crate::client::{Context, Trouble, client};
use crate::config::KafkaConfig;
use crate::error::KafkaFailure;

/// How long records wait for company. A page waits for this and no longer.
const LINGER_MS: &str = "2";
/// How long a line may take to give up what it has.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// What became of a record.
pub(super) struct Delivered {
    pub(super) number: usize,
    pub(super) outcome: Result<Placed, KafkaFailure>,
}

/// A producer and what it tells.
pub(super) struct Line {
    producer: ThreadedProducer<Deliveries>,
    delivered: mpsc::Receiver<Delivered>,
}

impl Line {
    /// `is_alone`: each record has a batch of its own, so that what is refused for its size is known.
    pub(super) fn open(
        config: &KafkaConfig,
        limits: &ProducerLimits,
        is_alone: bool,
        trouble: &Trouble,
    ) -> Result<Self, KafkaFailure> {
        // What stands around a record in its batch.
        let batch_bytes = limits.record_bytes_max + 1024;
        let mut client = client(config);
        client
            .set("enable.idempotence", "true")
            .set("enable.gapless.guarantee", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("request.timeout.ms", config.request_timeout.get().as_millis().to_string())
            .set("linger.ms", LINGER_MS)
            .set("compression.type", "zstd")
            .set("message.max.bytes", batch_bytes.to_string())
            .set("batch.size", batch_bytes.to_string())
            // What waits is bounded before it comes here.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2147483647");
        if is_alone {
            client.set("batch.num.messages", "1");
        }
        // Each record is told of once, so there is always a place.
        let (told, delivered) = mpsc::channel(limits.records_max.max(1));
        let context = Deliveries { context: Context::new("producer", trouble.clone()), told };
        let producer = ThreadedProducer::from_config_and_context(&client, context)
            .map_err(|error| KafkaFailure::of("make a producer", "", &error))?;
        Ok(Self { producer, delivered })
    }

    /// Hands a record over.
    pub(super) fn send(&self, number: usize, record: &Outgoing) -> Result<(), KafkaFailure> {
        let partition = i32::try_from(record.partition).unwrap_or(i32::MAX);
        let mut message = BaseRecord::with_opaque_to(&record.topic, number)
            .partition(partition)
            .key(&record.key[..])
            .payload(&record.payload[..]);
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            message = message.headers(record.headers.iter().fold(headers, with));
        }
        self.producer.send(message).map_err(|(error, _)| failure(&record.topic, &error))
    }

    /// To be called every [`brokers::LOOK_EVERY`].
    pub(super) fn remember_brokers(&self) {
        brokers::remember(self.producer.client());
    }

    /// What became of the next record.
    pub(super) async fn delivered(&mut self) -> Option<Delivered> {
        self.delivered.recv().await
    }

    /// The same failure with why the producer stopped, if it did.
    pub(super) fn explain(&self, failure: KafkaFailure) -> KafkaFailure {
        let (KafkaFailure::Unavailable { action, .. }, Some((code, why))) =
            (&failure, self.producer.client().fatal_error())
        else {
            return failure;
        };
        let rights = "Write and Describe on the topic, and IdempotentWrite on the cluster";
        match KafkaFailure::of(action, rights, &KafkaError::Global(code)) {
            KafkaFailure::Unavailable { action, .. } => KafkaFailure::Unavailable { action, what: why },
            denied => denied,
        }
    }

    /// Gives up what is not acknowledged, and gives what became known until then.
    pub(super) async fn close(self) -> Vec<Delivered> {
        let Self { producer, mut delivered } = self;
        let closed = tokio::task::spawn_blocking(move || {
            producer.purge(PurgeConfig::default().queue().inflight());
            if let Err(error) = producer.flush(CLOSE_WITHIN) {
                tracing::warn!(%error, "a Kafka producer did not give up in time what it had");
            }
        });
        let _ = closed.await;
        let mut left = Vec::new();
        while let Ok(next) = delivered.try_recv() {
            left.push(next);
        }
        left
    }
}

fn with(headers: OwnedHeaders, (key, value): &(&'static str, Bytes)) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(&value[..]) })
}

fn failure(topic: &str, error: &KafkaError) -> KafkaFailure {
    KafkaFailure::of(
        &format!("append to topic {topic}"),
        &format!("Write and Describe on topic {topic}, and IdempotentWrite on the cluster"),
        error,
    )
}

/// Hears what becomes of records.
struct Deliveries {
    context: Context,
    told: mpsc::Sender<Delivered>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, line: &str) {
        self.context.log(level, fac, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let outcome = match result {
            Ok(message) => {
                let append_time = match message.timestamp() {
                    Timestamp::LogAppendTime(ms) | Timestamp::CreateTime(ms) => UnixNanos::from_millis(ms),
                    Timestamp::NotAvailable => UnixNanos(0),
                };
                Ok(Placed { offset: u64::try_from(message.offset()).ok(), append_time })
            }
            Err((error, message)) => {
                let topic = message.topic();
                Err(match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                        KafkaFailure::Refused { topic: topic.to_owned(), bytes: message.payload_len() }
                    }
                    _ => failure(topic, error),
                })
            }
        };
        // Nobody listens once the line was given up.
        let _ = self.told.try_send(Delivered { number, outcome });
    }
}

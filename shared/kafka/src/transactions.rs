//! Records and the offsets that they came from, all of them or none.
//!
//! A transaction is made of what is ready: nothing is waited for while it is open, since readers of its
//! topics see nothing beyond its first record until it ends. Whoever opens a transactional id ends what its
//! former holder left open and puts that one out, so that a partition's next owner waits for no timeout.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, config::RDKafkaLogLevel};
use tokio::time::Instant;

use crate::client::{Context, Trouble, client};
use crate::config::KafkaConfig;
use crate::error::KafkaFailure;
use crate::producer::Outgoing;

/// The broker ends a transaction that nobody went on with for this long. Others that open the same id do not
/// wait for it.
pub const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between attempts at a step that may be tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long one step may be tried again. Beyond it the producer is given up.
const STEP_WITHIN: Duration = Duration::from_secs(30);

/// Why a transaction did not come about.
#[derive(Debug, thiserror::Error)]
pub enum TransactionFailure {
    /// Nothing of it will ever be seen: the same can be tried again.
    #[error("{0}")]
    Aborted(#[source] KafkaFailure),
    /// The producer is of no use any more, and what became of the transaction is told by the offsets that are
    /// committed once the id was opened anew.
    #[error("{0}")]
    Over(#[source] KafkaFailure),
}

/// A producer whose records are seen together with the offsets that they came from.
pub struct Transactions {
    producer: Arc<ThreadedProducer<Quiet>>,
    id: Arc<str>,
    rights: Arc<str>,
}

impl Transactions {
    /// Opens a transactional id: ends what its former holder left open, and puts that one out.
    pub async fn open(
        config: &KafkaConfig,
        id: &str,
        record_bytes_max: usize,
        trouble: &Trouble,
    ) -> Result<Self, KafkaFailure> {
        let batch_bytes = (record_bytes_max + 1024).to_string();
        let mut client = client(config);
        client
            .set("transactional.id", id)
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            .set("linger.ms", "0")
            .set("compression.type", "zstd")
            .set("message.max.bytes", &batch_bytes)
            .set("batch.size", &batch_bytes)
            // What a transaction holds is bounded before it comes here.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2147483647");
        let rights: Arc<str> =
            format!("Write and Describe on transactional id {id}, Write on the topics, Read on the group")
                .into();
        let context = Quiet(Context::new("transactions", trouble.clone()));
        let limit = config.request_timeout.get();
        let action = format!("open transactional id {id}");
        let failed = |error: KafkaError| KafkaFailure::of(&action, &rights, &error);
        let producer = ThreadedProducer::from_config_and_context(&client, context).map_err(failed)?;
        let opened = Self { producer: Arc::new(producer), id: id.into(), rights: Arc::clone(&rights) };
        opened.step(move |producer| producer.init_transactions(limit)).await.map_err(failed)?;
        Ok(opened)
    }

    /// Sends records, and commits the offsets that they came from in the name of a member of a group: all of it
    /// or none. Of a call that is dropped nothing is known before the id is opened anew.
    pub async fn commit(
        &self,
        records: Arc<[Outgoing]>,
        offsets: TopicPartitionList,
        member: ConsumerGroupMetadata,
    ) -> Result<(), TransactionFailure> {
        let Err(error) = self.whole(records, offsets, member).await else { return Ok(()) };
        let action = format!("commit a transaction of {}", self.id);
        let failure = KafkaFailure::of(&action, &self.rights, &error);
        if is_over(&error) {
            return Err(TransactionFailure::Over(failure));
        }
        match self.step(|producer| producer.abort_transaction(Timeout::Never)).await {
            Ok(()) => Err(TransactionFailure::Aborted(failure)),
            Err(_) => Err(TransactionFailure::Over(failure)),
        }
    }

    async fn whole(
        &self,
        records: Arc<[Outgoing]>,
        offsets: TopicPartitionList,
        member: ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        self.producer.begin_transaction()?;
        records.iter().try_for_each(|record| self.send(record))?;
        self.step(move |producer| {
            producer.send_offsets_to_transaction(&offsets, &member, TRANSACTION_TIMEOUT)
        })
        .await?;
        // The rest of the transaction's own time: an end that is not waited for would leave open what became
        // of it.
        self.step(|producer| producer.commit_transaction(Timeout::Never)).await
    }

    fn send(&self, record: &Outgoing) -> Result<(), KafkaError> {
        let mut message = BaseRecord::<[u8], [u8]>::to(&record.topic)
            .partition(i32::try_from(record.partition).unwrap_or(i32::MAX))
            .key(&record.key)
            .payload(&record.payload);
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            message = message.headers(record.headers.iter().fold(headers, with));
        }
        self.producer.send(message).map_err(|(error, _)| error)
    }

    /// A step that blocks, tried again while it says that this may help.
    async fn step<F>(&self, step: F) -> Result<(), KafkaError>
    where
        F: Fn(&ThreadedProducer<Quiet>) -> Result<(), KafkaError> + Send + Sync + 'static,
    {
        let (step, until) = (Arc::new(step), Instant::now() + STEP_WITHIN);
        loop {
            let (producer, step) = (Arc::clone(&self.producer), Arc::clone(&step));
            let done = tokio::task::spawn_blocking(move || step(&producer)).await;
            match done.unwrap_or(Err(KafkaError::Canceled)) {
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < until => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                done => return done,
            }
        }
    }
}

/// Whether aborting would tell nothing: the producer was put out, or how the transaction ended is not known.
fn is_over(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_fatal() || error.is_retriable(),
        _ => false,
    }
}

fn with(headers: OwnedHeaders, (key, value): &(&'static str, Bytes)) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(&value[..]) })
}

/// Hears what a producer says. What becomes of single records is told by the transaction.
struct Quiet(Context);

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, line: &str) {
        self.0.log(level, fac, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

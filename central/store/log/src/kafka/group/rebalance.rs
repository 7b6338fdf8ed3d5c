//! Hears from librdkafka that partitions come and go, and passes it on: what has to be done about it
//! takes longer than a callback may.

use std::sync::atomic::{AtomicBool, Ordering};

use goldentime_kafka::Context;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;

/// Changes that wait. librdkafka sends no further one before it was answered.
const CHANGES_MAX: usize = 16;

/// What changes.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Assigned(Vec<u32>),
    Revoked(Vec<u32>),
    /// They are somebody else's already.
    Lost(Vec<u32>),
}

/// What librdkafka calls.
pub(super) struct GroupContext {
    context: Context,
    changes: mpsc::Sender<Change>,
    is_closing: AtomicBool,
}

impl GroupContext {
    pub(super) fn new(context: Context) -> (Self, mpsc::Receiver<Change>) {
        let (changes, receiver) = mpsc::channel(CHANGES_MAX);
        (Self { context, changes, is_closing: AtomicBool::new(false) }, receiver)
    }

    /// From now on partitions are given back without a word.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, line: &str) {
        self.context.log(level, fac, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions =
            list.elements().iter().filter_map(|element| u32::try_from(element.partition()).ok()).collect();
        let is_assigned = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let change = match is_assigned {
            true => Change::Assigned(partitions),
            false if consumer.assignment_lost() => Change::Lost(partitions),
            false => Change::Revoked(partitions),
        };
        let is_told = !self.is_closing.load(Ordering::Acquire) && self.changes.try_send(change).is_ok();
        if !is_told {
            // Somebody has to answer, or the client never ends.
            match is_assigned {
                true => drop(consumer.incremental_assign(&TopicPartitionList::new())),
                false => give_back(consumer, list),
            }
        }
    }
}

fn give_back(consumer: &BaseConsumer<GroupContext>, list: &TopicPartitionList) {
    if let Err(error) = consumer.incremental_unassign(list) {
        tracing::debug!(%error, "partitions were not given back");
    }
}

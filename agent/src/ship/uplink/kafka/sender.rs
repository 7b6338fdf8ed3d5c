//! Records into Kafka's topics.

use std::sync::Arc;

use bytes::Bytes;
use goldentime_kafka::{KafkaFailure, Outgoing as Message, ProducerHandle};
use prost::Message as _;
use tokio::sync::{Semaphore, mpsc};

use super::layout::Layout;
use super::receipts::{InFlight, TOO_LARGE};
use super::session::Ended;
use crate::ship::outgoing::{Outgoing, RecordKind};
use crate::ship::spool::Spool;
use crate::ship::uplink::carrier::{Carried, Carrier};
use crate::ship::uplink::shipment::INLINE_BYTES_MAX;

/// Why a record is discarded that was cut for more partitions, as metrics and `status` name it.
const NO_SUCH_PARTITION: &str = "kafka_no_such_partition";

/// What a record may have around its bytes on the way.
const OVERHEAD_BYTES: usize = 512;

/// What is sent by its urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// What is judged now.
    Live,
    /// Log lines.
    Logs,
    /// What earlier streams left.
    Backlog,
}

/// How much of one class may be on its way at once.
#[derive(Clone, Debug)]
pub(super) struct Share {
    room: Arc<Semaphore>,
    bytes_max: usize,
}

impl Share {
    pub(super) fn new(bytes_max: usize) -> Self {
        // A semaphore counts no further.
        let bytes_max = bytes_max.min(u32::MAX as usize);
        Self { room: Arc::new(Semaphore::new(bytes_max)), bytes_max }
    }
}

/// Gives records of one class to the producer.
pub(super) struct Sender<'a> {
    pub(super) class: Class,
    pub(super) share: Share,
    pub(super) layout: &'a Layout,
    pub(super) producer: ProducerHandle,
    pub(super) given_in: mpsc::Sender<InFlight>,
    pub(super) spool: &'a Spool,
}

impl Carrier for Sender<'_> {
    type Failure = Ended;

    async fn carry(&mut self, record: Outgoing) -> Result<Carried, Ended> {
        if record.partition >= self.layout.partitions {
            // Cut for topics that had more partitions.
            return self.discard(&record, NO_SUCH_PARTITION).await;
        }
        let message = self.message(&record);
        let bytes = message.payload.len() + OVERHEAD_BYTES;
        let permits = u32::try_from(bytes.min(self.share.bytes_max)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.share.room).acquire_many_owned(permits).await;
        let room = room.map_err(|_| Ended::Stopped)?;
        let receipt = match self.producer.send(message).await {
            Ok(receipt) => receipt,
            Err(KafkaFailure::TooLarge { .. }) => return self.discard(&record, TOO_LARGE).await,
            Err(_) => return Err(Ended::Stopped),
        };
        let Outgoing { stream, partition, number, .. } = record;
        let in_flight = InFlight { stream, partition, number, receipt, room };
        self.given_in.send(in_flight).await.map_err(|_| Ended::Stopped)?;
        Ok(Carried::Sent)
    }

    fn fell_behind(&self, bytes: usize) -> Result<(), Ended> {
        // Log lines are not judged, and a backlog is behind by its nature.
        match self.class {
            Class::Live if bytes as u64 > INLINE_BYTES_MAX => Err(Ended::Behind),
            _ => Ok(()),
        }
    }
}

impl Sender<'_> {
    fn message(&self, record: &Outgoing) -> Message {
        let topic = match record.kind {
            RecordKind::Deltas | RecordKind::Samples => &self.layout.deltas,
            RecordKind::Logs => &self.layout.logs,
        };
        Message {
            topic: Arc::clone(topic),
            partition: record.partition,
            key: service(&record.body),
            headers: Vec::new(),
            payload: record.encode().into(),
        }
    }

    /// Takes a record out of the spool that would be refused however often it were sent. Whoever reads
    /// the topic sees by its number that it is missing.
    async fn discard(&self, record: &Outgoing, reason: &'static str) -> Result<Carried, Ended> {
        tracing::warn!(
            reason,
            partition = record.partition,
            number = record.number,
            bytes = record.body.len(),
            record_bytes_max = self.layout.record_bytes_max,
            "a record can never be taken, and is dropped"
        );
        self.spool.discard(record.stream, record.partition, record.number, reason).await?;
        Ok(Carried::Discarded)
    }
}

/// The field of a `proto::Record` that is the key; the others are passed over.
#[derive(prost::Message)]
struct Head {
    #[prost(bytes = "bytes", tag = "5")]
    service: Bytes,
}

/// The id of the service that an encoded `proto::Record` is about; empty for bare progress.
fn service(body: &Bytes) -> Bytes {
    Head::decode(body.clone()).map(|head| head.service).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use goldentime_wire::proto;

    use super::*;

    #[test]
    fn the_key_is_the_service_and_bare_progress_has_none() {
        let record = proto::Record {
            service: "shop/prod/카드결제".into(),
            host: "web-1".into(),
            progress_ms: 7,
            stamps: Some(proto::Stamps::default()),
            body: Some(proto::record::Body::Logs(proto::Logs::default())),
            ..proto::Record::default()
        };
        assert_eq!(service(&record.encode_to_vec().into()), "shop/prod/카드결제");
        let bare = proto::Record { service: String::new(), body: None, ..record };
        assert_eq!(service(&bare.encode_to_vec().into()), "");
        assert_eq!(service(&Bytes::from_static(b"\xff\xff")), "");
    }
}

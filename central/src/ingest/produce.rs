//! Kafka behind intake: what agents send goes into the topics, and is acknowledged once Kafka has it.
//!
//! Who merges a partition may be another central, so nothing is handed on here. What each stream sent is
//! known of this run only; what is sent again after a restart is dropped by its number where it is merged.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use goldentime_kafka::{KafkaFailure, Outgoing, ProducerHandle, Receipt};
use goldentime_log::kafka::{KafkaLogConfig, LoggedAs, Topic};
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_windows::StreamPosition;
use goldentime_wire::proto::record::Body;
use goldentime_wire::record;
use tokio::sync::mpsc;

use super::ack::{AckSink, Committed, StreamId};
use super::deadletter::{DeadLetter, DeadLetters, Kind, Settled};
use super::quic::shared::PartitionDoor;
use super::room::Taken;
use super::sequencer::{INCOMING_MAX, Incoming, Received};
use super::start::Behind;

/// Records of one partition that wait for Kafka. What they take is bounded by the room they hold.
const WAITING_MAX: usize = 4096;
/// Streams above which those that wait for nothing are forgotten here.
const SENT_MAX: usize = 8 * 1024;

/// Starts a producing station for each partition, and gives what intake hands records to.
pub fn start(
    tasks: &Tasks,
    config: &KafkaLogConfig,
    member: &str,
    producer: &ProducerHandle,
    dead_letters: &DeadLetters,
    clock: &SharedClock,
) -> Behind {
    let (judged, lines) = (Topic::Deltas.name(config), Topic::Logs.name(config));
    let doors = (0..config.partitions).map(|partition| {
        let (records, incoming) = mpsc::channel(INCOMING_MAX);
        let (sent, waiting) = mpsc::channel(WAITING_MAX);
        let committed = Committed::default();
        let station = Producing {
            partition,
            judged: Arc::clone(&judged),
            lines: Arc::clone(&lines),
            producer: producer.clone(),
            dead_letters: dead_letters.clone(),
            clock: Arc::clone(clock),
            numbers: HashMap::new(),
            committed: committed.clone(),
            sent,
        };
        tasks.spawn(TaskKind::Station, "produce", station.run(incoming));
        tasks.spawn(TaskKind::Station, "acknowledge", acknowledge(partition, committed.clone(), waiting));
        PartitionDoor { records, committed }
    });
    Behind {
        doors: doors.collect(),
        opened: Vec::new(),
        generation: config.generation,
        retention: config.retention.get(),
        member: member.to_owned(),
    }
}

/// Gives the records of one partition to Kafka, in their order.
struct Producing {
    partition: u32,
    /// Topic of what is judged.
    judged: Arc<str>,
    /// Topic of log lines.
    lines: Arc<str>,
    producer: ProducerHandle,
    dead_letters: DeadLetters,
    clock: SharedClock,
    /// Last number of each stream that was given to Kafka in this run.
    numbers: HashMap<StreamId, u64>,
    committed: Committed,
    sent: mpsc::Sender<Sent>,
}

/// What is on its way, or must not be acknowledged before what is.
struct Sent {
    /// None for a repeat, and for what was not valid.
    receipt: Option<Receipt>,
    /// Letters of what was not valid in it.
    letters: Vec<Settled>,
    position: StreamPosition,
    ack: AckSink,
    _room: Taken,
}

impl Producing {
    async fn run(mut self, mut incoming: mpsc::Receiver<Incoming>) {
        while let Some(next) = incoming.recv().await {
            let Incoming { record, stream, number, ack, mut letters, room } = next;
            let receipt = match self.is_new(stream, number) {
                true => match self.send(record, &mut letters).await {
                    Ok(receipt) => receipt,
                    // Nothing is acknowledged any more; agents keep what they have.
                    Err(_) => return,
                },
                false => {
                    metrics::counter!("goldentime_ingest_repeats_total").increment(1);
                    None
                }
            };
            let position = StreamPosition { stream, number, log_time: self.clock.now() };
            if self.sent.send(Sent { receipt, letters, position, ack, _room: room }).await.is_err() {
                return;
            }
        }
    }

    fn is_new(&mut self, stream: StreamId, number: u64) -> bool {
        let last = self.numbers.get(&stream).copied().unwrap_or_else(|| self.committed.last(&stream));
        if number <= last {
            return false;
        }
        if self.numbers.len() >= SENT_MAX {
            let committed = &self.committed;
            self.numbers.retain(|stream, number| committed.last(stream) < *number);
        }
        self.numbers.insert(stream, number);
        true
    }

    async fn send(
        &self,
        record: Option<Received>,
        letters: &mut Vec<Settled>,
    ) -> Result<Option<Receipt>, KafkaFailure> {
        let Some(Received { bytes, record, service, received }) = record else { return Ok(None) };
        let topic = match record.body {
            Some(Body::Logs(_)) => &self.lines,
            _ => &self.judged,
        };
        let outgoing = Outgoing {
            topic: Arc::clone(topic),
            partition: self.partition,
            key: service.map_or_else(Bytes::new, |service| service.to_string().into()),
            headers: Vec::new(),
            payload: bytes.clone(),
        };
        match self.producer.send(outgoing).await {
            Ok(receipt) => Ok(Some(receipt)),
            Err(failure @ KafkaFailure::TooLarge { .. }) => {
                let stream = record::stream_id(&record).ok();
                letters.push(self.dead_letters.add(DeadLetter {
                    at: received,
                    kind: Kind::Record,
                    agent: record.agent,
                    host: record.host,
                    project: String::new(),
                    service: record.service,
                    reason: "too_large",
                    detail: failure.to_string(),
                    record: bytes,
                    place: 0,
                    logged_as: stream.map(|stream| LoggedAs {
                        stream,
                        partition: record.partition,
                        number: record.number,
                    }),
                }));
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// Acknowledges what Kafka has, in the order in which it was given to it.
async fn acknowledge(partition: u32, committed: Committed, mut waiting: mpsc::Receiver<Sent>) {
    while let Some(Sent { receipt, letters, position, ack, _room }) = waiting.recv().await {
        if let Some(receipt) = receipt
            && receipt.await.is_err()
        {
            return;
        }
        // What nobody has yet is kept by its agent.
        for letter in letters {
            letter.wait().await;
        }
        committed.note(position);
        ack.committed(position.stream, partition, position.number);
    }
}

//! One stream of records.

use std::sync::Arc;

use bytes::Bytes;
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_wire::frame::{self, FrameError, FrameReader};
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::{Logs, Record, StreamHeader};
use goldentime_wire::record;
use quinn::RecvStream;

use super::shared::Shared;
use crate::ingest::ack::AckSink;
use crate::ingest::agents::AgentIdentity;
use crate::ingest::deadletter::{DeadLetter, Kind, Settled};
use crate::ingest::pulse::Pulse;
use crate::ingest::room::{Room, Taken};
use crate::ingest::sequencer::{Incoming, Received};
use crate::ingest::validity::{Refusal, check};

/// Reads streams of one connection.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) identity: AgentIdentity,
    pub(super) acks: AckSink,
    pub(super) room: Room,
    pub(super) pulse: Pulse,
}

/// The stream is not of records, or the central stops.
pub(super) struct Broken;

impl Reader {
    /// Reads to the stream's end.
    pub(super) async fn run(self, stream: RecvStream) -> Result<(), Broken> {
        let mut frames = FrameReader::new(stream);
        match frames.next::<StreamHeader>().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) => return self.broken(&error),
        }
        loop {
            let bytes = match frames.next_bytes::<Record>().await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(()),
                Err(error) => return self.broken(&error),
            };
            let received = self.shared.clock.now();
            self.pulse.beat(received);
            let room = self.room.take(bytes.len()).await.ok_or(Broken)?;
            self.take(bytes, received, room).await?;
        }
    }

    async fn take(&self, mut bytes: Bytes, received: UnixNanos, room: Taken) -> Result<(), Broken> {
        let mut record = match frame::decode::<Record>(bytes.clone()) {
            Ok(record) => record,
            Err(error) => {
                let refusal = Refusal::new("protobuf", error.to_string());
                // It names no place under which it could be acknowledged.
                drop(self.refuse(bytes, String::new(), received, refusal, 0));
                return Ok(());
            }
        };
        let (partition, number, stream) = (record.partition, record.number, record::stream_id(&record));
        let mut letters = self.sift(&mut record, received);
        let checked = check(&record, self.shared.partition_count(), Some(&self.identity.project));
        let place = usize::try_from(partition).ok().and_then(|at| self.shared.partitions.get(at));
        let taken = match checked {
            Ok(service) => {
                if self.signed_anew(&mut record) || !letters.is_empty() {
                    bytes = frame::body(&record);
                }
                Some(Received { bytes, record, service, received })
            }
            Err(refusal) => {
                letters.push(self.refuse(bytes, record.service, received, refusal, 0));
                None
            }
        };
        // A record that is refused is acknowledged all the same where it names its place: sent again
        // it would be refused again.
        let (Some(door), Ok(stream), true) = (place, stream, number > 0) else { return Ok(()) };
        let ack = self.acks.clone();
        let incoming = Incoming { record: taken, stream, number, ack, letters, room };
        door.records.send(incoming).await.map_err(|_| Broken)
    }

    /// Refuses what is not valid among log records, each with its reason.
    fn sift(&self, record: &mut Record, received: UnixNanos) -> Vec<Settled> {
        let bad = record::sift(record);
        let refused = (1..).zip(bad).map(|(place, (log, invalid))| {
            // As a record of its own, so that whoever reads dead letters knows whose line it was.
            let alone = Record { body: Some(Body::Logs(Logs { records: vec![log] })), ..bare(record) };
            let letter = frame::body(&alone);
            let refusal = Refusal::new(invalid.reason.as_str(), invalid.detail);
            self.refuse(letter, alone.service, received, refusal, place)
        });
        refused.collect()
    }

    /// Writes the id of the certificate into a record that names another agent; gives whether it did.
    /// So nobody adds to another agent's progress, and an agent that was enrolled anew loses nothing of
    /// what it spooled under its former id. Which environments and hosts it speaks for is its own matter:
    /// it may read for others.
    fn signed_anew(&self, record: &mut Record) -> bool {
        let agent = &*self.identity.agent;
        if record.agent == agent {
            return false;
        }
        tracing::debug!(agent, former = record.agent, "a record names another agent than the certificate");
        metrics::counter!("goldentime_ingest_signed_anew_total").increment(1);
        agent.clone_into(&mut record.agent);
        true
    }

    fn refuse(
        &self,
        record: Bytes,
        service: String,
        at: UnixNanos,
        Refusal { reason, detail }: Refusal,
        place: u32,
    ) -> Settled {
        let agent = self.identity.agent.to_string();
        tracing::debug!(agent, reason, detail, "a record was refused");
        self.shared.board.refused(&agent);
        self.shared.dead_letters.add(DeadLetter {
            at,
            kind: Kind::Record,
            agent,
            host: self.identity.host.to_string(),
            project: self.identity.project.to_string(),
            service,
            reason,
            detail,
            record,
            place,
            logged_as: None,
        })
    }

    fn broken(&self, error: &FrameError) -> Result<(), Broken> {
        // A connection that ends takes its streams with it: no fault, and the agent sends again.
        if let FrameError::Io { .. } = error {
            return Ok(());
        }
        tracing::warn!(agent = %self.identity.agent, %error, "a stream of an agent is broken");
        metrics::counter!(DROPS_TOTAL, "component" => "ingest", "reason" => "frame").increment(1);
        Err(Broken)
    }
}

/// A record without what it carries.
fn bare(record: &Record) -> Record {
    Record {
        version: record.version,
        stream: record.stream.clone(),
        partition: record.partition,
        number: record.number,
        service: record.service.clone(),
        host: record.host.clone(),
        agent: record.agent.clone(),
        progress_ms: record.progress_ms,
        ..Record::default()
    }
}

//! One agent's connection: hello and welcome, then control frames both ways while records come in.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use goldentime_runtime::TaskKind;
use goldentime_transport::endpoint::CONNECTION_WINDOW_BYTES;
use goldentime_transport::token::CertificateHash;
use goldentime_wire::frame::{self, FrameError, FrameReader};
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::{
    Ack, Control, Hello, PartitionNumber, Ping, Pong, Refused, StreamState, Thresholds, Welcome,
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::enrol::{self, broken, refused};
use super::listener::Peer;
use super::records;
use super::shared::Shared;
use crate::evaluate::openslo::express;
use crate::evaluate::rule::Rule;
use crate::ingest::ack::{AckSink, StreamId};
use crate::ingest::agents::AgentIdentity;
use crate::ingest::registry::AgentNote;
use crate::ingest::room::Room;
use crate::places::Place;

/// A connection that says nothing is closed.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(10);
/// How long a refusal may take to be read.
const REFUSAL_WITHIN: Duration = Duration::from_secs(3);
/// Acknowledgements are gathered for this long.
const ACKS_EVERY: Duration = Duration::from_millis(10);
/// Streams that a hello may name.
const STREAMS_MAX: usize = 4096;
/// Connections of one agent at once: the present one, and earlier ones whose end was not noticed yet.
const CONNECTIONS_PER_AGENT_MAX: usize = 8;
/// Version of the uplink's protocol.
const VERSION: u32 = 1;

const CLOSED: VarInt = VarInt::from_u32(0);
const MISBEHAVED: VarInt = VarInt::from_u32(2);

/// Serves one connection to its end, on the place that it has.
pub async fn serve(connection: &Connection, shared: &Arc<Shared>, mut place: Place<Peer>) {
    let first = timeout(FIRST_FRAME_WITHIN, first_frame(connection)).await;
    let Ok(Some((mut send, control, frame))) = first else {
        metrics::counter!("goldentime_uplink_refused_total", "reason" => "no_hello").increment(1);
        return connection.close(MISBEHAVED, b"no hello");
    };
    match frame {
        Frame::EnrolRequest(request) => {
            let answer = match enrol::answer(&request, shared).await {
                Ok(reply) => Frame::EnrolReply(reply),
                Err(refused) => Frame::Refused(refused),
            };
            say_last(&mut send, answer).await;
            connection.close(CLOSED, b"answered");
        }
        Frame::Hello(hello) => match admit(connection, &hello, shared, &mut place).await {
            Ok(identity) => {
                let started_ns = hello.started_ns;
                Session { connection, shared, identity, started_ns }.run(&hello, send, control).await;
            }
            Err(refused) => {
                say_last(&mut send, Frame::Refused(refused)).await;
                connection.close(CLOSED, b"refused");
            }
        },
        _ => {
            let out_of_turn = refused("protocol", "the first frame must be a hello or an enrolment");
            say_last(&mut send, Frame::Refused(out_of_turn)).await;
            connection.close(MISBEHAVED, b"out of turn");
        }
    }
}

async fn first_frame(connection: &Connection) -> Option<(SendStream, FrameReader<RecvStream>, Frame)> {
    let (send, receive) = connection.accept_bi().await.ok()?;
    let mut control = FrameReader::new(receive);
    let frame = control.next::<Control>().await.ok()??.frame?;
    Some((send, control, frame))
}

/// Sends a frame, ends the stream, and waits until it was read.
async fn say_last(send: &mut SendStream, frame: Frame) {
    let said = async {
        send.write_chunk(frame::to_bytes(&Control { frame: Some(frame) }).ok()?).await.ok()?;
        send.finish().ok()?;
        send.stopped().await.ok()
    };
    // A peer that does not read its refusal has lost nothing.
    let _ = timeout(REFUSAL_WITHIN, said).await;
}

/// Who is there, by certificate and hello. The connection has its place as that agent's from then on.
async fn admit(
    connection: &Connection,
    hello: &Hello,
    shared: &Shared,
    place: &mut Place<Peer>,
) -> Result<AgentIdentity, Refused> {
    if hello.version != VERSION {
        return Err(refused(
            "version",
            "the agent speaks another version of the protocol; upgrade the central first, then agents",
        ));
    }
    let chain =
        connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    let Some(certificate) = chain.as_ref().and_then(|chain| chain.first()) else {
        return Err(refused("no_certificate", "the agent has no certificate; enrol it with a join token"));
    };
    let known = shared.registry.agent(CertificateHash::of(certificate)).await;
    let Some(agent) = known.map_err(|error| broken(&error))? else {
        return Err(refused(
            "agent_unknown",
            "this central does not know the agent; enrol it anew with a join token",
        ));
    };
    if agent.revoked_at.is_some() {
        return Err(refused("revoked", "the agent was revoked; enrol it anew with a new join token"));
    }
    for (what, name) in [("host", &hello.host), ("environment", &hello.environment)] {
        if goldentime_model::identity::check_name(name).is_err() {
            return Err(refused(
                "invalid_name",
                &format!("`{what}` is empty, too long or holds / {{ }}; set it in agent.yaml"),
            ));
        }
    }
    if hello.streams.len() > STREAMS_MAX {
        return Err(refused("too_many_streams", "the agent's spool names more streams than any agent has"));
    }
    let id: Arc<str> = agent.agent.into();
    if !place.pass_to(Peer::Agent(Arc::clone(&id)), CONNECTIONS_PER_AGENT_MAX) {
        return Err(refused(
            "too_many_connections",
            "the agent is connected too often at once; do several hosts share one state folder?",
        ));
    }
    Ok(AgentIdentity {
        agent: id,
        project: agent.project.into(),
        environment: hello.environment.as_str().into(),
        host: hello.host.as_str().into(),
    })
}

struct Session<'a> {
    connection: &'a Connection,
    shared: &'a Arc<Shared>,
    identity: AgentIdentity,
    /// When the agent's process started, by its own clock.
    started_ns: i64,
}

impl Session<'_> {
    async fn run(self, hello: &Hello, send: SendStream, control: FrameReader<RecvStream>) {
        self.connection.set_receive_window(CONNECTION_WINDOW_BYTES.into());
        let (now, shared) = (self.shared.clock.now(), self.shared);
        let (event, pulse) =
            shared.board.connected(&self.identity, &hello.agent_version, self.started_ns, now);
        let identity = &self.identity;
        if let Some(requests) = hello.requests_flushed {
            shared.board.began(&identity.agent, self.started_ns, requests);
        }
        // The fan-out ends only after the uplink does.
        let _ = shared.events.send(event).await;
        self.note_seen(false).await;
        tracing::info!(agent = %identity.agent, host = %identity.host, "an agent connected");

        let acks = AckSink::default();
        let reader = records::Reader {
            shared: Arc::clone(shared),
            identity: identity.clone(),
            acks: acks.clone(),
            room: Room::of_connection(&shared.room),
            pulse,
        };
        // The end of the connection is found by the conversation alone, which first hears what came before.
        let left = tokio::select! {
            left = self.converse(hello, send, control, &acks) => left,
            never = self.read_streams(reader) => match never {},
            () = shared.revoked.of(&identity.agent) => {
                // It learns why at its next hello.
                self.connection.close(CLOSED, b"revoked: the agent was revoked");
                false
            }
        };
        let now = shared.clock.now();
        if let Some(event) = shared.board.disconnected(identity, left, now) {
            let _ = shared.events.send(event).await;
        }
        if left {
            self.note_seen(true).await;
        }
        self.connection.close(CLOSED, b"");
        tracing::info!(agent = %identity.agent, host = %identity.host, left, "an agent disconnected");
    }

    async fn note_seen(&self, has_left: bool) {
        let AgentIdentity { agent, host, environment, .. } = &self.identity;
        let note = AgentNote {
            agent: agent.to_string(),
            host: host.to_string(),
            environment: environment.to_string(),
            at: self.shared.clock.now(),
            has_left,
        };
        self.shared.registry.seen(note).await;
    }

    /// Control frames both ways, until the connection ends. Gives whether the agent said goodbye, which
    /// may have come together with the end: an agent waits for no more than that the transport has it.
    async fn converse(
        &self,
        hello: &Hello,
        mut send: SendStream,
        mut control: FrameReader<RecvStream>,
        acks: &AckSink,
    ) -> bool {
        let welcome = Frame::Welcome(self.welcome(hello));
        let mut rules = self.shared.rules.clone();
        rules.mark_changed();
        let (answers, mut waiting) = tokio::sync::mpsc::channel::<Frame>(8);
        let speak = async move {
            say(&mut send, welcome).await?;
            loop {
                tokio::select! {
                    biased;
                    Some(answer) = waiting.recv() => say(&mut send, answer).await?,
                    Ok(()) = rules.changed() => {
                        let present = rules.borrow_and_update().clone();
                        say(&mut send, Frame::Thresholds(self.thresholds(&present.rules))).await?;
                    }
                    committed = acks.take() => {
                        for (stream, partition, number) in committed {
                            let stream = bytes::Bytes::copy_from_slice(&stream);
                            say(&mut send, Frame::Ack(Ack { stream, partition, number })).await?;
                        }
                        sleep(ACKS_EVERY).await;
                    }
                }
            }
        };
        let listen = async {
            loop {
                match control.next::<Control>().await {
                    Ok(Some(Control { frame: Some(Frame::Ping(ping)) })) => {
                        // Whoever cannot be answered any more may still say goodbye.
                        let _ = answers.send(self.pong(&ping)).await;
                    }
                    Ok(Some(Control { frame: Some(Frame::Goodbye(_)) })) => return true,
                    // Kinds of frame that a newer agent may send are passed over.
                    Ok(Some(_)) => {}
                    // Quic gives everything that came before it tells that the connection is lost.
                    Ok(None) | Err(FrameError::Io { .. }) => return false,
                    Err(error) => {
                        metrics::counter!("goldentime_uplink_refused_total", "reason" => "control_frame")
                            .increment(1);
                        tracing::debug!(agent = %self.identity.agent, %error, "a control frame could not be read");
                        return false;
                    }
                }
            }
        };
        let speak: std::pin::Pin<Box<dyn Future<Output = Option<()>> + Send + '_>> = Box::pin(speak);
        tokio::pin!(listen);
        tokio::select! {
            left = &mut listen => left,
            _ = speak => {
                self.connection.close(CLOSED, b"");
                listen.await
            }
        }
    }

    fn thresholds(&self, rules: &[Arc<Rule>]) -> Thresholds {
        let AgentIdentity { project, environment, host, .. } = &self.identity;
        express::thresholds(rules, project, environment, host)
    }

    fn pong(&self, ping: &Ping) -> Frame {
        let received = self.shared.clock.now();
        self.shared.board.reported(&self.identity.agent, self.started_ns, ping, received);
        Frame::Pong(Pong {
            sent_ns: ping.sent_ns,
            received_ns: received.0,
            replied_ns: self.shared.clock.now().0,
        })
    }

    /// What the log holds of the agent's streams. A current stream whose next number was used already
    /// belongs to two agents: the agent sees it in the answer and opens another.
    fn welcome(&self, hello: &Hello) -> Welcome {
        let shared = self.shared;
        let applied = hello.streams.iter().filter_map(|state| {
            let stream = StreamId::try_from(state.stream.as_ref()).ok()?;
            let last: Vec<PartitionNumber> = (0..)
                .zip(&shared.partitions)
                .map(|(partition, door)| PartitionNumber { partition, number: door.committed.last(&stream) })
                .filter(|last| last.number > 0)
                .collect();
            let next = |partition| state.next.iter().find(|next| next.partition == partition).map_or(1, |next| next.number);
            if state.current && last.iter().any(|last| last.number >= next(last.partition)) {
                tracing::warn!(agent = %self.identity.agent, host = %self.identity.host, "an agent's numbers were used already: a cloned machine or a restored snapshot");
                metrics::counter!("goldentime_uplink_forks_total").increment(1);
                shared.board.forked(&self.identity.agent);
            }
            Some(StreamState { stream: state.stream.clone(), next: last, current: state.current })
        });
        Welcome {
            version: VERSION,
            project: self.identity.project.to_string(),
            partitions: shared.partition_count(),
            generation: shared.generation,
            applied: applied.collect(),
            lease_ms: shared.lease_ms,
            record_age_ms_max: shared.record_age_ms_max,
        }
    }

    /// Reads the agent's record streams, each in a task of its own that ends with the session. The
    /// transport bounds how many there are: it grants a new one when one has ended.
    async fn read_streams(&self, reader: records::Reader) -> Infallible {
        let over = CancellationToken::new();
        let _ends_them = over.clone().drop_guard();
        while let Ok(stream) = self.connection.accept_uni().await {
            let (reader, connection, over) = (reader.clone(), self.connection.clone(), over.clone());
            self.shared.tasks.spawn(TaskKind::Connection, "agent stream", async move {
                tokio::select! {
                    ended = reader.run(stream) => if ended.is_err() {
                        // What a stream says cannot be trusted any more, and so its numbers.
                        connection.close(MISBEHAVED, b"a stream is not of records");
                    },
                    () = over.cancelled() => {}
                }
            });
        }
        std::future::pending().await
    }
}

async fn say(send: &mut SendStream, frame: Frame) -> Option<()> {
    send.write_chunk(frame::to_bytes(&Control { frame: Some(frame) }).ok()?).await.ok()
}

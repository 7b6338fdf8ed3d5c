//! An agent's side of the uplink: one [`Session`] a connection.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use goldentime_wire::frame::{self, FrameError, FrameReader};
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::stream_header::Class;
use goldentime_wire::proto::{Control, Hello, Record, StreamHeader, Welcome};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use crate::authority::SERVER_NAME;
use crate::endpoint::{self, EndpointError};
use crate::identity::Identity;

/// The longest that one address may take to answer with its welcome, unless the client was told otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Code of a connection that its agent closes on purpose.
const CLOSE_GOODBYE: VarInt = VarInt::from_u32(0);

/// Stream priorities: a higher one goes first whenever it has something to send.
const fn priority(class: Class) -> i32 {
    match class {
        Class::Live => 3,
        Class::Logs => 1,
        Class::Backlog => 0,
    }
}

/// Control frames go before all records, so that the clock's offset is measured under load too.
const CONTROL_PRIORITY: i32 = 4;

/// Why there is no session, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The endpoint cannot be set up.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The central's name cannot be resolved.
    #[error("cannot resolve the central's address {address}; check `central.address` (host:port)")]
    Resolve {
        /// As configured.
        address: String,
        /// The system's error, if it gave one.
        #[source]
        source: std::io::Error,
    },
    /// Nothing answered.
    #[error("no central answers at {address}; check that it runs and that UDP passes the firewall")]
    Unreachable {
        /// The address tried last.
        address: SocketAddr,
    },
    /// The central takes no further connection at present.
    #[error(
        "the central at {address} takes no more connections for now; if it stays so, raise \
         `agents.connections_max` or `agents.connections_per_address_max` in its central.yaml"
    )]
    Busy {
        /// Its address.
        address: SocketAddr,
    },
    /// The central could not prove that it is the one.
    #[error(
        "the central at {address} is not the one that the join token or identity names, or a clock is off \
         by more than a day ({detail})"
    )]
    NotOurCentral {
        /// Its address.
        address: SocketAddr,
        /// What TLS says.
        detail: String,
    },
    /// The central refused.
    #[error("the central refused: {detail} ({code})")]
    Refused {
        /// Stable code.
        code: String,
        /// What to do.
        detail: String,
    },
    /// The connection was lost.
    #[error("the connection to the central was lost")]
    Lost(#[source] quinn::ConnectionError),
    /// A stream of the connection ended.
    #[error("a stream to the central ended: {detail}")]
    StreamEnded {
        /// What QUIC says.
        detail: String,
    },
    /// A frame could not be read or written.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The central sent something out of turn.
    #[error(
        "the central answered with something else than {expected}; are agent and central of compatible versions?"
    )]
    Unexpected {
        /// What should have come.
        expected: &'static str,
    },
}

/// Connects one enrolled agent. Keep it over reconnects: it holds the tickets for 0-RTT.
pub struct Client {
    config: quinn::ClientConfig,
    timeout: Duration,
}

/// A connection whose hello was answered by a welcome.
pub struct Session {
    /// What the central answered.
    pub welcome: Welcome,
    /// The hello went as 0-RTT data and was accepted.
    pub early: bool,
    /// Control frames to the central.
    pub control: ControlSender,
    /// Control frames from the central.
    pub replies: ControlReceiver,
    /// Opens streams for records; closes the connection.
    pub uplink: Uplink,
}

impl Client {
    /// A client with the identity that enrolment gave.
    pub fn new(identity: &Identity) -> Result<Self, SessionError> {
        Ok(Self { config: endpoint::enrolled_client(identity)?, timeout: CONNECT_TIMEOUT })
    }

    /// Waits only so long for each address, and for the name's addresses: another central may answer.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Connects to `address` (`host:port`), says `hello`, and waits for the welcome. Each address of
    /// the host is tried in turn. Cancel safe: a dropped attempt closes its connection.
    pub async fn connect(&self, address: &str, hello: Hello) -> Result<Session, SessionError> {
        let hello = Control { frame: Some(Frame::Hello(hello)) };
        let mut last = None;
        let resolved = timeout(self.timeout, resolve(address)).await.unwrap_or_else(|_| {
            let source = std::io::ErrorKind::TimedOut.into();
            Err(SessionError::Resolve { address: address.to_owned(), source })
        });
        for address in resolved? {
            match timeout(self.timeout, self.connect_to(address, &hello)).await {
                Ok(Err(busy @ SessionError::Busy { .. })) => last = Some(busy),
                Ok(Err(SessionError::Unreachable { .. } | SessionError::Lost(_))) | Err(_) => {
                    last = Some(SessionError::Unreachable { address });
                }
                Ok(done) => return done,
            }
        }
        Err(last.unwrap_or_else(|| no_address(address)))
    }

    async fn connect_to(&self, address: SocketAddr, hello: &Control) -> Result<Session, SessionError> {
        let endpoint = bind(address)?;
        let connecting = endpoint
            .connect_with(self.config.clone(), address, SERVER_NAME)
            .map_err(|_| SessionError::Unreachable { address })?;
        let (connection, early) = match connecting.into_0rtt() {
            Ok((connection, accepted)) => (connection, Some(accepted)),
            Err(connecting) => (connecting.await.map_err(|error| not_connected(address, error))?, None),
        };
        let mut uplink = Uplink { connection, _endpoint: endpoint };
        let mut was_early = false;
        let mut streams = None;
        if let Some(accepted) = early {
            let sent = uplink.open_control(hello).await;
            was_early = accepted.await;
            streams = sent.ok().filter(|_| was_early);
        }
        let (control, mut replies) = match streams {
            Some(streams) => streams,
            None => uplink.open_control(hello).await.map_err(|error| uplink.reason(address, error))?,
        };
        let first = replies.next().await.map_err(|error| uplink.reason(address, error))?;
        let welcome = match first {
            Some(Frame::Welcome(welcome)) => welcome,
            Some(Frame::Refused(refused)) => {
                uplink.close("refused");
                return Err(SessionError::Refused { code: refused.code, detail: refused.detail });
            }
            Some(_) => return Err(SessionError::Unexpected { expected: "a welcome" }),
            None => {
                let error = SessionError::StreamEnded { detail: "no answer to the hello".into() };
                return Err(uplink.reason(address, error));
            }
        };
        Ok(Session { welcome, early: was_early, control, replies, uplink })
    }
}

/// A connection to the central. Cheap to clone; closes when the last clone is dropped.
#[derive(Clone)]
pub struct Uplink {
    connection: Connection,
    /// Drives the connection; dropped with it.
    _endpoint: quinn::Endpoint,
}

impl Uplink {
    async fn open_control(
        &mut self,
        first: &Control,
    ) -> Result<(ControlSender, ControlReceiver), SessionError> {
        let (send, receive) = self.connection.open_bi().await.map_err(SessionError::Lost)?;
        // Fails only for a stream that has ended, which the first write tells better.
        let _ = send.set_priority(CONTROL_PRIORITY);
        let mut control = ControlSender { stream: send };
        control.write(first).await?;
        Ok((control, ControlReceiver { frames: FrameReader::new(receive) }))
    }

    /// Opens a stream for records of one class.
    pub async fn open_stream(&self, class: Class) -> Result<RecordSender, SessionError> {
        let mut stream = self.connection.open_uni().await.map_err(SessionError::Lost)?;
        // As above.
        let _ = stream.set_priority(priority(class));
        let header = frame::to_bytes(&StreamHeader { class: class.into() })?;
        stream.write_chunk(header).await.map_err(write_failed)?;
        Ok(RecordSender { stream })
    }

    /// Closes the connection, with a word for the central's log. What was not yet acknowledged by an
    /// `Ack` has to be sent again.
    pub fn close(&self, reason: &str) {
        self.connection.close(CLOSE_GOODBYE, reason.as_bytes());
    }

    /// Waits until the connection is gone, and says why.
    pub async fn closed(&self) -> SessionError {
        SessionError::Lost(self.connection.closed().await)
    }

    /// Round-trip time as QUIC measures it.
    #[must_use]
    pub fn rtt(&self) -> Duration {
        self.connection.rtt()
    }

    /// The reason behind a stream's error, when it is the connection's.
    fn reason(&self, address: SocketAddr, error: SessionError) -> SessionError {
        match self.connection.close_reason() {
            Some(reason) => not_connected(address, reason),
            None => error,
        }
    }
}

/// Sends control frames.
pub struct ControlSender {
    stream: SendStream,
}

impl ControlSender {
    /// Sends one frame. Not cancel safe: a dropped call may leave half a frame, after which the
    /// session has to be closed.
    pub async fn send(&mut self, frame: Frame) -> Result<(), SessionError> {
        self.write(&Control { frame: Some(frame) }).await
    }

    async fn write(&mut self, control: &Control) -> Result<(), SessionError> {
        self.stream.write_chunk(frame::to_bytes(control)?).await.map_err(write_failed)
    }

    /// Ends the stream after what was sent, and waits until the central has it: for the goodbye.
    pub async fn finish(mut self) -> Result<(), SessionError> {
        self.stream.finish().map_err(|error| SessionError::StreamEnded { detail: error.to_string() })?;
        match self.stream.stopped().await {
            Ok(_) => Ok(()),
            Err(error) => Err(SessionError::StreamEnded { detail: error.to_string() }),
        }
    }
}

/// Receives control frames.
pub struct ControlReceiver {
    frames: FrameReader<RecvStream>,
}

impl ControlReceiver {
    /// The next frame, or `None` when the central ended the stream. Kinds of frame that a newer
    /// central may send and this build does not know are passed over. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<Frame>, SessionError> {
        loop {
            match self.frames.next::<Control>().await? {
                Some(Control { frame: Some(frame) }) => return Ok(Some(frame)),
                Some(Control { frame: None }) => {}
                None => return Ok(None),
            }
        }
    }
}

/// Sends records of one class.
pub struct RecordSender {
    stream: SendStream,
}

impl RecordSender {
    /// Sends one record, already encoded. Waits while the central takes no more (back-pressure). Not
    /// cancel safe, as [`ControlSender::send`].
    pub async fn send(&mut self, record: Bytes) -> Result<(), SessionError> {
        let header = Bytes::copy_from_slice(&frame::header::<Record>(record.len())?);
        self.stream.write_all_chunks(&mut [header, record]).await.map_err(write_failed)
    }

    /// Ends the stream after what was sent.
    pub fn finish(mut self) -> Result<(), SessionError> {
        self.stream.finish().map_err(|error| SessionError::StreamEnded { detail: error.to_string() })
    }
}

fn write_failed(error: quinn::WriteError) -> SessionError {
    match error {
        quinn::WriteError::ConnectionLost(error) => SessionError::Lost(error),
        other => SessionError::StreamEnded { detail: other.to_string() },
    }
}

/// The addresses of `host:port`.
pub(crate) async fn resolve(address: &str) -> Result<Vec<SocketAddr>, SessionError> {
    let found: Vec<_> = tokio::net::lookup_host(address)
        .await
        .map_err(|source| SessionError::Resolve { address: address.to_owned(), source })?
        .collect();
    if found.is_empty() { Err(no_address(address)) } else { Ok(found) }
}

fn no_address(address: &str) -> SessionError {
    let source = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    SessionError::Resolve { address: address.to_owned(), source }
}

/// A client endpoint on any port of the family of `peer`.
pub(crate) fn bind(peer: SocketAddr) -> Result<quinn::Endpoint, SessionError> {
    let any = match peer {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    quinn::Endpoint::client(any)
        .map_err(|source| SessionError::Endpoint(EndpointError::Bind { address: any, source }))
}

/// What it means that a connection did not come about.
pub(crate) fn not_connected(address: SocketAddr, error: quinn::ConnectionError) -> SessionError {
    match error {
        quinn::ConnectionError::TimedOut => SessionError::Unreachable { address },
        quinn::ConnectionError::ConnectionClosed(close)
            if close.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
        {
            SessionError::Busy { address }
        }
        quinn::ConnectionError::TransportError(error) if u64::from(error.code) & 0x100 != 0 => {
            SessionError::NotOurCentral { address, detail: error.to_string() }
        }
        quinn::ConnectionError::ApplicationClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason).into_owned();
            match text.split_once(": ") {
                Some((code, detail)) => {
                    SessionError::Refused { code: code.to_owned(), detail: detail.to_owned() }
                }
                // No refusal: the central stops, or took too long to hear the hello.
                None => SessionError::Lost(quinn::ConnectionError::ApplicationClosed(close)),
            }
        }
        other => SessionError::Lost(other),
    }
}

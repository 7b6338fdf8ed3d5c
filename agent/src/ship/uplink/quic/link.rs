//! Keeps a session with the central up.

use std::sync::Arc;
use std::time::Duration;

use goldentime_model::UnixNanos;
use goldentime_transport::client::{Client, Session, SessionError};
use goldentime_transport::identity::Identity;
use goldentime_wire::{RECORD_VERSION, REFUSED_UNAVAILABLE, proto};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::centrals::Centrals;
use super::config::Config;
use super::session::{self, SessionFailure};
use crate::ship::outgoing::StreamId;
use crate::ship::spool::{SpoolError, StreamPending};
use crate::ship::uplink::backoff::Backoff;
use crate::ship::uplink::shipment::{Applied, Shipment};
use crate::ship::uplink::state::LinkPhase;

/// A session that held this long was a good one: the next attempt comes soon again.
const GOOD_SESSION_MIN: Duration = Duration::from_secs(10);

/// Pause after a refusal that needs somebody to act.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

/// Streams named in a hello. Records of streams that have no room are sent all the same, and those
/// that the central has are dropped there as repeats.
const HELLO_STREAMS_MAX: usize = 2048;

/// Code with which a central refuses streams that another agent uses.
const CODE_FORK: &str = "fork";

/// What a link is for, beside talking.
pub enum Cargo {
    /// Records go over it.
    Records,
    /// Records go another way.
    None {
        /// Cancelled when they have gone and it is time to say goodbye.
        left: CancellationToken,
    },
}

/// What the link works with.
pub struct LinkContext {
    /// How the central is reached.
    pub config: Config,
    /// Who this agent is.
    pub identity: Identity,
    /// Name of this host.
    pub host: String,
    /// Environment of its services.
    pub environment: String,
    /// What there is to send, and who gets the clock's offset and the thresholds.
    pub shipment: Shipment,
    /// Whether it is sent over this link.
    pub cargo: Cargo,
    /// Cancelled at the first measurement of the clock's offset.
    pub offset_measured: CancellationToken,
    /// What is told of the agent with every ping.
    pub report: Arc<dyn Fn() -> proto::AgentReport + Send + Sync>,
}

impl LinkContext {
    /// Returns once nothing comes any more that the link is for.
    async fn finished(&self) {
        match &self.cargo {
            Cargo::Records => self.shipment.live.finished().await,
            Cargo::None { left } => left.cancelled().await,
        }
    }

    const fn carries(&self) -> bool {
        matches!(self.cargo, Cargo::Records)
    }
}

/// Connects, runs sessions, and connects again, until nothing comes any more.
pub struct Link {
    context: LinkContext,
    centrals: Centrals,
    client: Client,
    started_at: UnixNanos,
}

impl Link {
    /// A link that is not connected yet. Fails when the identity's certificate or key is unusable.
    pub fn new(context: LinkContext) -> Result<Self, SessionError> {
        let centrals = Centrals::new(context.config.addresses());
        let client = Client::new(&context.identity)?;
        let client = match centrals.answer_max() {
            Some(answer_max) => client.within(answer_max),
            None => client,
        };
        let started_at = context.shipment.clock.now();
        context.shipment.state.update(|status| status.addresses = context.config.addresses());
        Ok(Self { context, centrals, client, started_at })
    }

    /// Runs until the queues are finished: then what was sent is waited for, briefly, and goodbye is
    /// said. Without a session it ends at once, for everything is in the spool.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(self.context.config.reconnect_interval_max.get());
        loop {
            let state = &self.context.shipment.state;
            state.set_phase(LinkPhase::Connecting);
            state.update(|status| self.centrals.address().clone_into(&mut status.address));
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = self.context.finished() => break,
            };
            let ended = match connected {
                Ok(connected) => {
                    let since = Instant::now();
                    let ended = session::run(
                        &self.context,
                        connected.session,
                        &connected.streams,
                        &connected.applied,
                        self.centrals.silence_max(),
                        self.centrals.unacknowledged_max(),
                    )
                    .await;
                    let is_stuck = matches!(ended, Err(SessionFailure::Unacknowledged(_)));
                    if since.elapsed() >= GOOD_SESSION_MIN && !is_stuck {
                        backoff.reset();
                        self.centrals.did_well();
                    }
                    ended
                }
                Err(failure) => Err(failure),
            };
            if self.context.carries() {
                self.context.shipment.close();
            }
            self.context.shipment.state.update(|status| status.connected_since = None);
            let Err(failure) = ended else { break };
            self.context.shipment.state.set_phase(LinkPhase::Connecting);
            self.context.shipment.state.note_failure(&failure);
            tracing::warn!(error = &failure as &dyn std::error::Error, "no session with the central");
            let pause_min = self.recover(&failure).await;
            let is_round_over = self.centrals.give_up();
            if !is_round_over && pause_min.is_zero() {
                continue;
            }
            tokio::select! {
                () = self.context.finished() => break,
                () = backoff.wait_at_least(pause_min) => {}
            }
        }
        self.context.shipment.state.set_phase(LinkPhase::Left);
    }

    /// Connects and says hello.
    async fn connect(&self) -> Result<Connected, SessionFailure> {
        let streams = match self.context.cargo {
            Cargo::Records => self.context.shipment.open().await?,
            Cargo::None { .. } => Vec::new(),
        };
        let hello = self.hello(&streams);
        let session = self.client.connect(self.centrals.address(), hello).await?;
        let applied = self.take_welcome(&session.welcome, &streams).await?;
        tracing::info!(early = session.early, address = self.centrals.address(), "connected");
        let now = self.context.shipment.corrected_now();
        self.context.shipment.state.update(|status| {
            status.phase = LinkPhase::Connected;
            status.connected_since = Some(now);
            status.sessions += 1;
            status.last_failure = None;
        });
        self.context.shipment.state.set_phase(LinkPhase::Connected);
        Ok(Connected { session, streams, applied })
    }

    fn hello(&self, streams: &[StreamPending]) -> proto::Hello {
        let streams = streams.iter().take(HELLO_STREAMS_MAX).map(|stream| proto::StreamState {
            stream: stream.stream.0.to_vec().into(),
            next: stream
                .partitions
                .iter()
                .map(|(partition, pending)| proto::PartitionNumber {
                    partition: *partition,
                    number: pending.next,
                })
                .collect(),
            current: stream.is_current,
        });
        proto::Hello {
            version: RECORD_VERSION,
            host: self.context.host.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.context.environment.clone(),
            streams: streams.collect(),
            started_ns: self.started_at.0,
            sentinel: false,
            requests_flushed: Some(self.context.shipment.spool.requests()),
        }
    }

    /// Takes in what the central has, and how it is cut into partitions.
    async fn take_welcome(
        &self,
        welcome: &proto::Welcome,
        streams: &[StreamPending],
    ) -> Result<Applied, SessionFailure> {
        let mut applied = Applied::new();
        for state in &welcome.applied {
            let Some(id) = StreamId::from_slice(&state.stream) else { continue };
            let ours = streams.iter().find(|stream| stream.stream == id);
            for last in &state.next {
                let next =
                    ours.and_then(|stream| stream.partitions.get(&last.partition)).map_or(1, |p| p.next);
                if ours.is_some_and(|stream| stream.is_current) && last.number >= next {
                    return Err(SessionFailure::Fork);
                }
                self.context.shipment.spool.acknowledge(id, last.partition, last.number);
                applied.insert((id, last.partition), last.number);
            }
        }
        if let Ok(age_max_ms) = u64::try_from(welcome.record_age_ms_max)
            && age_max_ms > 0
        {
            self.context.shipment.spool.limit_age(Duration::from_millis(age_max_ms));
        }
        if self.context.carries()
            && let Some(before) = self.context.shipment.take_partitions(welcome.partitions).await?
        {
            return Err(SessionFailure::Partitions { before, now: welcome.partitions });
        }
        Ok(applied)
    }

    /// Does what a failure asks for, and says how long to wait at least.
    async fn recover(&self, failure: &SessionFailure) -> Duration {
        let recovered = match failure {
            SessionFailure::Fork => self.fork().await,
            SessionFailure::Session(SessionError::Refused { code, .. }) if code == CODE_FORK => {
                self.fork().await
            }
            SessionFailure::Session(SessionError::Refused { code, .. }) if code == REFUSED_UNAVAILABLE => {
                Ok(())
            }
            SessionFailure::Session(SessionError::Refused { .. }) => return REFUSED_INTERVAL,
            SessionFailure::Partitions { .. } => self.context.shipment.spool.rotate().await,
            _ => Ok(()),
        };
        if let Err(error) = recovered {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot open new streams yet");
        }
        Duration::ZERO
    }

    async fn fork(&self) -> Result<(), SpoolError> {
        metrics::counter!("goldentime_agent_forks_total").increment(1);
        self.context.shipment.state.update(|status| status.forks += 1);
        self.context.shipment.spool.fork().await
    }
}

/// A session that was welcomed, with the numbers that both sides told.
struct Connected {
    session: Session,
    streams: Vec<StreamPending>,
    applied: Applied,
}

//! Keeps a session with the central up.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;
use goldentime_transport::client::{Client, Session, SessionError};
use goldentime_transport::identity::Identity;
use goldentime_wire::{RECORD_VERSION, REFUSED_UNAVAILABLE, proto};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::centrals::Centrals;
use super::config::Config;
use super::lane::Applied;
use super::session::{self, SessionFailure};
use super::state::{LinkPhase, UplinkState};
use crate::aggregate::Aggregator;
use crate::ship::flush::Author;
use crate::ship::live::LiveQueue;
use crate::ship::outgoing::StreamId;
use crate::ship::spool::{Spool, SpoolError, StreamPending};

/// First pause between attempts to connect.
const RECONNECT_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A session that held this long was a good one: the next attempt comes soon again.
const GOOD_SESSION_MIN: Duration = Duration::from_secs(10);

/// Pause after a refusal that needs somebody to act.
const REFUSED_INTERVAL: Duration = Duration::from_secs(30);

/// More than this unsent of the current streams becomes backlog at a reconnect, so that what is live
/// goes first. Less is sent in front of it, within some milliseconds.
const INLINE_BYTES_MAX: u64 = 256 << 10;

/// Streams named in a hello. Records of streams that have no room are sent all the same, and those
/// that the central has are dropped there as repeats.
const HELLO_STREAMS_MAX: usize = 2048;

/// Name under which the spool remembers the number of partitions.
pub(crate) const PARTITIONS: &str = "partitions";

/// Code with which a central refuses streams that another agent uses.
const CODE_FORK: &str = "fork";

/// What the link works with.
pub struct LinkContext {
    /// How the central is reached.
    pub config: Config,
    /// Who this agent is.
    pub identity: Identity,
    /// Environment of its services.
    pub environment: String,
    /// Where what is not acknowledged waits.
    pub spool: Spool,
    /// Deltas, progress and samples just committed.
    pub live: LiveQueue,
    /// Log lines just committed.
    pub logs: LiveQueue,
    /// Gets the clock's offset and the thresholds.
    pub aggregator: Aggregator,
    /// Gets the number of partitions.
    pub author: watch::Sender<Author>,
    /// Cancelled at the first measurement of the clock's offset.
    pub offset_measured: CancellationToken,
    /// What is told of the agent with every ping.
    pub report: Arc<dyn Fn() -> proto::AgentReport + Send + Sync>,
    /// This machine's clock.
    pub clock: SharedClock,
    /// What `status` shows.
    pub state: UplinkState,
}

impl LinkContext {
    pub(super) fn corrected_now(&self) -> UnixNanos {
        self.clock.now().saturating_add(self.aggregator.clock_offset())
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
        let started_at = context.clock.now();
        context.state.update(|status| status.addresses = context.config.addresses());
        Ok(Self { context, centrals, client, started_at })
    }

    /// Runs until the queues are finished: then what was sent is waited for, briefly, and goodbye is
    /// said. Without a session it ends at once, for everything is in the spool.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(self.context.config.reconnect_interval_max.get());
        loop {
            self.context.state.set_phase(LinkPhase::Connecting);
            self.context.state.update(|status| self.centrals.address().clone_into(&mut status.address));
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = self.context.live.finished() => break,
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
            self.context.live.close();
            self.context.logs.close();
            self.context.state.update(|status| status.connected_since = None);
            let Err(failure) = ended else { break };
            self.context.state.set_phase(LinkPhase::Connecting);
            self.context.state.note_failure(&failure);
            tracing::warn!(error = &failure as &dyn std::error::Error, "no session with the central");
            let pause_min = self.recover(&failure).await;
            let is_round_over = self.centrals.give_up();
            if !is_round_over && pause_min.is_zero() {
                continue;
            }
            tokio::select! {
                () = self.context.live.finished() => break,
                () = backoff.wait_at_least(pause_min) => {}
            }
        }
        self.context.state.set_phase(LinkPhase::Left);
    }

    /// Connects and says hello.
    async fn connect(&self) -> Result<Connected, SessionFailure> {
        let spool = &self.context.spool;
        // Opened before the numbers are read: what is committed from here on is in the queues, what
        // was committed before is among the numbers, and what is in both is sent once.
        self.context.live.open();
        self.context.logs.open();
        let mut streams = spool.streams().await?;
        if streams.iter().filter(|stream| stream.is_current).any(has_much) {
            spool.rotate().await?;
            streams = spool.streams().await?;
        }
        let hello = self.hello(&streams);
        let session = self.client.connect(self.centrals.address(), hello).await?;
        let applied = self.take_welcome(&session.welcome, &streams).await?;
        tracing::info!(early = session.early, address = self.centrals.address(), "connected");
        let now = self.context.corrected_now();
        self.context.state.update(|status| {
            status.phase = LinkPhase::Connected;
            status.connected_since = Some(now);
            status.sessions += 1;
            status.last_failure = None;
        });
        self.context.state.set_phase(LinkPhase::Connected);
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
            host: self.context.author.borrow().host.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: self.context.environment.clone(),
            streams: streams.collect(),
            started_ns: self.started_at.0,
            sentinel: false,
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
                self.context.spool.acknowledge(id, last.partition, last.number);
                applied.insert((id, last.partition), last.number);
            }
        }
        if let Ok(age_max_ms) = u64::try_from(welcome.record_age_ms_max)
            && age_max_ms > 0
        {
            self.context.spool.limit_age(Duration::from_millis(age_max_ms));
        }
        let (before, now) = (self.context.author.borrow().partitions, welcome.partitions);
        if now != before && now > 0 {
            self.context.spool.remember(PARTITIONS, &now.to_string()).await?;
            self.context.author.send_modify(|author| author.partitions = now);
            if before != 0 {
                return Err(SessionFailure::Partitions { before, now });
            }
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
            SessionFailure::Partitions { .. } => self.context.spool.rotate().await,
            _ => Ok(()),
        };
        if let Err(error) = recovered {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot open new streams yet");
        }
        Duration::ZERO
    }

    async fn fork(&self) -> Result<(), SpoolError> {
        metrics::counter!("goldentime_agent_forks_total").increment(1);
        self.context.state.update(|status| status.forks += 1);
        self.context.spool.fork().await
    }
}

/// A session that was welcomed, with the numbers that both sides told.
struct Connected {
    session: Session,
    streams: Vec<StreamPending>,
    applied: Applied,
}

fn has_much(stream: &StreamPending) -> bool {
    stream.partitions.values().map(|pending| pending.bytes).sum::<u64>() > INLINE_BYTES_MAX
}

/// Pauses between attempts: each about twice the one before, up to a limit, with jitter, so that the
/// agents of a central that comes back do not all knock at once.
pub(super) struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
}

impl Backoff {
    pub(super) fn new(interval_max: Duration) -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(RECONNECT_INTERVAL_MIN)
            .with_max_delay(interval_max)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Self { builder, pauses: builder.build() }
    }

    pub(super) fn reset(&mut self) {
        self.pauses = self.builder.build();
    }

    /// Cancel safe; a wait that is cut short counts as one.
    pub(super) async fn wait(&mut self) {
        self.wait_at_least(Duration::ZERO).await;
    }

    pub(super) async fn wait_at_least(&mut self, pause_min: Duration) {
        let pause = self.pauses.next().unwrap_or(RECONNECT_INTERVAL_MIN);
        tokio::time::sleep(pause.max(pause_min)).await;
    }
}

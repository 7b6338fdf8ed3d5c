//! Intake as agents meet it: registry, leases, the listener. Where records go is given to it: [`embedded`] or
//! [`produce`].
//!
//! [`embedded`]: super::embedded
//! [`produce`]: super::produce

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::registry::TokenInfo;
use goldentime_catalog::{CatalogueError, SecretHash};
use goldentime_log::LogError;
use goldentime_model::UnixNanos;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_transport::authority::{Authority, AuthorityError, ServerCertificate};
use goldentime_transport::endpoint::{self, EndpointError};
use goldentime_transport::token::JoinToken;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::agents::AgentEvent;
use super::board::AgentBoard;
use super::config::AgentsConfig;
use super::deadletter::admission::Admission;
use super::deadletter::replayer::Replayer;
use super::deadletter::{self, DeadLetters, DeadLettersConfig};
use super::quic::listener;
use super::quic::shared::{PartitionDoor, Shared};
use super::registry::watch::Revoked;
use super::registry::{self, Registry};
use super::room::{self, Room};
use super::sequencer::LOGGED_MAX;
use crate::access::AUDIT;
use crate::evaluate::openslo::RuleSet;

/// Events of agents that wait.
const EVENTS_MAX: usize = 1024;
/// Leases are looked at this often.
const LEASES_EVERY: Duration = Duration::from_secs(1);
/// Whether the central's certificate is due is looked at this often.
const RENEW_EVERY: Duration = Duration::from_secs(60 * 60);
/// What one waiting record may take, for the budget: most are far smaller.
const RECORD_BYTES: u64 = 4 * 1024;
/// Project of the token that a first start prints.
const FIRST_PROJECT: &str = goldentime_model::identity::DEFAULT_PART;

/// Why intake does not start.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The central's certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The agents' port.
    #[error("agents.listen")]
    Endpoint(#[from] EndpointError),
    /// Agents and join tokens.
    #[error(transparent)]
    Registry(#[from] CatalogueError),
    /// A file of intake.
    #[error("cannot open {what} in the state folder")]
    Store {
        /// Which.
        what: &'static str,
        /// The engine's error.
        #[source]
        source: sqlx::Error,
    },
    /// No random numbers.
    #[error("cannot draw a join token")]
    Random(#[source] getrandom::Error),
}

/// Intake with its files open and nothing running.
pub struct Ingest {
    authority: Arc<Authority>,
    registry: Registry,
    board: AgentBoard,
    dead_letters: DeadLetters,
    clock: SharedClock,
    /// The token of a first start, to be printed once; none on later starts.
    pub first_token: Option<JoinToken>,
}

/// What stands behind the listener: where records go, and what is said of the log.
pub struct Behind {
    /// Where records go, by partition.
    pub doors: Vec<PartitionDoor>,
    /// Each tells that a partition may be written to; nobody is let in before all have.
    pub opened: Vec<oneshot::Receiver<()>>,
    /// Topic generation.
    pub generation: u32,
    /// How far back the log reaches: older spooled data is not taken.
    pub retention: Duration,
    /// What tells this central from others with the same authority; empty where there are none.
    pub member: String,
}

/// Opens intake over its registry. One that is shared may be away: until it answers, who was known is let in.
pub async fn open(
    authority: Arc<Authority>,
    registry: Registry,
    dead_letters: DeadLetters,
    clock: SharedClock,
) -> Result<Ingest, IngestError> {
    let (board, first_token) = match first_look(&authority, &registry, clock.now()).await {
        Ok(first) => first,
        Err(IngestError::Registry(error)) if registry.is_shared() => {
            let (error, known) = (&error as &dyn std::error::Error, registry.recall().await);
            tracing::error!(
                error,
                known = known.len(),
                "before the database of agents answers only agents that were known are let in"
            );
            (AgentBoard::of(known, clock.now()), None)
        }
        Err(error) => return Err(error),
    };
    Ok(Ingest { authority, registry, board, dead_letters, clock, first_token })
}

/// Opens what a central knows of agents that others let in.
pub async fn open_elsewhere(
    authority: Arc<Authority>,
    registry: Registry,
    dead_letters: DeadLetters,
    clock: SharedClock,
) -> Result<Ingest, IngestError> {
    let board = match registry.prepare().await {
        Ok(known) => AgentBoard::of(known, clock.now()),
        Err(error) if registry.is_shared() => {
            let error = &error as &dyn std::error::Error;
            tracing::error!(
                error,
                "agents are known once they are heard: the database of agents does not answer"
            );
            AgentBoard::default()
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Ingest { authority, registry, board, dead_letters, clock, first_token: None })
}

/// Everybody who is known, and a token if there is none yet.
async fn first_look(
    authority: &Authority,
    registry: &Registry,
    now: UnixNanos,
) -> Result<(AgentBoard, Option<JoinToken>), IngestError> {
    let board = AgentBoard::of(registry.prepare().await?, now);
    let first_token = match registry.tokens().await?.is_empty() {
        true => Some(create_token(authority, registry, FIRST_PROJECT, now, Good::default()).await?),
        false => None,
    };
    Ok((board, first_token))
}

/// Opens the central's authority: where the configuration says, or in the state folder, where a first start
/// makes it.
pub fn open_authority(
    config: &AgentsConfig,
    state_dir: &Path,
    now: UnixNanos,
) -> Result<Arc<Authority>, AuthorityError> {
    Ok(Arc::new(match &config.authority_dir {
        Some(folder) => Authority::load(folder)?,
        None => Authority::open(state_dir, now)?,
    }))
}

/// How long and how often a join token is good. The default: for ever, for any number of agents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Good {
    /// When it ends, if ever.
    pub until: Option<UnixNanos>,
    /// Agents that may join with it, if there is a limit.
    pub uses_max: Option<u32>,
}

/// Opens the dead letters of a central that keeps its own, and keeps them until everybody who has a clone has ended.
pub async fn open_dead_letters(
    state_dir: &Path,
    config: &DeadLettersConfig,
    clock: SharedClock,
    tasks: &Tasks,
) -> Result<DeadLetters, IngestError> {
    let opened = DeadLetters::open(state_dir, config, clock).await;
    let (dead_letters, writer) =
        opened.map_err(|source| IngestError::Store { what: "dead-letters.db", source })?;
    tasks.spawn(TaskKind::Station, "dead-letters", writer.run());
    Ok(dead_letters)
}

/// Makes a join token for a project.
pub async fn create_token(
    authority: &Authority,
    registry: &Registry,
    project: &str,
    now: UnixNanos,
    good: Good,
) -> Result<JoinToken, IngestError> {
    let token = JoinToken::generate(authority.fingerprint()).map_err(IngestError::Random)?;
    let kept = TokenInfo {
        secret: SecretHash(*token.secret_hash().as_bytes()),
        project: project.to_owned(),
        created_at: now,
        expires_at: good.until,
        revoked_at: None,
        uses: 0,
        uses_max: good.uses_max,
    };
    registry.add_token(kept).await?;
    Ok(token)
}

/// Memory that intake may take, in bytes.
#[must_use]
pub fn memory_bound_bytes(config: &AgentsConfig, partitions: u32) -> u64 {
    let queues = LOGGED_MAX as u64 * u64::from(partitions);
    // Every connection may have a window of unread bytes; that all fill theirs at once is bounded by
    // what the queues let through, so a tenth is reckoned with.
    let windows = config.connections_max as u64 * u64::from(endpoint::CONNECTION_WINDOW_BYTES) / 10;
    let letters = deadletter::post::WAITING_BYTES_MAX as u64;
    queues * RECORD_BYTES + room::BYTES_MAX as u64 + windows.min(128 << 20) + letters
}

impl Ingest {
    /// Every agent.
    #[must_use]
    pub fn board(&self) -> AgentBoard {
        self.board.clone()
    }

    /// The central's own authority.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Starts leases, and the listener once every partition may be written to. Gives the agents that come
    /// and go.
    pub async fn start(
        self,
        tasks: &Tasks,
        config: &AgentsConfig,
        behind: Behind,
        rules: watch::Receiver<Arc<RuleSet>>,
    ) -> Result<mpsc::Receiver<AgentEvent>, IngestError> {
        let certificate =
            ServerCertificate::new(Arc::clone(&self.authority), config.names.clone(), self.clock.now())?;
        let endpoint = endpoint::serve(config.listen, &certificate, &behind.member)?;
        let (events, agents) = mpsc::channel(EVENTS_MAX);
        let lease = config.lease.get();
        self.watch_leases(tasks, lease, events.clone());
        let revoked = self.watch_revocations(tasks, events.clone()).await;
        self.watch_certificate(tasks, certificate);
        let room = Room::of_all();
        self.replay(tasks, &behind, &room);
        let shared = Arc::new(Shared {
            authority: self.authority,
            registry: self.registry,
            revoked,
            board: self.board,
            events,
            partitions: behind.doors,
            room,
            generation: behind.generation,
            rules,
            dead_letters: self.dead_letters,
            clock: self.clock,
            tasks: tasks.clone(),
            lease_ms: u32::try_from(lease.as_millis()).unwrap_or(u32::MAX),
            record_age_ms_max: i64::try_from(behind.retention.as_millis()).unwrap_or(i64::MAX),
        });
        let config = config.clone();
        tasks.spawn(TaskKind::Source, "uplink", async move {
            let stopping = shared.tasks.stopping();
            for opened in behind.opened {
                tokio::select! {
                    // A station that ended early has said why, and stops the program.
                    _ = opened => {}
                    () = stopping.cancelled() => return,
                }
            }
            listener::run(endpoint, config, shared).await;
        });
        Ok(agents)
    }

    /// Starts leases of agents that other centrals let in, and replays where records can be given `behind` it. Gives
    /// the agents whose leases end.
    pub async fn start_elsewhere(
        self,
        tasks: &Tasks,
        config: &AgentsConfig,
        behind: Option<Behind>,
    ) -> mpsc::Receiver<AgentEvent> {
        let (events, agents) = mpsc::channel(EVENTS_MAX);
        self.watch_leases(tasks, config.lease.get(), events.clone());
        // Nobody is connected here who would have to be cut off.
        let _ = self.watch_revocations(tasks, events).await;
        if let Some(behind) = behind {
            self.replay(tasks, &behind, &Room::of_all());
        }
        agents
    }

    /// Gives dead letters back as somebody asks for it.
    fn replay(&self, tasks: &Tasks, behind: &Behind, room: &Arc<Semaphore>) {
        let partitions = u32::try_from(behind.doors.len()).unwrap_or(u32::MAX);
        let replayer = Replayer {
            replays: self.dead_letters.replays(),
            turn: self.dead_letters.turn(),
            admission: Admission::new(partitions, self.dead_letters.raw()),
            registry: self.registry.clone(),
            doors: behind.doors.clone(),
            room: Room::of_connection(room),
            clock: Arc::clone(&self.clock),
        };
        tasks.spawn(TaskKind::Source, "replayer", replayer.run(tasks.stopping()));
    }

    fn watch_leases(&self, tasks: &Tasks, lease: Duration, events: mpsc::Sender<AgentEvent>) {
        let (board, stopping) = (self.board.clone(), tasks.stopping());
        tasks.spawn(TaskKind::Source, "leases", async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(LEASES_EVERY) => {}
                    () = stopping.cancelled() => return,
                }
                for event in board.end_leases(lease) {
                    if events.send(event).await.is_err() {
                        return stopping.cancelled().await;
                    }
                }
            }
        });
    }

    /// An agent that was revoked is cut off by its connection, and nothing more is expected of it,
    /// connected or not.
    async fn watch_revocations(&self, tasks: &Tasks, events: mpsc::Sender<AgentEvent>) -> Revoked {
        let (board, all, clock) = (self.board.clone(), self.board.clone(), Arc::clone(&self.clock));
        let then = move |agent: &str| {
            tracing::info!(target: AUDIT, event = "agent_revoked", agent, "an agent was revoked");
            if let Some(event) = board.revoked(agent)
                && events.try_send(event).is_err()
            {
                tracing::warn!(
                    agent,
                    "that an agent was revoked was not told to the rules; its silence may page"
                );
            }
        };
        let learned = move |agents| all.learn(agents, clock.now());
        let (revoked, look) = registry::watch::revoked(self.registry.clone(), then, learned).await;
        tasks.spawn(TaskKind::Upkeep, "registry", look);
        revoked
    }

    fn watch_certificate(&self, tasks: &Tasks, certificate: Arc<ServerCertificate>) {
        let clock = Arc::clone(&self.clock);
        tasks.spawn(TaskKind::Upkeep, "certificate", async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                match certificate.renew_if_due(clock.now()) {
                    Ok(true) => tracing::info!("the central's certificate was renewed"),
                    Ok(false) => {}
                    Err(error) => tracing::error!(%error, "the central's certificate cannot be renewed"),
                }
            }
        });
    }
}

//! What all connections work with.

use std::sync::Arc;

use goldentime_runtime::{SharedClock, Tasks};
use goldentime_transport::authority::Authority;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::evaluate::openslo::RuleSet;
use crate::ingest::ack::Committed;
use crate::ingest::agents::AgentEvent;
use crate::ingest::board::AgentBoard;
use crate::ingest::deadletter::DeadLetters;
use crate::ingest::registry::Registry;
use crate::ingest::registry::watch::Revoked;
use crate::ingest::sequencer::Incoming;

/// One partition as connections see it.
#[derive(Clone)]
pub struct PartitionDoor {
    /// Where records go.
    pub records: mpsc::Sender<Incoming>,
    /// What the log holds of each stream.
    pub committed: Committed,
}

/// What all connections work with. Its last owner's end ends the stations behind.
pub struct Shared {
    /// Signs agents.
    pub authority: Arc<Authority>,
    /// Knows agents.
    pub registry: Registry,
    /// Agents that were revoked since they were admitted.
    pub revoked: Revoked,
    /// Shows agents.
    pub board: AgentBoard,
    /// Tells of agents.
    pub events: mpsc::Sender<AgentEvent>,
    /// Where records go, by partition.
    pub partitions: Vec<PartitionDoor>,
    /// Memory for records on their way to the log.
    pub room: Arc<Semaphore>,
    /// Topic generation.
    pub generation: u32,
    /// The rules, whose tightest thresholds say what goes by the express lane.
    pub rules: watch::Receiver<Arc<RuleSet>>,
    /// Keeps what is not valid.
    pub dead_letters: DeadLetters,
    /// The present.
    pub clock: SharedClock,
    /// For the tasks of connections.
    pub tasks: Tasks,
    /// How long an agent may be silent, in milliseconds.
    pub lease_ms: u32,
    /// Older spooled data is not taken, in milliseconds.
    pub record_age_ms_max: i64,
}

impl Shared {
    /// Number of partitions.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }
}

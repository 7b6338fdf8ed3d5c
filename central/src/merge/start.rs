//! All shards of a central, started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use goldentime_model::Alert;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_windows::{Checkpoint, CheckpointStore, WindowStore};
use tokio::sync::{mpsc, watch};

use super::fanout::{self, EVENTS_MAX};
use super::shard::{Shard, ShardInputs, ShardSettings};
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::openslo::RuleSet;
use crate::evaluate::silence::HostSilence;
use crate::evaluate::stray::baseline::BASELINE_BYTES;
use crate::evaluate::transition::Transition;
use crate::ingest::agents::AgentEvent;
use crate::ingest::logged::Logged;

/// Memory for open cells, for each service that may be known: a limit over all of them together, which
/// a few services of many hosts and endpoints may fill. Above it the oldest cells are written and let
/// go ([`Shard::take`]); one record's cells may stand above it until then.
const OPEN_BYTES_PER_SERVICE: u64 = 24 << 10;

/// Memory of one service's running sums and feeds that the budget reckons with: a figure to share memory
/// out by. The sums are limited by number (`evaluate::engine::INSTANCES_MAX`), the feeds by that of
/// agents. Two rules on what strays, as the starter rules are, have a baseline each.
const SUMS_BYTES_PER_SERVICE: u64 = (8 << 10) + 2 * BASELINE_BYTES as u64;

/// Rules as the evaluators follow them.
pub type Rules = watch::Receiver<Arc<RuleSet>>;

/// How many partitions have caught up with the log and judge. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CaughtUp(Arc<AtomicU32>);

impl CaughtUp {
    /// Partitions that have caught up.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn one_more(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// One partition's place in the log.
pub struct Resume {
    /// From where its merge goes on; `None` from the log's beginning.
    pub checkpoint: Option<Checkpoint>,
    /// Last offset in the log at the start.
    pub replay_until: u64,
    /// Its records from the checkpoint on.
    pub records: mpsc::Receiver<Logged>,
}

/// What the shards are made with.
pub struct Settings {
    /// Topic generation.
    pub generation: u32,
    /// Most services that live windows are kept of, over all partitions.
    pub services_max: usize,
    /// Unknown for longer than this pages on its own.
    pub unknown_grace: Duration,
    /// Whether a host that falls silent pages.
    pub host_silent: bool,
    /// Told of each partition that has caught up.
    pub caught_up: CaughtUp,
}

/// What the shards work with.
pub struct Surroundings {
    /// Live windows.
    pub windows: Arc<dyn WindowStore>,
    /// From where a restart goes on.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// The present.
    pub clock: SharedClock,
    /// Where statuses are shown.
    pub board: StatusBoard,
    /// Rules in force.
    pub rules: Rules,
    /// To the notifier.
    pub transitions: mpsc::Sender<Transition>,
    /// Agents that come and go.
    pub agents: mpsc::Receiver<AgentEvent>,
    /// Alerts that were firing before the start.
    pub open_alerts: Vec<Alert>,
}

/// Memory that the budget sets aside for the shards, in bytes.
#[must_use]
pub const fn memory_bound_bytes(services_max: u64) -> u64 {
    services_max.saturating_mul(OPEN_BYTES_PER_SERVICE + SUMS_BYTES_PER_SERVICE)
}

/// Starts one shard for each partition, and the task that tells them of agents.
///
/// They end when their records end, the fan-out when the uplink does. The notifier's channel closes
/// when the last of them has ended.
pub fn start(tasks: &Tasks, settings: &Settings, with: Surroundings, partitions: Vec<Resume>) {
    let count = u32::try_from(partitions.len()).unwrap_or(u32::MAX);
    // Hashing spreads services unevenly; each partition may have twice its share.
    let services_max = settings.services_max.saturating_mul(2).div_ceil(partitions.len().max(1));
    let open_bytes = settings.services_max.saturating_mul(OPEN_BYTES_PER_SERVICE as usize);
    let open_bytes_max = open_bytes / partitions.len().max(1);
    let mut event_senders = Vec::new();
    for (number, resume) in (0..).zip(partitions) {
        let (events, agents) = mpsc::channel(EVENTS_MAX);
        event_senders.push(events);
        let shard_settings = ShardSettings {
            partition: number,
            partitions: count,
            generation: settings.generation,
            services_max: services_max.min(settings.services_max),
            open_bytes_max,
            unknown_grace: settings.unknown_grace,
            checkpoint: resume.checkpoint,
            replay_until: resume.replay_until,
            open_alerts: with.open_alerts.clone(),
            caught_up: settings.caught_up.clone(),
        };
        let mut rules = with.rules.clone();
        let present = rules.borrow_and_update().clone();
        let shard = Shard::new(
            shard_settings,
            &present.rules,
            Arc::clone(&with.windows),
            Arc::clone(&with.checkpoints),
            Arc::clone(&with.clock),
            with.board.clone(),
            with.transitions.clone(),
        );
        let inputs = ShardInputs { records: resume.records, agents, rules };
        tasks.spawn(TaskKind::Station, "merge", shard.run(inputs));
    }
    let silence = settings.host_silent.then(|| HostSilence::new(&with.open_alerts));
    let fanout = fanout::run(with.agents, event_senders, silence, with.transitions, with.clock);
    tasks.spawn(TaskKind::Station, "agent-events", fanout);
}

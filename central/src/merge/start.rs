//! The shards of a central, begun.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use goldentime_log::kafka::Tenure;
use goldentime_model::Alert;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_series::SeriesStore;
use goldentime_windows::{Checkpoint, CheckpointStore, WindowStore};
use tokio::sync::{mpsc, watch};

use super::exchange::Exchange;
use super::fanout::{self, EventSenders};
use super::replay_end::ReplayEnd;
use super::shard::{Shard, ShardInputs, ShardSettings};
use crate::evaluate::budget::{self, Ask};
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::openslo::RuleSet;
use crate::evaluate::silence::HostSilence;
use crate::evaluate::stray::baseline::BASELINE_BYTES;
use crate::evaluate::transition::Transition;
use crate::ingest::agents::{AgentEvent, AgentIdentity};
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

/// Partitions that this central owns, and whether each has caught up with the log and judges. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Owned(Arc<Mutex<BTreeMap<u32, bool>>>);

impl Owned {
    /// Partitions that are owned, and how many of them still read the log of before.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let owned = self.lock();
        (owned.len(), owned.values().filter(|judges| !**judges).count())
    }

    /// Whether a partition is owned.
    #[must_use]
    pub fn has(&self, partition: u32) -> bool {
        self.lock().contains_key(&partition)
    }

    pub(super) fn begin(&self, partition: u32) {
        self.lock().insert(partition, false);
    }

    pub(super) fn caught_up(&self, partition: u32) {
        self.lock().insert(partition, true);
    }

    pub(super) fn end(&self, partition: u32) {
        self.lock().remove(&partition);
    }

    /// Numbers: a panic while holding the lock leaves them usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One partition's place in the log.
pub struct Resume {
    /// From where its merge goes on; `None` from the log's beginning.
    pub checkpoint: Option<Checkpoint>,
    /// Where its replay ends.
    pub replay_end: ReplayEnd,
    /// Its records from the checkpoint on.
    pub records: mpsc::Receiver<Logged>,
    /// For how long the partition is ours; `None` for good.
    pub tenure: Option<Tenure>,
}

/// What the shards are made with.
pub struct Settings {
    /// Topic generation.
    pub generation: u32,
    /// Partitions of the log.
    pub partitions: u32,
    /// Most services that live windows are kept of, over all partitions.
    pub services_max: usize,
    /// Unknown for longer than this pages on its own.
    pub unknown_grace: Duration,
    /// Whether a host that falls silent pages.
    pub host_silent: bool,
    /// Told of each partition that is owned, and when it has caught up.
    pub owned: Owned,
    /// The way between partitions.
    pub exchange: Exchange,
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
    /// Stored history for budgets, where it is kept.
    pub series: Option<Arc<dyn SeriesStore>>,
}

/// Begins shards. The notifier's channel closes when this and every shard have ended.
pub struct Shards {
    settings: Settings,
    with: Surroundings,
    events: EventSenders,
    past: Option<mpsc::Sender<Ask>>,
}

/// Memory that the budget sets aside for the shards, in bytes.
#[must_use]
pub const fn memory_bound_bytes(services_max: u64) -> u64 {
    services_max.saturating_mul(OPEN_BYTES_PER_SERVICE + SUMS_BYTES_PER_SERVICE)
}

impl Shards {
    /// No shard yet. Starts the task that tells shards of `agents`, until the uplink ends.
    #[must_use]
    pub fn new(
        tasks: &Tasks,
        settings: Settings,
        with: Surroundings,
        agents: mpsc::Receiver<AgentEvent>,
        open_alerts: &[Alert],
    ) -> Self {
        let events = EventSenders::default();
        let silence = settings.host_silent.then(|| HostSilence::new(open_alerts));
        let (transitions, clock) = (with.transitions.clone(), Arc::clone(&with.clock));
        let (owned, partitions) = (settings.owned.clone(), settings.partitions);
        let is_ours = move |agent: &AgentIdentity| {
            agent.host_service().is_none_or(|service| owned.has(service.partition(partitions)))
        };
        let fanout = fanout::run(agents, events.clone(), silence, is_ours, transitions, clock);
        tasks.spawn(TaskKind::Station, "agent-events", fanout);
        let past = with.series.clone().map(|series| {
            let (past, asks) = mpsc::channel(budget::reader::ASKS_MAX);
            tasks.spawn(TaskKind::Upkeep, "budget-history", budget::reader::run(series, asks));
            past
        });
        Self { settings, with, events, past }
    }

    /// A shard that goes on with a partition, and with those of the open alerts that are its own. It ends
    /// when its records do, or somebody else owns the partition.
    pub fn begin(
        &self,
        partition: u32,
        resume: Resume,
        open_alerts: Vec<Alert>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let Settings { generation, partitions, services_max, unknown_grace, .. } = self.settings;
        // Hashing spreads services unevenly; each partition may have twice its share.
        let share = services_max.saturating_mul(2).div_ceil(partitions.max(1) as usize);
        let open_bytes = services_max.saturating_mul(OPEN_BYTES_PER_SERVICE as usize);
        let owned = self.settings.owned.clone();
        let mut rules = self.with.rules.clone();
        let present = rules.borrow_and_update().clone();
        let shard_settings = ShardSettings {
            partition,
            partitions,
            generation,
            services_max: share.min(services_max),
            open_bytes_max: open_bytes / partitions.max(1) as usize,
            unknown_grace,
            checkpoint: resume.checkpoint,
            replay_end: resume.replay_end,
            open_alerts,
            owned: owned.clone(),
            tenure: resume.tenure,
            exchange: self.settings.exchange.clone(),
            objectives: present.objectives.clone(),
            past: self.past.clone(),
        };
        let shard = Shard::new(
            shard_settings,
            &present.rules,
            Arc::clone(&self.with.windows),
            Arc::clone(&self.with.checkpoints),
            Arc::clone(&self.with.clock),
            self.with.board.clone(),
            self.with.transitions.clone(),
        );
        let exchange = self.settings.exchange.clone();
        let inputs = ShardInputs {
            records: resume.records,
            agents: self.events.subscribe(partition),
            messages: exchange.subscribe(partition),
            rules,
        };
        let (events, board) = (self.events.clone(), self.with.board.clone());
        owned.begin(partition);
        async move {
            shard.run(inputs).await;
            owned.end(partition);
            events.end(partition);
            exchange.end(partition);
            board.forget(|service| service.partition(partitions) == partition);
        }
    }

    /// The windows that shards write.
    #[must_use]
    pub fn windows(&self) -> &Arc<dyn WindowStore> {
        &self.with.windows
    }

    /// From where shards go on.
    #[must_use]
    pub fn checkpoints(&self) -> &Arc<dyn CheckpointStore> {
        &self.with.checkpoints
    }
}

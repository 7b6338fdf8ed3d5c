//! The task of one partition: merges what the log gives, and judges it at once.
//!
//! Everything of a partition happens in this one task, in offset order: nothing lies between a
//! record and its judgement, and no lock is needed. Writing is bounded in time and never waited for
//! by a judgement: cells go out at most every 100 ms, after the judgement of what they hold. What came
//! too late to be judged is added last of a batch.

use std::sync::Arc;
use std::time::Duration;

use goldentime_log::kafka::Tenure;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Alert, StageTimes, UnixNanos};
use goldentime_runtime::SharedClock;
use goldentime_windows::{Checkpoint, CheckpointStore, WindowStore};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::checkpoint::Cadence;
use super::exchange::Exchange;
use super::late::Late;
use super::outcome::{Applied, Outcomes};
use super::partition::Partition;
use super::replay_end::ReplayEnd;
use super::start::{Owned, Rules};
use crate::evaluate::engine::{Engine, EngineSettings, Finding, service_of};
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::judge::Tempo;
use crate::evaluate::rule::Rule;
use crate::evaluate::several::judges::Judges;
use crate::evaluate::several::word::Message;
use crate::evaluate::transition::{Change, Transition};
use crate::ingest::agents::AgentEvent;
use crate::ingest::logged::Logged;

/// Most records that are merged before what they touched is judged.
pub const BATCH_RECORDS_MAX: usize = 256;

/// Dirty cells are written at least this often.
pub const WRITE_EVERY: Duration = Duration::from_millis(100);

/// Second boundaries are judged this often.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// The watermark of an idle service trails the clock by this much, so that an agent with nothing to
/// say, which says so once a second, is not missed.
const IDLE_LAG_MS: i64 = 1_000;

/// Findings that are kept while it is not known whether the partition still is ours.
const UNTOLD_MAX: usize = 4096;

/// What a shard is made with.
pub struct ShardSettings {
    /// Its partition.
    pub partition: u32,
    /// How many partitions there are.
    pub partitions: u32,
    /// Topic generation, written into checkpoints.
    pub generation: u32,
    /// Most services that it keeps windows of.
    pub services_max: usize,
    /// Most bytes of open cells; above it the oldest are written and let go.
    pub open_bytes_max: usize,
    /// Unknown for longer than this pages on its own.
    pub unknown_grace: Duration,
    /// Where it goes on; its stream table and offset.
    pub checkpoint: Option<Checkpoint>,
    /// Where the replay of what was in the log at the start ends: before it nothing is judged.
    pub replay_end: ReplayEnd,
    /// Alerts that were firing before the start.
    pub open_alerts: Vec<Alert>,
    /// Told when the replay is done.
    pub owned: Owned,
    /// For how long the partition is ours; `None` for good.
    pub tenure: Option<Tenure>,
    /// The way to other partitions.
    pub exchange: Exchange,
}

/// What a shard reads.
pub struct ShardInputs {
    /// The log from the checkpoint on, in offset order. The shard ends when it closes.
    pub records: mpsc::Receiver<Logged>,
    /// Agents that come and go.
    pub agents: mpsc::Receiver<AgentEvent>,
    /// What other partitions say.
    pub messages: mpsc::Receiver<Message>,
    /// The rules, whenever they change.
    pub rules: Rules,
}

/// Merge and evaluation of one partition.
pub struct Shard {
    pub(super) settings: ShardSettings,
    pub(super) partition: Partition,
    pub(super) engine: Engine,
    /// Rules over several services whose SLO's id is of this partition.
    pub(super) judges: Judges,
    pub(super) exchange: Exchange,
    /// When this partition last reported to judges.
    pub(super) reported_at: UnixNanos,
    pub(super) store: Arc<dyn WindowStore>,
    pub(super) checkpoints: Arc<dyn CheckpointStore>,
    pub(super) clock: SharedClock,
    pub(super) cadence: Cadence,
    /// Cells up to this second may be stored without being open: an earlier process wrote them, or they
    /// were let go for want of memory.
    pub(super) base_horizon: goldentime_model::Second,
    /// Whether the log was caught up with and judging has begun.
    pub(super) live: bool,
    /// What the evaluator had learned at the checkpoint, until judging begins.
    pub(super) learned: Vec<u8>,
    pub(super) findings: Vec<Finding>,
    /// They wait for word that the partition is ours.
    held_back: bool,
    pub(super) written: Written,
    /// Records of this batch whose late part is not added yet, in the order of their offsets.
    pub(super) late: Vec<Late>,
    /// Cells that are not judged any more and that are in memory because they are not written.
    pub(super) closed_held: usize,
    /// How often the window store had been found without its data when cells were last put.
    pub(super) losses: u64,
    transitions: mpsc::Sender<Transition>,
    touched: Vec<u32>,
}

/// When what was last done between records.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) ticks: u64,
    pub(super) has_dirty: bool,
}

impl Shard {
    /// A shard that has merged nothing yet. Call [`Shard::run`], or drive it by hand with
    /// [`Shard::take`], [`Shard::write`] and [`Shard::tick`].
    #[must_use]
    pub fn new(
        mut settings: ShardSettings,
        rules: &[Arc<Rule>],
        store: Arc<dyn WindowStore>,
        checkpoints: Arc<dyn CheckpointStore>,
        clock: SharedClock,
        board: StatusBoard,
        transitions: mpsc::Sender<Transition>,
    ) -> Self {
        let learned = settings.checkpoint.as_mut().map(|checkpoint| std::mem::take(&mut checkpoint.learned));
        let checkpoint = settings.checkpoint.as_ref();
        let partition =
            Partition::new(settings.partition, settings.generation, settings.services_max, checkpoint);
        let engine_settings = EngineSettings {
            partition: settings.partition,
            partitions: settings.partitions,
            unknown_grace_ms: i64::try_from(settings.unknown_grace.as_millis()).unwrap_or(i64::MAX),
        };
        let is_of_several = |alert: &Alert| service_of(&alert.labels).is_some_and(|of| of.slo().is_some());
        let (of_several, open) =
            std::mem::take(&mut settings.open_alerts).into_iter().partition(is_of_several);
        Self {
            judges: Judges::new(engine_settings.clone(), rules, board.clone(), of_several),
            exchange: settings.exchange.clone(),
            reported_at: UnixNanos(0),
            engine: Engine::new(engine_settings, rules, board, open),
            cadence: Cadence::since(partition.log_time().now()),
            base_horizon: super::bases::base_horizon(clock.now()),
            partition,
            losses: store.health().losses,
            store,
            checkpoints,
            clock,
            live: false,
            learned: learned.unwrap_or_default(),
            findings: Vec::new(),
            held_back: false,
            written: Written::default(),
            late: Vec::new(),
            closed_held: 0,
            transitions,
            touched: Vec::new(),
            settings,
        }
    }

    /// Runs until the records end; then writes everything and a checkpoint.
    pub async fn run(mut self, mut inputs: ShardInputs) {
        let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
        let mut write = interval(WRITE_EVERY);
        let mut tick = interval(TICK_EVERY);
        let (mut agents_open, mut messages_open, mut messages) = (true, true, Vec::new());
        self.begin_if_caught_up().await;
        loop {
            tokio::select! {
                count = inputs.records.recv_many(&mut batch, BATCH_RECORDS_MAX) => {
                    if count == 0 {
                        break;
                    }
                    self.take(&mut batch).await;
                }
                event = inputs.agents.recv(), if agents_open => match event {
                    Some(event) => self.agent(&event),
                    None => agents_open = false,
                },
                count = inputs.messages.recv_many(&mut messages, BATCH_RECORDS_MAX), if messages_open => {
                    messages_open = count > 0;
                    self.take_messages(&mut messages).await;
                }
                Ok(()) = inputs.rules.changed() => {
                    let rules = inputs.rules.borrow_and_update().clone();
                    self.reload(&rules.rules).await;
                }
                _ = tick.tick() => {
                    self.begin_if_caught_up().await;
                    self.tick().await;
                }
                _ = write.tick() => {
                    self.report(false);
                    self.write().await;
                }
            }
        }
        if self.is_ours() {
            self.finish().await;
        } else {
            let (partition, untold) = (self.settings.partition, self.findings.len());
            metrics::counter!("goldentime_evaluate_not_owner_total").increment(untold as u64);
            tracing::warn!(
                partition,
                untold,
                "somebody else owns the partition; what is not written is theirs to merge, what is not told theirs to \
                 find"
            );
        }
    }

    /// Whether the partition is ours as far as anybody can know.
    pub(super) fn is_ours(&self) -> bool {
        self.settings.tenure.as_ref().is_none_or(Tenure::is_current)
    }

    /// Merges a batch in order, then judges what it touched, each service once, then adds what is late.
    pub async fn take(&mut self, batch: &mut Vec<Logged>) {
        let mut outcomes = Outcomes::default();
        let logged_at = batch.last().map(|last| last.append_time);
        for logged in batch.drain(..) {
            self.load_bases(&logged).await;
            let applied = self.partition.apply(&logged, self.clock.now());
            outcomes.take(applied);
            let log_time = self.partition.log_time();
            if applied == Applied::LateInPart {
                self.late.push(Late { logged, log_time });
            }
            if self.is_crowded() {
                // What goes must have been judged before.
                self.settle().await;
                self.make_room().await;
            }
            if self.cadence.is_due(log_time.now()) {
                self.settle().await;
                self.checkpoint().await;
            }
        }
        outcomes.tell();
        self.written.has_dirty = true;
        self.settle().await;
        if let Some(at) = logged_at.filter(|_| self.live) {
            let behind_s = self.clock.now().since(at).max(0) as f64 / 1e9;
            metrics::histogram!("goldentime_merge_lag_seconds").record(behind_s);
        }
        self.begin_if_caught_up().await;
    }

    /// Everything taken in so far is judged and added.
    async fn settle(&mut self) {
        if self.live {
            self.judge_touched().await;
        }
        self.merge_late().await;
    }

    /// Takes an agent's coming or going.
    pub fn agent(&mut self, event: &AgentEvent) {
        let (agents, now) = (&mut self.partition.agents, self.clock.now());
        match event {
            AgentEvent::Connected(agent) => agents.connected(&agent.agent, now),
            AgentEvent::Left(agent) => agents.left(&agent.agent, now),
            AgentEvent::LeaseEnded(agent) => agents.lease_ended(&agent.agent),
        }
    }

    /// A second ended: rates fall, idle watermarks move on, every service that a rule watches is
    /// judged, cells of ten seconds are written, what nobody needs any more is forgotten.
    pub async fn tick(&mut self) {
        self.written.ticks = self.written.ticks.wrapping_add(1);
        let now = self.clock.now();
        if self.live {
            self.partition.agents.tick(now);
            let idle_ms = now.as_millis().saturating_sub(IDLE_LAG_MS);
            let Partition { agents, services, .. } = &mut self.partition;
            for service in services.all_mut() {
                service.feeds.tick(agents);
                if self.engine.watches(&service.id) {
                    service.watermark_ms = service.watermark_ms.max(idle_ms);
                    let tempo = Tempo { watermark_ms: service.watermark_ms, now, boundary: true };
                    // What a tick finds was tipped by time and not by a request.
                    service.stages = StageTimes::default();
                    let expected = service.expected(agents);
                    self.engine.judge(&service.id, tempo, &expected, service.stages, &mut self.findings);
                }
            }
            self.engine.judge_incomplete(now, &mut self.findings);
            self.tick_several(idle_ms);
            self.tell().await;
            self.warm_up().await;
        }
        self.upkeep().await;
    }

    /// Judges the services that were touched since the last call.
    async fn judge_touched(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        self.partition.services.take_touched(&mut touched);
        let now = self.clock.now();
        for index in &touched {
            let (agents, service) = self.partition.service_mut(*index);
            for open in service.cells.touched() {
                open.touched = false;
                self.engine.touch(&service.id, open.start, &open.cell, now);
            }
            if self.engine.watches(&service.id) {
                let tempo = Tempo { watermark_ms: service.watermark_ms, now, boundary: false };
                let stages = service.stages;
                let expected = service.expected(agents);
                self.engine.judge(&service.id, tempo, &expected, stages, &mut self.findings);
            }
        }
        self.touched = touched;
        self.report_soon();
        self.tell().await;
    }

    /// Puts findings into words and hands them to the notifier, or keeps them until it is known that they are
    /// ours to tell.
    pub(super) async fn tell(&mut self) {
        if self.findings.is_empty() {
            return;
        }
        if !self.is_ours() {
            return self.hold_back();
        }
        let mut findings = std::mem::take(&mut self.findings);
        if std::mem::take(&mut self.held_back) {
            findings = as_one(findings);
        }
        for mut finding in findings {
            self.explain(&mut finding).await;
            let (about, alert) = (&finding.service, &finding.transition.alert);
            match about.slo() {
                Some(_) => self.judges.remember(about, alert),
                None => self.engine.remember(about, alert),
            }
            let (rule, episode) =
                (finding.transition.alert.labels.clone(), finding.transition.alert.episode.clone());
            if self.transitions.send(finding.transition).await.is_err() {
                metrics::counter!(DROPS_TOTAL, "component" => "evaluate", "reason" => "notifier_ended")
                    .increment(1);
                tracing::error!(
                    ?rule,
                    episode,
                    "the notifier ended before the evaluators; this page is lost"
                );
            }
        }
    }

    /// It slept, or the broker was away: it cannot know whether it still is a member. If it is, the broker says so
    /// within a second, and nobody else finds what it found. If not, the shard ends.
    fn hold_back(&mut self) {
        let above = self.findings.len().saturating_sub(UNTOLD_MAX);
        if above > 0 {
            self.findings.drain(..above);
            metrics::counter!(DROPS_TOTAL, "component" => "evaluate", "reason" => "untold_max")
                .increment(above as u64);
        }
        if !std::mem::replace(&mut self.held_back, true) {
            let partition = self.settings.partition;
            tracing::warn!(partition, "pages wait until it is known that the partition still is ours");
        }
    }

    /// The merge state, to be looked at.
    #[must_use]
    pub const fn partition(&self) -> &Partition {
        &self.partition
    }
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// A page that nobody was told of yet says what was found since, instead of a second one that does.
fn as_one(findings: Vec<Finding>) -> Vec<Finding> {
    let mut told: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let alert = finding.transition.alert.fingerprint;
        let before = told.iter_mut().rev().find(|before| before.transition.alert.fingerprint == alert);
        match (before, finding.transition.change) {
            (Some(before), Change::Updated) if before.transition.change != Change::Resolved => {
                before.transition.alert = finding.transition.alert;
                before.subject = finding.subject;
            }
            _ => told.push(finding),
        }
    }
    told
}

//! All rule instances of one partition: only those of the touched service are judged.

use std::collections::VecDeque;
use std::sync::Arc;

use goldentime_model::{Alert, Fingerprint, Labels, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;
use hashbrown::HashMap;

use super::detect::Shifted;
use super::detect::kept::{Keeper, Kept};
use super::expectation::Expectation;
use super::handle::StatusBoard;
use super::incomplete::Incomplete;
use super::instance::{Instance, Step};
use super::judge::{ServiceJudge, Tempo};
use super::project::{Part, Projection};
use super::ring::Tally;
use super::rule::Rule;
use super::several::group::Across;
use super::several::source::Source;
use super::stray::Usual;
use super::transition::{Change, Transition};

/// Most instances that one partition keeps over all rules; further parts are counted and not judged.
pub const INSTANCES_MAX: usize = 20_000;

/// Longest window that is judged live. Longer ones need stored history.
pub const WINDOW_S_MAX: u32 = 900;

/// What one partition's evaluator is made with.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The partition.
    pub partition: u32,
    /// Number of partitions: rules that name their service have an instance only where it lives.
    pub partitions: u32,
    /// Unknown for longer than this pages on its own, in milliseconds.
    pub unknown_grace_ms: i64,
}

/// What the evaluator found, and what is needed to put it into words.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The service that was judged.
    pub service: ServiceId,
    /// What to tell.
    pub transition: Transition,
    /// The rule and the part of the service, where the window can be explained.
    pub subject: Option<Subject>,
}

/// The window that a finding is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The rule.
    pub projection: Arc<Projection>,
    /// The part of the service that it judged.
    pub part: Part,
    /// Last second of the window; it is as long as the rule says.
    pub until: Second,
    /// What the rule counted in it, and was judged on.
    pub judged: Tally,
    /// What is usual, of a rule on what strays.
    pub usual: Option<Usual>,
    /// What moved, of a rule on shifts.
    pub shifted: Option<Shifted>,
    /// Which services it comes from, of a rule over several.
    pub across: Option<Across>,
}

/// The evaluator of one partition. Driven by its merge shard, in the same task, so that nothing lies
/// between a record and its judgement.
pub struct Engine {
    settings: EngineSettings,
    projections: Vec<Arc<Projection>>,
    services: HashMap<ServiceId, ServiceJudge>,
    instances: usize,
    board: StatusBoard,
    /// What this partition adds to rules over several services.
    source: Source,
    /// Alerts that were open before this start and that no instance has taken over yet.
    orphans: HashMap<Fingerprint, Alert>,
    cold: VecDeque<ServiceId>,
    /// What sequential tests had learned before this start and nobody has taken over yet.
    kept: Kept,
}

impl Engine {
    /// An evaluator without services. `open` are the alerts that were firing before the start: the
    /// instance with the same labels goes on with them, and what no rule claims is closed by
    /// [`Engine::close_orphans`].
    #[must_use]
    pub fn new(settings: EngineSettings, rules: &[Arc<Rule>], board: StatusBoard, open: Vec<Alert>) -> Self {
        Self {
            source: Source::new(settings.partition, settings.partitions, rules),
            settings,
            projections: project_all(rules),
            services: HashMap::new(),
            instances: 0,
            board,
            orphans: open.into_iter().map(|alert| (alert.fingerprint, alert)).collect(),
            cold: VecDeque::new(),
            kept: Kept::default(),
        }
    }

    /// Gives sequential tests what they had learned at a checkpoint, as they begin.
    pub fn recall(&mut self, bytes: &[u8]) {
        self.kept = Kept::read(bytes);
    }

    /// What sequential tests have learned, for a checkpoint.
    #[must_use]
    pub fn keep(&self) -> Vec<u8> {
        let mut keeper = Keeper::new();
        self.services.values().for_each(|judge| judge.keep(&mut keeper));
        keeper.finish()
    }

    /// Services of this partition that rules name, heard of or not.
    #[must_use]
    pub fn named_services(&self) -> Vec<ServiceId> {
        let ours =
            |service: &ServiceId| service.partition(self.settings.partitions) == self.settings.partition;
        let mut named: Vec<_> = self
            .projections
            .iter()
            .filter_map(|projection| projection.exact_service())
            .chain(self.source.named_services())
            .filter(ours)
            .collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    /// Begins to judge a service. `covered_from` is the first second of which the central has seen
    /// everything that was sent. Where `warm` is false, nothing is judged until [`Engine::rebuild`].
    pub fn attach(&mut self, service: &ServiceId, covered_from: Second, now: UnixNanos, warm: bool) {
        if self.services.contains_key(service) {
            return;
        }
        let selected = self.projections.iter().filter(|projection| projection.selects(service));
        let judge = ServiceJudge::new(service, selected.cloned().collect(), covered_from, now, warm);
        self.services.insert(service.clone(), judge);
        self.source.attach(service, covered_from, warm);
        self.grow(service);
        if !warm {
            self.cold.push_back(service.clone());
        }
    }

    /// Stops to judge a service that left the window state. Its firing alerts are resolved.
    pub fn detach(&mut self, service: &ServiceId, now: UnixNanos, out: &mut Vec<Finding>) {
        if let Some(mut judge) = self.services.remove(service) {
            self.instances = self.instances.saturating_sub(judge.instances());
            judge.close_all(now, "nothing was heard of this service for long", out);
            self.board.publish(service, Vec::new(), true);
            self.source.detach(service);
        }
    }

    /// Takes the present sums of one second over from its cell. Cheap where no rule watches.
    pub fn touch(&mut self, service: &ServiceId, second: Second, cell: &SecondCell, now: UnixNanos) {
        if !self.services.contains_key(service) {
            self.attach(service, second, now, true);
        }
        let room = INSTANCES_MAX.saturating_sub(self.instances);
        if let Some(judge) = self.services.get_mut(service) {
            let grown = judge.touch(second, cell, now, room);
            self.instances += grown;
            if grown > 0 {
                self.grow(service);
            }
        }
        self.source.touch(service, second, cell);
    }

    /// Judges one service as of `tempo`.
    pub fn judge(
        &mut self,
        service: &ServiceId,
        tempo: Tempo,
        expectation: &dyn Expectation,
        stages: StageTimes,
        out: &mut Vec<Finding>,
    ) {
        if let Some(judge) = self.services.get_mut(service) {
            let changed = judge.judge(tempo, expectation, stages, out);
            if changed || tempo.boundary {
                self.board.publish(service, judge.statuses(), changed);
            }
        }
    }

    /// Finds services whose rules cannot be decided for longer than the grace period.
    pub fn judge_incomplete(&mut self, now: UnixNanos, out: &mut Vec<Finding>) {
        let grace_ms = self.settings.unknown_grace_ms;
        self.instances = 0;
        for (service, judge) in &mut self.services {
            self.instances += judge.instances();
            let oldest = judge.oldest_unknown();
            Incomplete::step(&mut judge.incomplete, service, oldest, grace_ms, now, out);
        }
    }

    /// Keeps what was found out about an alert, so that its end is told with it.
    pub fn remember(&mut self, service: &ServiceId, alert: &Alert) {
        if let Some(judge) = self.services.get_mut(service) {
            judge.remember(alert);
        }
    }

    /// Whether a rule watches the service.
    #[must_use]
    pub fn watches(&self, service: &ServiceId) -> bool {
        self.services.get(service).is_some_and(ServiceJudge::is_watched) || self.source.watches(service)
    }

    /// What this partition adds to rules over several services.
    pub const fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    /// Takes a new set of rules. Unchanged rules keep their sums and state; changed and new ones wait
    /// to be rebuilt from window state; alerts of rules that are gone are closed.
    pub fn reload(&mut self, rules: &[Arc<Rule>], now: UnixNanos, out: &mut Vec<Finding>) {
        self.projections = project_all(rules);
        self.source.reload(rules, self.services.keys(), now.second());
        self.instances = 0;
        for (service, judge) in &mut self.services {
            let selected =
                self.projections.iter().filter(|projection| projection.selects(service)).cloned().collect();
            let is_cold =
                judge.replace_rules(selected, now, out) || self.source.cold_reach_s(service).is_some();
            if is_cold && !self.cold.contains(service) {
                self.cold.push_back(service.clone());
            }
            self.instances += judge.instances();
            self.board.publish(service, judge.statuses(), true);
        }
    }

    /// The next service whose sums must be rebuilt, and how many seconds back its rules reach.
    pub fn next_cold(&mut self) -> Option<(ServiceId, u32)> {
        while let Some(service) = self.cold.pop_front() {
            let own = self.services.get(&service).and_then(ServiceJudge::longest_cold_reach_s);
            if let Some(reach_s) = own.max(self.source.cold_reach_s(&service)) {
                return Some((service, reach_s));
            }
        }
        None
    }

    /// Fills the sums of instances that are not warm from stored cells, oldest first, and begins to
    /// judge them. Seconds that are open must be touched afterwards.
    pub fn rebuild(&mut self, service: &ServiceId, cells: &[(Second, SecondCell)], now: UnixNanos) {
        let room = INSTANCES_MAX.saturating_sub(self.instances);
        if let Some(judge) = self.services.get_mut(service) {
            self.instances += judge.rebuild(cells, now, room);
            self.grow(service);
        }
        self.source.rebuild(service, cells);
    }

    /// Closes the alerts of this partition's services that were open before the start and that no
    /// rule claims any more. Call once everything is rebuilt.
    pub fn close_orphans(&mut self, now: UnixNanos, out: &mut Vec<Finding>) {
        for (_, alert) in self.orphans.drain() {
            let Some(service) = service_of(&alert.labels) else { continue };
            if service.partition(self.settings.partitions) != self.settings.partition {
                continue;
            }
            let mut instance =
                Instance::new(alert.labels.clone(), super::ring::Ring::new(1, Second(0)), now, true);
            instance.adopt(alert);
            out.extend(closing(&service, &mut instance, now, "its rule is gone", &[], true));
        }
    }

    /// Lets new instances take over the alerts that they had before the start.
    fn grow(&mut self, service: &ServiceId) {
        let Some(judge) = self.services.get_mut(service) else { return };
        if !self.kept.is_empty() {
            judge.recall(&mut self.kept);
        }
        if !self.orphans.is_empty() {
            judge.adopt(&mut self.orphans);
            Incomplete::adopt(&mut judge.incomplete, service, &mut self.orphans);
        }
    }
}

/// Rules that judge each service by itself.
fn project_all(rules: &[Arc<Rule>]) -> Vec<Arc<Projection>> {
    let own = rules.iter().filter(|rule| rule.selector.services.is_none());
    own.map(|rule| Arc::new(Projection::new(Arc::clone(rule)))).collect()
}

/// What an alert is about, as its labels name it: a service, or an SLO over several.
pub(crate) fn service_of(labels: &Labels) -> Option<ServiceId> {
    use goldentime_model::alert::label;
    let part = |name| labels.get(name).map(String::as_str);
    let (project, environment) = (part(label::PROJECT)?, part(label::ENVIRONMENT)?);
    match part(label::SERVICE) {
        Some(service) => ServiceId::new(project, environment, service).ok(),
        None => ServiceId::of_slo(project, environment, part(label::SLO)?).ok(),
    }
}

/// The finding that closes an instance's alert for a reason other than health.
pub(super) fn closing(
    service: &ServiceId,
    instance: &mut Instance,
    now: UnixNanos,
    reason: &str,
    targets: &[Arc<str>],
    tell_resolve: bool,
) -> Option<Finding> {
    let mut alert = instance.close(now)?;
    alert.annotations.insert(super::explain::RESOLVED_BECAUSE.into(), reason.into());
    Some(Finding {
        service: service.clone(),
        transition: Transition { change: Change::Resolved, alert, targets: targets.to_vec(), tell_resolve },
        subject: None,
    })
}

/// What a step of an instance means to those who are told.
pub(super) const fn change_of(step: &Step) -> Option<Change> {
    match step {
        Step::Same => None,
        Step::Fired => Some(Change::Fired),
        Step::Worse => Some(Change::Updated),
        Step::Resolved | Step::GaveUp => Some(Change::Resolved),
    }
}

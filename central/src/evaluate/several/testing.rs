//! Partitions and a judge without shards between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::{Alert, Outcome, Second, ServiceId, StageTimes, UnixNanos};
use goldentime_windows::SecondCell;

use super::super::engine::{EngineSettings, Finding};
use super::super::expectation::{Expectation, Gap};
use super::super::handle::StatusBoard;
use super::super::rule::{Measure, Rule};
use super::super::status::RuleStatus;
use super::super::testing::{rule, service};
use super::judges::Judges;
use super::source::Source;
use super::word::Report;

pub(super) const PARTITIONS: u32 = 4;
pub(super) const NAMES: [&str; 5] = ["cart", "checkout", "payment", "search", "stock"];

/// More than 5% of the requests to all of [`NAMES`] together, over ten seconds.
pub(super) fn together() -> Rule {
    let mut together = rule("shop", Measure::Availability { bad: vec![Outcome::ServerError] });
    together.slo = Some("shop".into());
    together.selector.service = None;
    together.selector.services = Some(NAMES.map(str::to_owned).to_vec());
    together
}

/// What one service did, and how far its agents have come.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    pub(super) cells: BTreeMap<i64, (u64, u64)>,
    pub(super) watermark_ms: i64,
    pub(super) gaps: Vec<Gap>,
}

impl Expectation for Done {
    fn unseen(&self, from_ms: i64, until_ms: i64) -> f64 {
        self.gaps.iter().map(|gap| gap.events(from_ms, until_ms)).sum()
    }

    fn unseen_on_host(&self, _host: &str, _from_ms: i64, _until_ms: i64) -> Option<f64> {
        None
    }

    fn complete_until_ms(&self) -> Option<i64> {
        self.gaps.iter().filter(|gap| gap.until_ms == i64::MAX).map(|gap| gap.from_ms).min()
    }

    fn gaps(&self, each: &mut dyn FnMut(Gap)) {
        self.gaps.iter().copied().for_each(each);
    }
}

pub(super) fn cell((ok, bad): (u64, u64)) -> SecondCell {
    let mut cell = SecondCell::default();
    cell.total.counts.add_outcome(Outcome::Ok, ok);
    cell.total.counts.add_outcome(Outcome::ServerError, bad);
    cell
}

/// Services in their partitions.
pub(super) struct Shop {
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) done: BTreeMap<ServiceId, Done>,
    pub(super) sources: BTreeMap<u32, Source>,
    pub(super) offset: u64,
    lives: i64,
}

impl Shop {
    pub(super) fn new(rule: Rule) -> Self {
        let rules = vec![Arc::new(rule)];
        let done = NAMES.iter().map(|name| (service(name), Done::default())).collect();
        let mut shop = Self { rules, done, sources: BTreeMap::new(), offset: 0, lives: 0 };
        (0..PARTITIONS).for_each(|partition| drop(shop.restart(partition)));
        shop
    }

    /// The evaluator of a partition begins anew, from what windows hold; gives the former one.
    pub(super) fn restart(&mut self, partition: u32) -> Option<Source> {
        let mut source = Source::new(partition, PARTITIONS, &self.rules);
        for (service, done) in self.done.iter().filter(|(id, _)| id.partition(PARTITIONS) == partition) {
            source.attach(service, Second(0), false);
            let cells: Vec<_> =
                done.cells.iter().map(|(second, counts)| (Second(*second), cell(*counts))).collect();
            source.rebuild(service, &cells);
        }
        self.lives += 1;
        source.begin(self.lives);
        self.sources.insert(partition, source)
    }

    /// Requests of a second are merged.
    pub(super) fn add(&mut self, name: &str, second: i64, ok: u64, bad: u64) {
        self.offset += 1;
        let id = service(name);
        let done = self.done.get_mut(&id).expect("a known name");
        let counts = done.cells.entry(second).or_default();
        *counts = (counts.0 + ok, counts.1 + bad);
        done.watermark_ms = done.watermark_ms.max(second * 1000 + 500);
        let (counts, partition) = (*counts, id.partition(PARTITIONS));
        self.sources.get_mut(&partition).expect("all are owned").touch(&id, Second(second), &cell(counts));
    }

    /// What a partition reports now.
    pub(super) fn reports(&mut self, partition: u32, all: bool) -> Vec<Report> {
        let source = self.sources.get_mut(&partition).expect("all are owned");
        for id in source.take_touched(all) {
            let done = &self.done[&id];
            source.note(&id, done.watermark_ms, done, StageTimes::default());
        }
        source.reports(self.offset)
    }

    pub(super) fn judge(&self, open: Vec<Alert>) -> Judge {
        let group = ServiceId::of_slo("default", "default", "shop").expect("a valid name");
        let settings = EngineSettings {
            partition: group.partition(PARTITIONS),
            partitions: PARTITIONS,
            unknown_grace_ms: 60_000,
        };
        let board = StatusBoard::default();
        let mut judges = Judges::new(settings, &self.rules, board.clone(), open);
        judges.begin(UnixNanos::from_millis(1));
        Judge { judges, board, group, found: Vec::new() }
    }
}

/// The judge of the shop.
pub(super) struct Judge {
    pub(super) judges: Judges,
    pub(super) board: StatusBoard,
    pub(super) group: ServiceId,
    pub(super) found: Vec<Finding>,
}

impl Judge {
    pub(super) fn hear(&mut self, reports: &[Report], now: UnixNanos) {
        for report in reports.iter().filter(|report| report.to == self.group.partition(PARTITIONS)) {
            self.judges.take(report, now);
        }
        self.judges.judge_touched(now, &mut self.found);
    }

    /// A second ends; who is asked for everything reports.
    pub(super) fn tick(&mut self, shop: &mut Shop, at_ms: i64) {
        let now = UnixNanos::from_millis(at_ms);
        for partition in 0..PARTITIONS {
            let reports = shop.reports(partition, true);
            self.hear(&reports, now);
        }
        self.judges.tick(i64::MIN, now, &mut self.found);
        if self.judges.must_ask(now) {
            for partition in 0..PARTITIONS {
                shop.sources.get_mut(&partition).expect("owned").asked(self.group.partition(PARTITIONS));
                let reports = shop.reports(partition, true);
                self.hear(&reports, now);
            }
        }
        self.judges.tick(i64::MIN, now, &mut self.found);
    }

    pub(super) fn status(&self) -> RuleStatus {
        self.board.of(&self.group).first().cloned().expect("the rule is judged")
    }
}

//! The evaluator, driven by hand.

use std::collections::BTreeMap;

use goldentime_model::{Fingerprint, Labels, Second, ServiceId, StageTimes};
use goldentime_windows::SecondCell;

use crate::evaluate::budget::Answer;
use crate::evaluate::budget::history::Wanted;
use crate::evaluate::engine::{Engine, EngineSettings, Finding};
use crate::evaluate::expectation::NobodyExpected;
use crate::evaluate::explain;
use crate::evaluate::handle::StatusBoard;
use crate::evaluate::judge::Tempo;
use crate::evaluate::openslo::RuleSet;
use crate::evaluate::several::judges::Judges;
use crate::evaluate::status::RuleStatus;
use crate::evaluate::transition::Change;

/// Episodes that are kept; further ones are only counted.
const EPISODES_MAX: usize = 100_000;

/// One alert from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// Name of the rule.
    pub rule: String,
    /// Labels of the alert.
    pub labels: Labels,
    /// First second of the breach.
    pub breached: Second,
    /// The second at whose end it fired.
    pub fired: Second,
    /// The second at whose end it was over; `None` while it fires.
    pub ended: Option<Second>,
    /// What the page would have said first.
    pub summary: String,
}

/// Judges rules over seconds that are given, in order. What is missing is not there: nobody is expected.
pub struct Desk {
    engine: Engine,
    judges: Judges,
    board: StatusBoard,
    services: Vec<ServiceId>,
    firing: BTreeMap<Fingerprint, usize>,
    episodes: Vec<Episode>,
    /// Alerts that there was no room to keep.
    pub dropped: u64,
    offset: u64,
    /// Budgets begin with what is seen.
    has_no_history: bool,
}

impl Desk {
    /// Before the second `start` nothing was seen.
    #[must_use]
    pub fn new(set: &RuleSet, start: Second) -> Self {
        let settings = EngineSettings { partition: 0, partitions: 1, unknown_grace_ms: i64::MAX / 2_000_000 };
        let board = StatusBoard::default();
        let mut judges = Judges::new(settings.clone(), &set.rules, board.clone(), Vec::new());
        let mut engine =
            Engine::new(settings, &set.rules, board.clone(), Vec::new()).with_objectives(&set.objectives);
        let now = start.start();
        let services = engine.named_services();
        for service in &services {
            engine.attach(service, start, now, true);
        }
        engine.source_mut().begin(now.0);
        judges.begin(now);
        Self {
            engine,
            judges,
            board,
            services,
            firing: BTreeMap::new(),
            episodes: Vec::new(),
            dropped: 0,
            offset: 0,
            has_no_history: false,
        }
    }

    /// The same where there was nothing before: budgets begin with what is seen.
    #[must_use]
    pub fn without_history(self) -> Self {
        Self { has_no_history: true, ..self }
    }

    /// The second `second` is over, and this is what services did in it.
    pub fn step(&mut self, second: Second, cells: &[(ServiceId, SecondCell)]) {
        let now = second.end();
        let tempo = Tempo { watermark_ms: second.start().as_millis() + 999, now, boundary: true };
        for (service, cell) in cells {
            self.engine.touch(service, second, cell, now);
            if let Err(at) = self.services.binary_search(service) {
                self.services.insert(at, service.clone());
            }
        }
        if self.has_no_history {
            while let Some(wanted) = self.engine.next_wanted() {
                self.engine.fill(&Answer { wanted, past: Vec::new() });
            }
        }
        let mut found = Vec::new();
        for service in &self.services {
            self.engine.judge(service, tempo, &NobodyExpected, StageTimes::default(), &mut found);
        }
        self.step_several(tempo, &mut found);
        for finding in found {
            self.take(finding, second, cells);
        }
    }

    /// The next stretch of history before the start that budgets want.
    pub fn next_wanted(&mut self) -> Option<Wanted> {
        self.engine.next_wanted()
    }

    /// Takes history before the start.
    pub fn fill(&mut self, answer: &Answer) {
        self.engine.fill(answer);
    }

    /// Where every rule stands.
    #[must_use]
    pub fn statuses(&self) -> Vec<RuleStatus> {
        self.board.all()
    }

    /// What fired, by the time of firing.
    #[must_use]
    pub fn episodes(&self) -> &[Episode] {
        &self.episodes
    }

    /// What fires now.
    #[must_use]
    pub fn firing(&self) -> Vec<&Episode> {
        self.firing.values().filter_map(|at| self.episodes.get(*at)).collect()
    }

    fn step_several(&mut self, tempo: Tempo, out: &mut Vec<Finding>) {
        self.offset += 1;
        self.report(tempo);
        self.judges.tick(i64::MIN, tempo.now, out);
        if self.judges.must_ask(tempo.now) {
            self.engine.source_mut().asked(0);
            self.report(tempo);
            self.judges.tick(i64::MIN, tempo.now, out);
        }
    }

    fn report(&mut self, tempo: Tempo) {
        let source = self.engine.source_mut();
        for service in source.take_touched(true) {
            source.note(&service, tempo.watermark_ms, &NobodyExpected, StageTimes::default());
        }
        for report in source.reports(self.offset) {
            self.judges.take(&report, tempo.now);
        }
    }

    fn take(&mut self, mut finding: Finding, second: Second, cells: &[(ServiceId, SecondCell)]) {
        let own = cells.iter().filter(|(service, _)| *service == finding.service);
        let own: Vec<SecondCell> = own.map(|(_, cell)| cell.clone()).collect();
        let transition = &mut finding.transition;
        if let Some(subject) = &finding.subject {
            explain::annotate(&mut transition.alert, transition.change, subject, &own);
        }
        let alert = &transition.alert;
        match transition.change {
            Change::Fired if self.episodes.len() >= EPISODES_MAX => self.dropped += 1,
            Change::Fired => {
                self.firing.insert(alert.fingerprint, self.episodes.len());
                let text = |name: &str| alert.annotations.get(name).cloned().unwrap_or_default();
                self.episodes.push(Episode {
                    rule: alert.labels.get("alertname").cloned().unwrap_or_default(),
                    labels: alert.labels.clone(),
                    breached: alert.first_breach,
                    fired: second,
                    ended: None,
                    summary: text("summary"),
                });
            }
            Change::Updated => {}
            Change::Resolved => {
                let at = self.firing.remove(&alert.fingerprint);
                if let Some(episode) = at.and_then(|at| self.episodes.get_mut(at)) {
                    episode.ended = Some(second);
                }
            }
        }
    }
}

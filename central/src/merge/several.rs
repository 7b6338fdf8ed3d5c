//! A shard's part in rules over several services: it reports what its services add, and judges those SLOs whose id
//! is of its partition.

use goldentime_model::ServiceId;
use goldentime_windows::{SecondCell, Tier};

use super::shard::Shard;
use super::upkeep::at_hand;
use crate::evaluate::engine::{Finding, Subject};
use crate::evaluate::explain::{self, EXPLAINED_S_MAX};
use crate::evaluate::several::group::Across;
use crate::evaluate::several::word::Message;

/// Sums are reported this often at most, in nanoseconds: at once after a pause, and with the next writing of cells
/// otherwise.
const REPORT_EVERY_NS: i64 = 20_000_000;

impl Shard {
    /// Begins to report and to judge.
    pub(super) fn begin_several(&mut self) {
        let now = self.clock.now();
        self.engine.source_mut().begin(now.0);
        self.judges.begin(now);
        self.report(true);
        self.ask_for_reports();
    }

    /// Takes what other partitions say, and judges what it changes.
    pub(super) async fn take_messages(&mut self, messages: &mut Vec<Message>) {
        let now = self.clock.now();
        let mut is_asked = false;
        for message in messages.drain(..) {
            match message {
                Message::Ask { by } => {
                    self.engine.source_mut().asked(by);
                    is_asked = true;
                }
                Message::Report(report) => self.judges.take(&report, now),
            }
        }
        if is_asked {
            self.report(true);
        }
        self.judges.judge_touched(now, &mut self.findings);
        self.tell().await;
        self.ask_for_reports();
    }

    /// Reports what was touched, unless that was done a moment ago.
    pub(super) fn report_soon(&mut self) {
        if self.clock.now().since(self.reported_at) >= REPORT_EVERY_NS {
            self.report(false);
        }
    }

    /// Reports what was touched, or how far each service has come.
    pub(super) fn report(&mut self, all: bool) {
        if !self.live || !self.is_ours() {
            return;
        }
        for id in self.engine.source_mut().take_touched(all) {
            let Some(index) = self.partition.know(&id) else { continue };
            let (agents, service) = self.partition.service_mut(index);
            let expected = service.expected(agents);
            self.engine.source_mut().note(&id, service.watermark_ms, &expected, service.stages);
        }
        let offset = self.partition.offset();
        for report in self.engine.source_mut().reports(offset) {
            self.exchange.send(Message::Report(report));
        }
        self.reported_at = self.clock.now();
    }

    /// Asks every partition for everything, where something is not known.
    pub(super) fn ask_for_reports(&mut self) {
        if self.judges.must_ask(self.clock.now()) {
            self.exchange.send(Message::Ask { by: self.settings.partition });
        }
    }

    /// A second ended.
    pub(super) fn tick_several(&mut self, idle_ms: i64) {
        self.report(true);
        self.judges.tick(idle_ms, self.clock.now(), &mut self.findings);
        self.ask_for_reports();
    }

    /// Writes into a finding's alert which services it comes from, and what the worst of them say, as far as that
    /// is at hand in time.
    pub(super) async fn explain_several(&self, finding: &mut Finding) {
        let Some(subject) = &finding.subject else { return };
        let read = async { Some(self.cells_across(&finding.service, subject).await) };
        let cells = at_hand(read).await.unwrap_or_default();
        let transition = &mut finding.transition;
        explain::annotate(&mut transition.alert, transition.change, subject, &cells);
    }

    async fn cells_across(&self, group: &ServiceId, subject: &Subject) -> Vec<SecondCell> {
        let window_s = subject.projection.rule().window_s.min(EXPLAINED_S_MAX);
        let from = subject.until.offset(1 - i64::from(window_s));
        let until = subject.until.offset(1);
        let mut cells = Vec::new();
        let worst =
            subject.across.iter().flat_map(|across| across.worst.iter().take(Across::LOOKED_INTO_MAX));
        for (name, _) in worst {
            let Ok(service) = ServiceId::new(group.project(), group.environment(), name) else { continue };
            if let Ok(stored) = self.store.read(&service, Tier::OneSecond, from, until).await {
                cells.extend(stored.iter().filter_map(|cell| SecondCell::decode_judged(&cell.blob).ok()));
            }
        }
        cells
    }
}

//! Why nobody is told of an alert: another inhibits it, somebody silenced it, it is not the time.

use std::sync::Arc;

use goldentime_catalog::{Acknowledgement, AlertRecord};
use goldentime_model::{Alert, Fingerprint, UnixNanos};
use goldentime_runtime::SharedClock;

use super::book::Book;
use super::config::NotifyConfig;
use super::decisions::Decisions;
use super::inhibit::Inhibitor;
use super::route::{Branch, Routes};
use super::start::NotifyError;

/// What keeps people from being told, and who they are. Cheap to clone.
#[derive(Clone)]
pub(super) struct Suppression {
    pub(super) book: Book,
    pub(super) decisions: Decisions,
    pub(super) routes: Arc<Routes>,
    pub(super) clock: SharedClock,
}

/// How an alert stands with people.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Names of the receivers that its routes end at.
    pub receivers: Vec<String>,
    /// Alerts that inhibit it.
    pub inhibited_by: Vec<Fingerprint>,
    /// Silences that match it.
    pub silenced_by: Vec<String>,
    /// Time intervals that mute every route of it.
    pub muted_by: Vec<String>,
    /// Who takes care of it.
    pub acknowledged: Option<Acknowledgement>,
}

impl Standing {
    /// Whether nobody is told of it now.
    #[must_use]
    pub fn is_suppressed(&self) -> bool {
        !(self.inhibited_by.is_empty() && self.silenced_by.is_empty() && self.muted_by.is_empty())
    }
}

impl Suppression {
    pub(super) fn new(
        config: &NotifyConfig,
        decisions: Decisions,
        clock: SharedClock,
    ) -> Result<Self, NotifyError> {
        let book = Book::new(Inhibitor::new(&config.inhibit_rules).map_err(NotifyError::Routing)?);
        let routes = Arc::new(Routes::new(config).map_err(NotifyError::Routing)?);
        Ok(Self { book, decisions, routes, clock })
    }

    /// Why nobody is told of an alert, whatever its route; counted under this name.
    pub(super) fn of(&self, alert: &Alert) -> Option<&'static str> {
        if !self.book.inhibited_by(alert).is_empty() {
            return Some("inhibited");
        }
        (!self.decisions.silenced_by(&alert.labels).is_empty()).then_some("silenced")
    }

    /// Whether a route is muted now.
    pub(super) fn mutes(&self, branch: &Branch) -> bool {
        branch.has_intervals() && !branch.muted_by(self.clock.now()).is_empty()
    }

    /// When something may change by itself next: a silence begins or ends, or `with_intervals` a minute does.
    pub(super) fn next_change(&self, with_intervals: bool) -> Option<UnixNanos> {
        const MINUTE_NS: i64 = 60 * 1_000_000_000;
        let now = self.clock.now().0;
        let minute = with_intervals.then(|| UnixNanos(now - now.rem_euclid(MINUTE_NS) + MINUTE_NS));
        [self.decisions.next_change(), minute].into_iter().flatten().min()
    }

    pub(super) fn standing(&self, record: &AlertRecord) -> Standing {
        let alert = &record.alert;
        let now = self.clock.now();
        let branches = self.routes.of(&alert.labels, &record.targets);
        let muted: Vec<Vec<String>> = branches.iter().map(|branch| branch.muted_by(now)).collect();
        let is_muted = !muted.is_empty() && muted.iter().all(|by| !by.is_empty());
        let mut muted_by = if is_muted { muted.concat() } else { Vec::new() };
        muted_by.sort();
        muted_by.dedup();
        Standing {
            receivers: branches.iter().map(|branch| branch.receiver.clone()).collect(),
            inhibited_by: self.book.inhibited_by(alert),
            silenced_by: self.decisions.silenced_by(&alert.labels),
            muted_by,
            acknowledged: self.decisions.acknowledged(&alert.episode),
        }
    }
}

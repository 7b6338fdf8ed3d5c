//! The statuses of all rule instances, for those who show them.

use std::sync::{Arc, PoisonError, RwLock};

use goldentime_model::ServiceId;
use hashbrown::HashMap;
use tokio::sync::watch;

use super::status::RuleStatus;

/// Where every rule instance stands. Cheap to clone; all clones show the same.
///
/// The evaluators write, one service at a time; the API and the push station read. A reader sees
/// each service's statuses as of one judgement, never half of one.
#[derive(Clone, Debug)]
pub struct StatusBoard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    by_service: RwLock<HashMap<ServiceId, Arc<[RuleStatus]>>>,
    version: watch::Sender<u64>,
}

impl Default for StatusBoard {
    fn default() -> Self {
        Self(Arc::new(Inner { by_service: RwLock::default(), version: watch::Sender::new(0) }))
    }
}

impl StatusBoard {
    /// Every instance of every service, ordered by service, then by rule.
    #[must_use]
    pub fn all(&self) -> Vec<RuleStatus> {
        let by_service = self.0.by_service.read().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<_> = by_service.values().cloned().collect();
        drop(by_service);
        groups.sort_unstable_by(|a, b| service_of(a).cmp(&service_of(b)));
        groups.iter().flat_map(|group| group.iter().cloned()).collect()
    }

    /// The instances of one service; empty when no rule watches it.
    #[must_use]
    pub fn of(&self, service: &ServiceId) -> Arc<[RuleStatus]> {
        let by_service = self.0.by_service.read().unwrap_or_else(PoisonError::into_inner);
        by_service.get(service).cloned().unwrap_or_default()
    }

    /// Wakes whenever an instance changed its state; the value only ever rises.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Replaces what is shown of one service. `state_changed` wakes those who wait on [`Self::changes`].
    pub(crate) fn publish(&self, service: &ServiceId, statuses: Vec<RuleStatus>, state_changed: bool) {
        let mut by_service = self.0.by_service.write().unwrap_or_else(PoisonError::into_inner);
        if statuses.is_empty() {
            by_service.remove(service);
        } else {
            by_service.insert(service.clone(), statuses.into());
        }
        drop(by_service);
        if state_changed {
            self.0.version.send_modify(|version| *version += 1);
        }
    }

    /// Shows nothing any more of the services that `are_gone` names: somebody else judges them now.
    pub(crate) fn forget(&self, are_gone: impl Fn(&ServiceId) -> bool) {
        let mut by_service = self.0.by_service.write().unwrap_or_else(PoisonError::into_inner);
        by_service.retain(|service, _| !are_gone(service));
        drop(by_service);
        self.0.version.send_modify(|version| *version += 1);
    }
}

fn service_of(group: &Arc<[RuleStatus]>) -> Option<&ServiceId> {
    group.first().map(|status| &status.service)
}

//! Agents as the registry last had them. While it is away nobody can be enrolled or revoked either: who was
//! known stays known, also to a central that the agent was never connected to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use goldentime_catalog::registry::{AGENTS_MAX, Enrolled, Fingerprint};

/// Memory of them: ids, names and certificates' hashes, most of them far shorter than they may be.
pub const MEMORY_BYTES_MAX: u64 = AGENTS_MAX as u64 * 400;

/// Agents by their certificates, at most [`AGENTS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Fingerprint, Enrolled>>);

impl Known {
    /// Has these agents alone.
    pub(super) fn replace(&self, agents: &[Enrolled]) {
        *self.lock() = agents.iter().map(|agent| (agent.certificate, agent.clone())).collect();
    }

    /// Takes in what the registry said of a certificate.
    pub(super) fn note(&self, certificate: Fingerprint, agent: Option<&Enrolled>) {
        let mut known = self.lock();
        match agent {
            None => drop(known.remove(&certificate)),
            Some(agent) if known.len() < AGENTS_MAX as usize || known.contains_key(&certificate) => {
                known.insert(certificate, agent.clone());
            }
            Some(_) => {}
        }
    }

    /// The agent of a certificate as it was.
    pub(super) fn of(&self, certificate: Fingerprint) -> Option<Enrolled> {
        let agent = self.lock().get(&certificate).cloned();
        if agent.is_some() {
            metrics::counter!("goldentime_registry_remembered_total").increment(1);
        }
        agent
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Enrolled>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

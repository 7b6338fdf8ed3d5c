//! What agents said while the registry was away: the last of each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use goldentime_catalog::registry::{AGENTS_MAX, AgentNote};

/// Notes that are written at a time.
const CHUNK: usize = 1000;

/// Notes that wait, at most one for each of [`AGENTS_MAX`] agents.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<HashMap<String, AgentNote>>);

impl Notes {
    /// Keeps a note, unless a later one of the same agent waits already.
    pub(super) fn keep(&self, note: AgentNote) {
        let mut waiting = self.lock();
        let is_new = waiting.get(&note.agent).is_none_or(|other| other.at <= note.at);
        let has_room = waiting.len() < AGENTS_MAX as usize || waiting.contains_key(&note.agent);
        if is_new && has_room {
            waiting.insert(note.agent.clone(), note);
        }
    }

    /// Takes some of them; none if none waits.
    pub(super) fn take(&self) -> Option<Vec<AgentNote>> {
        let mut waiting = self.lock();
        let some: Vec<String> = waiting.keys().take(CHUNK).cloned().collect();
        let taken: Vec<AgentNote> = some.iter().filter_map(|agent| waiting.remove(agent)).collect();
        (!taken.is_empty()).then_some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, AgentNote>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goldentime_model::UnixNanos;

    fn note(agent: &str, at: i64) -> AgentNote {
        AgentNote {
            agent: agent.into(),
            host: "h".into(),
            environment: "e".into(),
            at: UnixNanos(at),
            has_left: false,
        }
    }

    #[test]
    fn of_each_agent_the_latest_waits_whatever_is_put_back_after_it() {
        let notes = Notes::default();
        for (agent, at) in [("a", 2), ("a", 1), ("b", 1), ("b", 3)] {
            notes.keep(note(agent, at));
        }
        let mut taken = notes.take().expect("some wait");
        taken.sort_by(|one, other| one.agent.cmp(&other.agent));
        assert_eq!(taken, [note("a", 2), note("b", 3)]);
        assert_eq!(notes.take(), None);
    }
}

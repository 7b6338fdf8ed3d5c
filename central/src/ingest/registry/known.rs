//! Agents as the registry last had them. While it is away nobody can be enrolled or revoked either: who was
//! known stays known, also to a central that the agent was never connected to, and to one that starts then.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use goldentime_catalog::registry::{AGENTS_MAX, Enrolled, Fingerprint};

/// Memory of them: ids, names and certificates' hashes, most of them far shorter than they may be.
pub const MEMORY_BYTES_MAX: u64 = AGENTS_MAX as u64 * 400;

/// Agents by their certificates, at most [`AGENTS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Agents>);

#[derive(Debug, Default)]
struct Agents {
    by_certificate: HashMap<Fingerprint, Enrolled>,
    /// Something changed that the file does not have.
    is_news: bool,
}

impl Known {
    /// Has these agents alone.
    pub(super) fn replace(&self, agents: &[Enrolled]) {
        let mut known = self.lock();
        let before = known.by_certificate.len();
        let same = |agent: &Enrolled| known.by_certificate.get(&agent.certificate).is_some_and(is_as(agent));
        known.is_news |= agents.len() != before || !agents.iter().all(same);
        known.by_certificate = agents.iter().map(|agent| (agent.certificate, agent.clone())).collect();
    }

    /// Takes in what the registry said of a certificate.
    pub(super) fn note(&self, certificate: Fingerprint, agent: Option<&Enrolled>) {
        let mut known = self.lock();
        let count = known.by_certificate.len();
        let before = known.by_certificate.get(&certificate);
        match agent {
            None => {
                known.is_news |= before.is_some();
                known.by_certificate.remove(&certificate);
            }
            Some(agent) if count < AGENTS_MAX as usize || before.is_some() => {
                known.is_news |= !before.is_some_and(is_as(agent));
                known.by_certificate.insert(certificate, agent.clone());
            }
            Some(_) => {}
        }
    }

    /// The agent of a certificate as it was.
    pub(super) fn of(&self, certificate: Fingerprint) -> Option<Enrolled> {
        let agent = self.lock().by_certificate.get(&certificate).cloned();
        if agent.is_some() {
            metrics::counter!("goldentime_registry_remembered_total").increment(1);
        }
        agent
    }

    /// Writes them to a file, if there is any news.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let agents: Vec<Enrolled> = {
            let mut known = self.lock();
            if !known.is_news {
                return Ok(());
            }
            known.is_news = false;
            known.by_certificate.values().cloned().collect()
        };
        let new = file.with_extension("new");
        let written =
            std::fs::write(&new, serde_json::to_vec(&agents)?).and_then(|()| std::fs::rename(&new, file));
        if written.is_err() {
            self.lock().is_news = true;
        }
        written
    }

    /// Reads the agents of a file; none where there is no file.
    pub(super) fn read(&self, file: &Path) -> io::Result<Vec<Enrolled>> {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let agents: Vec<Enrolled> = serde_json::from_slice(&text)?;
        self.replace(&agents);
        self.lock().is_news = false;
        Ok(agents)
    }

    fn lock(&self) -> MutexGuard<'_, Agents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an agent is what it was, but for when it was last seen.
fn is_as(now: &Enrolled) -> impl Fn(&Enrolled) -> bool {
    move |before| *before == Enrolled { last_seen: before.last_seen, ..now.clone() }
}

#[cfg(test)]
mod tests {
    use goldentime_model::UnixNanos;

    use super::*;

    fn agent(number: u8, revoked: bool) -> Enrolled {
        Enrolled {
            certificate: Fingerprint([number; 32]),
            agent: format!("agent-{number}"),
            project: "shop".into(),
            host: "web-1".into(),
            environment: "prod".into(),
            enrolled_at: UnixNanos(1),
            last_seen: UnixNanos(i64::from(number)),
            has_left: false,
            revoked_at: revoked.then_some(UnixNanos(7)),
        }
    }

    #[test]
    fn agents_are_read_back_as_they_were_written_and_only_news_is_written() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("known.json");
        let known = Known::default();
        known.write(&file).expect("nothing to write");
        assert!(!file.exists());
        known.replace(&[agent(1, false), agent(2, true)]);
        known.note(Fingerprint([3; 32]), Some(&agent(3, false)));
        known.write(&file).expect("written");

        let other = Known::default();
        assert_eq!(other.read(&file).expect("readable").len(), 3);
        assert_eq!(other.of(Fingerprint([2; 32])), Some(agent(2, true)));

        std::fs::remove_file(&file).expect("removed");
        known.note(Fingerprint([1; 32]), Some(&Enrolled { last_seen: UnixNanos(99), ..agent(1, false) }));
        known.write(&file).expect("no news");
        assert!(!file.exists());
        known.note(Fingerprint([1; 32]), None);
        known.write(&file).expect("written");
        assert_eq!(other.read(&file).expect("readable").len(), 2);
        assert_eq!(other.of(Fingerprint([1; 32])), None);
    }

    #[test]
    fn a_file_that_is_damaged_is_told_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("known.json");
        let known = Known::default();
        assert_eq!(known.read(&file).expect("absent"), Vec::new());
        known.replace(&[agent(1, false)]);
        std::fs::write(&file, "[{").expect("written");
        assert!(known.read(&file).is_err());
        assert_eq!(known.of(Fingerprint([1; 32])), Some(agent(1, false)));
    }
}

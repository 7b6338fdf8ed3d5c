//! Looks after the registry: who was revoked, by whichever process; what waits to be written; who is known.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::CatalogueError;
use goldentime_catalog::registry::Revocations;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Enrolled, Registry};

/// A revoked agent is cut off within this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Agents that were enrolled at another central are known here within this time, should the registry be away
/// from then on.
const KNOW_EVERY: Duration = Duration::from_secs(30);

/// Ids of the agents that are revoked now. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Revoked(watch::Receiver<Arc<HashSet<String>>>);

impl Revoked {
    /// Ends when this agent is revoked; never if nobody looks any more.
    pub async fn of(&self, agent: &str) {
        let mut revoked = self.0.clone();
        if revoked.wait_for(|revoked| revoked.contains(agent)).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Looks after the registry: the handle, and the work to be spawned. `then` is told of each agent that is
/// revoked once, whether it is connected or not; `learned` of all agents, if the registry did not answer at the
/// start.
pub async fn revoked<Then, Learned>(
    registry: Registry,
    then: Then,
    learned: Learned,
) -> (Revoked, impl Future<Output = ()> + Send)
where
    Then: Fn(&str) + Send + 'static,
    Learned: Fn(Vec<Enrolled>) + Send + 'static,
{
    let (sender, receiver) = watch::channel(Arc::default());
    let known_at = Instant::now();
    let mut looking = Looking { registry, then, learned, sender, seen: None, known_at, is_away: false };
    looking.look().await;
    let look = async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            looking.look().await;
        }
    };
    (Revoked(receiver), look)
}

struct Looking<Then, Learned> {
    registry: Registry,
    then: Then,
    learned: Learned,
    sender: watch::Sender<Arc<HashSet<String>>>,
    /// Who was revoked is known of this state; none before the first answer.
    seen: Option<Revocations>,
    known_at: Instant,
    is_away: bool,
}

impl<Then: Fn(&str), Learned: Fn(Vec<Enrolled>)> Looking<Then, Learned> {
    async fn look(&mut self) {
        match self.try_look().await {
            Ok(()) if self.is_away => {
                tracing::info!("the registry of agents answers again");
                self.is_away = false;
            }
            Err(error) if !self.is_away => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "the registry of agents does not answer: who is known stays so, nobody is enrolled or revoked"
                );
                self.is_away = true;
            }
            Ok(()) | Err(_) => {}
        }
    }

    async fn try_look(&mut self) -> Result<(), CatalogueError> {
        if !self.registry.is_ready() {
            let agents = self.registry.prepare().await?;
            (self.learned)(agents);
        }
        let now = self.registry.ready()?.revocations().await?;
        if self.seen != Some(now) {
            let revoked: HashSet<String> = self.registry.ready()?.revoked().await?.into_iter().collect();
            let before = self.sender.send_replace(Arc::new(revoked.clone()));
            // Who was revoked before this central looked first is no news.
            if self.seen.replace(now).is_some() {
                revoked.difference(&before).for_each(|agent| (self.then)(agent));
            }
        }
        self.registry.write_notes().await?;
        if self.registry.is_shared() && self.known_at.elapsed() >= KNOW_EVERY {
            self.known_at = Instant::now();
            self.registry.prepare().await?;
        }
        Ok(())
    }
}

//! Sees which agents were revoked, by whichever process.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Registry;

/// A revoked agent is cut off within this time.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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

/// Looks for agents that were revoked: the handle, and the work to be spawned. `then` is told of each
/// once, whether it is connected or not.
pub async fn revoked(
    registry: Registry,
    then: impl Fn(&str) + Send + 'static,
) -> Result<(Revoked, impl Future<Output = ()> + Send), sqlx::Error> {
    let mut known = registry.revocations().await?;
    let first: HashSet<String> = registry.revoked().await?.into_iter().collect();
    let (sender, receiver) = watch::channel(Arc::new(first));
    let look = async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            match changed(&registry, known).await {
                Ok(None) => {}
                Ok(Some((now, revoked))) => {
                    known = now;
                    let before = sender.send_replace(Arc::new(revoked.clone()));
                    revoked.difference(&before).for_each(|agent| then(agent));
                }
                Err(error) => tracing::warn!(%error, "cannot see which agents were revoked"),
            }
        }
    };
    Ok((Revoked(receiver), look))
}

type Changed = ((i64, i64), HashSet<String>);

async fn changed(registry: &Registry, known: (i64, i64)) -> Result<Option<Changed>, sqlx::Error> {
    let now = registry.revocations().await?;
    if now == known {
        return Ok(None);
    }
    Ok(Some((now, registry.revoked().await?.into_iter().collect())))
}

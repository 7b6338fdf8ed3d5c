//! Forgets what gives no access any more.

use std::time::Duration;

use goldentime_runtime::{TaskKind, Tasks};

use super::gate::{Access, nanos};

/// How often.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How long API tokens that have ended stay listed.
const TOKENS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Access {
    /// Keeps the store small while the program runs.
    pub fn keep(&self, tasks: &Tasks) {
        let access = self.clone();
        tasks.spawn(TaskKind::Upkeep, "access", async move {
            loop {
                tokio::time::sleep(EVERY).await;
                access.forget_ended().await;
            }
        });
    }

    async fn forget_ended(&self) {
        let now = self.0.clock.now();
        let idle_since = now.saturating_add(-nanos(self.0.settings.session_idle));
        let tokens_before = now.saturating_add(-nanos(TOKENS_KEPT));
        if let Err(error) = self.0.store.prune_access(now, idle_since, tokens_before).await {
            tracing::warn!(%error, "sessions that have ended were not forgotten");
        }
    }
}

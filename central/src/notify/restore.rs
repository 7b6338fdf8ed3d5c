//! What an earlier run left, and forgetting what is old.

use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{AlertRecord, Catalogue, CatalogueError, Desk, HistoryQuery, Notification};
use goldentime_model::{Fingerprint, UnixNanos};
use goldentime_runtime::SharedClock;

use super::decisions::Decisions;
use super::unwritten::Unwritten;

/// Longest wait for the catalogue at the start; then the notifier begins without.
const READ_WAIT_MAX: Duration = Duration::from_secs(5);

/// Ended alerts looked at for the debounce.
const RESOLVES_READ_MAX: u32 = 1000;

/// How often what is old is forgotten.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3600);

/// What an earlier run left.
#[derive(Default)]
pub(super) struct Left {
    pub(super) active: Vec<AlertRecord>,
    pub(super) pending: Vec<Notification>,
    /// What ended within the debounce, and how long ago.
    pub(super) resolved: Vec<(Fingerprint, Duration)>,
}

/// Reads it. A catalogue that cannot be read is told and counted, and keeps no page back.
pub(super) async fn read(
    catalogue: &dyn Catalogue,
    decisions: &Decisions,
    unwritten: &mut Unwritten,
    now: UnixNanos,
    debounce: Duration,
) -> Left {
    let reading = async {
        // What is written first is not read as it was before.
        unwritten.give_over(catalogue).await?;
        decisions.look().await?;
        let history = catalogue.history(HistoryQuery { before: None, limit: RESOLVES_READ_MAX }).await?;
        let ago = |at: UnixNanos| Duration::from_nanos(u64::try_from(now.since(at)).unwrap_or(0));
        let resolved = history
            .iter()
            .filter_map(|alert| Some((alert.fingerprint, ago(alert.ends_at?))))
            .filter(|(_, ago)| *ago < debounce)
            .collect();
        let (active, pending) = (catalogue.active_alerts().await?, catalogue.pending().await?);
        Ok::<_, CatalogueError>(Left { active, pending, resolved })
    };
    let why = match tokio::time::timeout(READ_WAIT_MAX, reading).await {
        Ok(Ok(left)) => return left,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} s", READ_WAIT_MAX.as_secs()),
    };
    metrics::counter!("goldentime_notify_restore_failures_total").increment(1);
    tracing::error!(why, "starting without what the catalogue has of alerts and pages");
    Left { active: unwritten.firing(), pending: unwritten.unsent(), resolved: Vec::new() }
}

/// Forgets what ended longer than `keep` ago, once an hour.
pub(super) async fn prune(
    catalogue: Arc<dyn Catalogue>,
    desk: Arc<dyn Desk>,
    clock: SharedClock,
    keep: Duration,
) {
    let keep = i64::try_from(keep.as_nanos()).unwrap_or(i64::MAX);
    let mut ticks = tokio::time::interval(PRUNE_INTERVAL);
    loop {
        ticks.tick().await;
        let before = clock.now().saturating_add(-keep);
        let pruned = async {
            Ok::<_, CatalogueError>(catalogue.prune(before).await? + desk.prune_desk(before).await?)
        };
        match pruned.await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "forgot old alerts and notifications"),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot forget old alerts")
            }
        }
    }
}

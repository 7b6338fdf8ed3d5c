//! Asking to be the one who sends, without letting a page wait for the answer.

use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{Catalogue, Claim, Notification};
use goldentime_runtime::SharedClock;

/// Longest wait for the catalogue; then the page is sent all the same, for a page twice is better
/// than none.
pub(super) const CLAIM_WAIT_MAX: Duration = Duration::from_millis(100);

/// How long nobody else may send what was claimed; renewed with each attempt.
const LEASE_NANOS: i64 = 120 * 1_000_000_000;

/// Claims in the name of this central.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) catalogue: Arc<dyn Catalogue>,
    pub(super) clock: SharedClock,
    pub(super) owner: String,
}

impl Claims {
    /// Whether to send: `false` only if every page of it was told already or is another's.
    pub(super) async fn may_send(&self, notification: &Notification) -> bool {
        let now = self.clock.now();
        let claim = self.catalogue.claim(Claim {
            pages: notification.pages.clone(),
            channel: notification.channel.clone(),
            owner: self.owner.clone(),
            now,
            lease_until: now.saturating_add(LEASE_NANOS),
        });
        let why = match tokio::time::timeout(CLAIM_WAIT_MAX, claim).await {
            Ok(Ok(granted)) => return !granted.is_empty(),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "sending a page unclaimed");
                "failed"
            }
            Err(_) => {
                tracing::warn!("the catalogue did not answer in time; sending a page unclaimed");
                "slow"
            }
        };
        metrics::counter!("goldentime_notifications_unclaimed_total", "reason" => why).increment(1);
        true
    }
}

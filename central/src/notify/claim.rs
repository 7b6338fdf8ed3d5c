//! Asking to be the one who sends, without letting a page wait for the answer.

use std::sync::Arc;
use std::time::Duration;

use goldentime_catalog::{Catalogue, Claim, Notification};
use goldentime_runtime::SharedClock;

/// Longest wait for the catalogue; then the page is sent all the same, for a page twice is better
/// than none.
pub(super) const CLAIM_WAIT_MAX: Duration = Duration::from_millis(100);

/// What a lease is longer than an attempt may take: renewed before each, it ends only for who does not go on.
const LEASE_SPARE: Duration = Duration::from_secs(5);

/// Whether to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Nobody else does.
    Granted,
    /// Every page of it was told already.
    Told,
    /// Another central has it, and may yet fail.
    Elsewhere,
}

/// Claims in the name of this central.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) catalogue: Arc<dyn Catalogue>,
    pub(super) clock: SharedClock,
    pub(super) owner: String,
}

impl Claims {
    /// Asks to send, in an attempt that may take so long.
    pub(super) async fn ask(&self, notification: &Notification, attempt: Duration) -> Leave {
        let now = self.clock.now();
        let lease = i64::try_from((attempt + LEASE_SPARE).as_nanos()).unwrap_or(i64::MAX);
        let claim = self.catalogue.claim(Claim {
            pages: notification.pages.clone(),
            channel: notification.channel.clone(),
            owner: self.owner.clone(),
            now,
            lease_until: now.saturating_add(lease),
        });
        let why = match tokio::time::timeout(CLAIM_WAIT_MAX, claim).await {
            Ok(Ok(claimed)) if !claimed.given.is_empty() => return Leave::Granted,
            Ok(Ok(claimed)) if claimed.elsewhere => return Leave::Elsewhere,
            Ok(Ok(_)) => return Leave::Told,
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
        Leave::Granted
    }
}

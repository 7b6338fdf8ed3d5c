//! A channel as the dispatcher sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goldentime_catalog::{Notification, PageKind};
use tokio::sync::mpsc;

use super::config::ChannelConfig;
use super::health::Health;

/// A channel as the dispatcher sees it.
pub(super) struct Outlet {
    pub(super) name: String,
    send_resolved: bool,
    /// It keeps incidents that somebody takes care of.
    wants_acknowledged: bool,
    /// The channel's task; none where other centrals send.
    here: Option<Here>,
}

struct Here {
    health: Health,
    queue: mpsc::Sender<Notification>,
    overflowed: Arc<AtomicBool>,
}

impl Outlet {
    pub(super) fn new(config: &ChannelConfig, queue: mpsc::Sender<Notification>, health: Health) -> Self {
        let here = Here { health, queue, overflowed: Arc::default() };
        Self { here: Some(here), ..Self::elsewhere(config) }
    }

    /// A channel over which other centrals send.
    pub(super) fn elsewhere(config: &ChannelConfig) -> Self {
        Self {
            name: config.name.clone(),
            send_resolved: config.send_resolved,
            wants_acknowledged: config.pagerduty.is_some(),
            here: None,
        }
    }

    /// Set when notifications wait in the catalogue because the queue was full.
    pub(super) fn overflow_flag(&self) -> Arc<AtomicBool> {
        self.here.as_ref().map(|here| Arc::clone(&here.overflowed)).unwrap_or_default()
    }

    /// Whether a page of this kind goes over it.
    pub(super) const fn takes(&self, kind: PageKind) -> bool {
        match kind {
            PageKind::Resolved => self.send_resolved,
            PageKind::Acknowledged => self.wants_acknowledged,
            PageKind::Fired | PageKind::Repeated(_) | PageKind::Escalated => true,
        }
    }

    /// Hands a notification to the channel's task, if that runs here.
    pub(super) fn hand_over(&self, notification: Notification) {
        let Some(here) = &self.here else { return };
        here.health.queued();
        if here.queue.try_send(notification).is_err() {
            here.health.taken();
            here.overflowed.store(true, Ordering::Release);
            metrics::counter!("goldentime_notifications_deferred_total", "channel" => self.name.clone())
                .increment(1);
        }
    }
}

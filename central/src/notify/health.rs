//! How each channel does, for the dashboard and `/metrics`.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

/// State of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelState {
    /// Nothing was sent since the start.
    #[default]
    Idle,
    /// The last attempt succeeded.
    Ok,
    /// The last attempt failed.
    Failing,
}

impl ChannelState {
    /// Name as it is shown and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Ok => "ok",
            Self::Failing => "failing",
        }
    }
}

/// How one channel does, counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelHealth {
    /// Its name.
    pub name: String,
    /// `webhook`, `slack`, `email`, `pagerduty` or `http`.
    pub kind: Cow<'static, str>,
    /// Its state.
    pub state: ChannelState,
    /// Notifications that wait in memory, the one being sent included.
    pub queued: u64,
    /// Notifications delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Notifications given up.
    pub dead_letters: u64,
    /// Why the last failed attempt failed.
    pub last_error: Option<String>,
    /// When it last delivered.
    pub last_delivered: Option<UnixNanos>,
}

impl ChannelHealth {
    /// Adds what another central says of the same channel: the worse state with its error, and the counts together.
    pub fn add(&mut self, other: Self) {
        if other.state >= self.state {
            (self.state, self.last_error) =
                (other.state, other.last_error.or_else(|| self.last_error.take()));
        }
        self.queued += other.queued;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.dead_letters += other.dead_letters;
        self.last_delivered = self.last_delivered.max(other.last_delivered);
    }
}

/// One channel's health, written by its task and read by whoever shows it.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<Mutex<ChannelHealth>>);

impl Health {
    pub(super) fn new(name: &str, kind: &'static str) -> Self {
        let (name, kind) = (name.to_owned(), Cow::Borrowed(kind));
        Self(Arc::new(Mutex::new(ChannelHealth { name, kind, ..ChannelHealth::default() })))
    }

    pub(super) fn read(&self) -> ChannelHealth {
        self.lock().clone()
    }

    pub(super) fn queued(&self) {
        self.lock().queued += 1;
    }

    pub(super) fn taken(&self) {
        let mut health = self.lock();
        health.queued = health.queued.saturating_sub(1);
    }

    pub(super) fn delivered(&self, at: UnixNanos) {
        let mut health = self.lock();
        health.state = ChannelState::Ok;
        health.delivered += 1;
        health.last_delivered = Some(at);
        metrics::counter!("goldentime_notifications_delivered_total", "channel" => health.name.clone())
            .increment(1);
    }

    pub(super) fn failed(&self, reason: &str) {
        let mut health = self.lock();
        health.state = ChannelState::Failing;
        health.failed += 1;
        health.last_error = Some(reason.to_owned());
        metrics::counter!("goldentime_notification_failures_total", "channel" => health.name.clone())
            .increment(1);
    }

    pub(super) fn dead(&self) {
        let mut health = self.lock();
        health.dead_letters += 1;
        metrics::counter!("goldentime_notification_dead_letters_total", "channel" => health.name.clone())
            .increment(1);
    }

    fn lock(&self) -> MutexGuard<'_, ChannelHealth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

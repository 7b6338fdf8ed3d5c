//! What the catalogue keeps about pages.

use std::borrow::Cow;

use goldentime_model::{Alert, AlertStatus, UnixNanos};
use serde::{Deserialize, Serialize};

/// An alert's status as stored.
pub(crate) const fn status_of(alert: &Alert) -> &'static str {
    match alert.status {
        AlertStatus::Firing => "firing",
        AlertStatus::Resolved => "resolved",
    }
}

/// What a page tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// The alert began.
    Fired,
    /// It is over.
    Resolved,
    /// It fires still, told again for the nth time.
    Repeated(u32),
    /// Nobody acknowledged it, so others are told too.
    Escalated,
    /// Somebody takes care of it; for services that keep incidents.
    Acknowledged,
}

impl PageKind {
    /// Name as stored.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Fired => "fired".into(),
            Self::Resolved => "resolved".into(),
            Self::Repeated(nth) => format!("repeated {nth}").into(),
            Self::Escalated => "escalated".into(),
            Self::Acknowledged => "acknowledged".into(),
        }
    }
}

/// One transition of one episode: what a channel is told once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PageKey {
    /// [`Alert::episode`].
    pub episode: String,
    /// What is told of it.
    pub kind: PageKind,
}

/// An alert with what the notifier must know of it after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertRecord {
    /// The alert as it stands.
    pub alert: Alert,
    /// Names of the notification targets that its rule asks for; empty: all.
    pub targets: Vec<String>,
    /// Its rule wants its resolve to be told.
    pub tell_resolve: bool,
    /// Its page was dispatched (it stands in the delivery queue or was delivered).
    pub told: bool,
    /// Of an alert that others found: when it is over unless they say it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UnixNanos>,
}

/// One message to one channel: the news of some episodes, with their whole group as it stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// A function of channel and pages, so the same news has the same id after a restart.
    pub id: String,
    /// Name of the channel.
    pub channel: String,
    /// Identity of the group, in Alertmanager's form.
    pub group_key: String,
    /// Labels that all alerts of the group share because they are grouped by them.
    pub group_labels: goldentime_model::Labels,
    /// What is new in this message.
    pub pages: Vec<PageKey>,
    /// The group's alerts, the new ones among them.
    pub alerts: Vec<Alert>,
    /// When it was dispatched.
    pub created_at: UnixNanos,
    /// Attempts made before this process took it up.
    #[serde(skip)]
    pub attempts: u32,
    /// It was read back from the queue after a restart, so an earlier process may have sent it.
    #[serde(skip)]
    pub recovered: bool,
}

/// Asks to be the one who sends a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is to be told.
    pub pages: Vec<PageKey>,
    /// Name of the channel.
    pub channel: String,
    /// Who asks. Centrals that share a catalogue need different names.
    pub owner: String,
    /// The present instant by the asker's clock.
    pub now: UnixNanos,
    /// Until when nobody else may send it.
    pub lease_until: UnixNanos,
}

/// What became of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// Pages that the asker may send.
    pub given: Vec<PageKey>,
    /// Another has some of the others, and its lease has not ended: it may yet fail to send them.
    pub elsewhere: bool,
}

/// How a notification ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The channel confirmed it.
    Delivered,
    /// It was given up.
    Dead {
        /// Why, for people.
        reason: String,
    },
    /// An attempt failed; there will be another.
    Retrying {
        /// Why, for people.
        reason: String,
    },
}

/// A notification that was given up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeadLetter {
    /// What was to be told.
    pub notification: Notification,
    /// Attempts made.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When it was given up.
    pub ended_at: UnixNanos,
}

/// Which part of the history to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only alerts that began before this instant.
    pub before: Option<UnixNanos>,
    /// At most so many.
    pub limit: u32,
}

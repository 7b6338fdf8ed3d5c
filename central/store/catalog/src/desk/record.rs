//! What is kept of people's decisions.

use goldentime_model::{Matcher, UnixNanos};
use serde::{Deserialize, Serialize};

/// Alerts that nobody is told of, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its identity; an edit keeps it.
    pub id: String,
    /// All of them match what is silenced.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: UnixNanos,
    /// Until when; later than `starts_at`.
    pub ends_at: UnixNanos,
    /// Who made it or edited it last.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was made or edited last.
    pub edited_at: UnixNanos,
}

/// What somebody did about one episode of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody takes care of it.
    Acknowledged,
    /// Nobody does any more.
    Unacknowledged,
    /// Somebody wrote something down.
    Noted,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Acknowledged, Self::Unacknowledged, Self::Noted];

    /// Name as stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unacknowledged => "unacknowledged",
            Self::Noted => "noted",
        }
    }

    pub(crate) fn read(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One entry of the history of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Its identity.
    pub id: String,
    /// [`goldentime_model::Alert::episode`].
    pub episode: String,
    /// When.
    pub at: UnixNanos,
    /// Who.
    pub by: String,
    /// What.
    pub kind: EventKind,
    /// What they wrote; may be empty.
    pub text: String,
}

/// Somebody takes care of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// [`goldentime_model::Alert::episode`].
    pub episode: String,
    /// Since when.
    pub at: UnixNanos,
    /// Who.
    pub by: String,
}

/// A page that was told, or given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What of the episode, as [`crate::PageKind`] is stored.
    pub what: String,
    /// Over which channel.
    pub channel: String,
    /// When that ended.
    pub at: UnixNanos,
}

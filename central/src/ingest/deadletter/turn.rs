//! Whether replays are this central's to work at.

use goldentime_log::kafka::Tenure;
use tokio::sync::watch;

/// Whose turn it is.
#[derive(Clone)]
pub enum Turn {
    /// Always ours: nobody else has these letters.
    Always,
    /// That of the central which owns the topic of dead letters.
    Owner(watch::Receiver<Option<Tenure>>),
}

impl Turn {
    /// Whether it is ours, as far as anybody can know. A replay that two work at counts once all the same.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Always => true,
            Self::Owner(tenure) => tenure.borrow().as_ref().is_some_and(Tenure::is_current),
        }
    }
}

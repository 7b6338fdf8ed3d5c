//! How others ask the notifier.

use goldentime_model::Alert;

use super::book::Book;
use super::health::{ChannelHealth, Health};

/// What fires and how the channels do. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) book: Book,
    pub(super) channels: Vec<Health>,
}

impl Handle {
    /// Alerts that fire now, oldest first.
    #[must_use]
    pub fn active(&self) -> Vec<Alert> {
        self.book.active()
    }

    /// How each channel does, in the order of the configuration.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelHealth> {
        self.channels.iter().map(Health::read).collect()
    }
}

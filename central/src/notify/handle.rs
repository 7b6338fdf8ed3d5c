//! How others ask the notifier.

use goldentime_catalog::AlertRecord;
use goldentime_model::{Alert, AlertStatus};
use tokio::sync::mpsc;

use super::book::Book;
use super::health::{ChannelHealth, Health};

/// What fires and how the channels do. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) book: Book,
    pub(super) channels: Vec<Health>,
    pub(super) taken_over: mpsc::Sender<AlertRecord>,
}

impl Handle {
    /// Another central told of an alert that it judges. Should this one judge it later, it is known what was told.
    pub fn heard(&self, record: &AlertRecord) {
        match record.alert.status {
            AlertStatus::Firing if self.book.update(&record.alert).is_none() => {
                // A full book forgets what others tell first.
                self.book.enter(AlertRecord { told: true, ..record.clone() });
            }
            AlertStatus::Firing => {}
            AlertStatus::Resolved => drop(self.book.leave(record.alert.fingerprint)),
        }
    }

    /// An alert that this central judges from now on and that fired elsewhere without being told: it is told now,
    /// unless that was done meanwhile.
    pub async fn take_over(&self, record: AlertRecord) {
        // A notifier that ended tells nothing any more; its next run reads the same.
        let _ = self.taken_over.send(record).await;
    }

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

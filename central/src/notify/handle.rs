//! How others ask the notifier.

use goldentime_catalog::{AlertRecord, Notification};
use goldentime_model::{Alert, AlertStatus};
use tokio::sync::mpsc;

use super::book::Book;
use super::health::{ChannelHealth, Health};
use super::others::Delivery;

/// What fires and how the channels do. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) book: Book,
    pub(super) channels: Vec<Health>,
    pub(super) elsewhere: mpsc::Sender<Elsewhere>,
}

/// What comes from other centrals.
#[derive(Debug)]
pub(super) enum Elsewhere {
    /// An alert that is judged here from now on, and that nobody was told of.
    TakenOver(Box<AlertRecord>),
    /// Pages to be sent here.
    Pages(Vec<Notification>),
    /// Pages that this central decided on were delivered.
    Delivered(Delivery),
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
        self.hand(Elsewhere::TakenOver(Box::new(record))).await;
    }

    /// Another central decided on pages and does not send them. Who does not either passes over them.
    pub async fn send(&self, pages: Vec<Notification>) {
        if !self.channels.is_empty() {
            self.hand(Elsewhere::Pages(pages)).await;
        }
    }

    /// Another central delivered pages of alerts that are judged here.
    pub async fn delivered(&self, delivery: Delivery) {
        self.hand(Elsewhere::Delivered(delivery)).await;
    }

    async fn hand(&self, news: Elsewhere) {
        // A notifier that ended tells nothing any more; its next run reads the same.
        let _ = self.elsewhere.send(news).await;
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

//! How others ask the notifier.

use std::sync::Arc;

use goldentime_catalog::{AlertRecord, Catalogue, CatalogueError, Desk, Notification};
use goldentime_model::{Alert, AlertStatus, Labels};
use goldentime_runtime::SharedClock;
use tokio::sync::mpsc;

use super::as_alertmanager;
use super::book::Book;
use super::config::NotifyConfig;
use super::decisions::Decisions;
use super::foreign::Posted;
use super::health::{ChannelHealth, Health};
use super::others::{Delivery, News, Others, WeakOthers};
use super::start::NotifyError;
use super::suppress::{Standing, Suppression};

/// What fires and how the channels do. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) book: Book,
    pub(super) channels: Vec<Health>,
    pub(super) elsewhere: mpsc::Sender<Elsewhere>,
    pub(super) suppression: Suppression,
    /// Whether alerts with these labels are decided on here.
    pub(super) owns: Arc<dyn Fn(&Labels) -> bool + Send + Sync>,
    pub(super) others: WeakOthers,
}

/// Why a command does not know what fires.
#[derive(Debug, thiserror::Error)]
pub enum BesideError {
    /// The catalogue does not answer.
    #[error(transparent)]
    Store(#[from] CatalogueError),
    /// The configuration contradicts itself.
    #[error(transparent)]
    Config(#[from] NotifyError),
}

/// A group that an alert belongs to.
#[derive(Clone, Debug)]
pub struct Grouped {
    /// Its identity.
    pub key: String,
    /// Labels that all of it share.
    pub labels: Labels,
    /// The receiver's name.
    pub receiver: String,
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
    /// Alerts that others found.
    Posted(Vec<Posted>),
}

impl Handle {
    /// One beside a central that runs, for a command: it knows what fires and what people decided, and runs nothing.
    pub async fn beside(
        config: &NotifyConfig,
        catalogue: Arc<dyn Catalogue>,
        desk: Arc<dyn Desk>,
        clock: SharedClock,
    ) -> Result<Self, BesideError> {
        let decisions = Decisions::new(desk, &Others::default(), Arc::clone(&clock));
        decisions.look().await?;
        let suppression = Suppression::new(config, decisions, clock)?;
        for record in catalogue.active_alerts().await? {
            suppression.book.enter(record);
        }
        Ok(Self {
            book: suppression.book.clone(),
            channels: Vec::new(),
            elsewhere: mpsc::channel(1).0,
            suppression,
            owns: Arc::new(|_| false),
            others: WeakOthers::default(),
        })
    }

    /// Another central told of an alert that it judges. Should this one judge it later, it is known what was told.
    pub fn heard(&self, record: &AlertRecord) {
        match record.alert.status {
            AlertStatus::Firing if self.book.update(&record.alert, record.expires_at).is_none() => {
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

    /// Others found alerts. Those that are decided on elsewhere are told there; a word that is lost on the way is said
    /// again by who found them.
    pub async fn post(&self, posted: Vec<Posted>) {
        let (ours, others): (Vec<_>, Vec<_>) = posted.into_iter().partition(|one| (self.owns)(one.labels()));
        if !others.is_empty() {
            self.others.tell(News::Posted(others));
        }
        self.posted_elsewhere(ours).await;
    }

    /// Another central was given alerts; those that are decided on here are told.
    pub async fn posted_elsewhere(&self, mut posted: Vec<Posted>) {
        posted.retain(|one| (self.owns)(one.labels()));
        if !posted.is_empty() {
            self.hand(Elsewhere::Posted(posted)).await;
        }
    }

    /// The groups that an alert is told with.
    #[must_use]
    pub fn groups_of(&self, record: &AlertRecord) -> Vec<Grouped> {
        let branches = self.suppression.routes.of(&record.alert.labels, &record.targets);
        let grouped = branches.into_iter().map(|branch| {
            let labels = branch.group_labels(&record.alert.labels);
            Grouped { key: branch.group_key(&labels), labels, receiver: branch.receiver.clone() }
        });
        grouped.collect()
    }

    /// Routes, inhibition and time intervals as a configuration of Alertmanager.
    #[must_use]
    pub fn alertmanager_config(&self) -> serde_json::Value {
        let routes = &self.suppression.routes;
        as_alertmanager::config(routes.config(), routes)
    }

    /// Names of all receivers.
    #[must_use]
    pub fn receivers(&self) -> Vec<String> {
        let routes = &self.suppression.routes;
        as_alertmanager::receivers(routes.config(), routes).into_iter().collect()
    }

    async fn hand(&self, news: Elsewhere) {
        // A notifier that ended tells nothing any more; its next run reads the same.
        let _ = self.elsewhere.send(news).await;
    }

    /// What people decide about alerts.
    #[must_use]
    pub fn decisions(&self) -> &Decisions {
        &self.suppression.decisions
    }

    /// Who is told of an alert and what keeps them from it, who takes care of it.
    #[must_use]
    pub fn standing(&self, record: &AlertRecord) -> Standing {
        self.suppression.standing(record)
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

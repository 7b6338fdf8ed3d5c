//! What notifiers of centrals that share their work tell each other, over whatever carries it.

use goldentime_catalog::{AlertEvent, AlertRecord, Notification, Silence};
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_model::{Alert, UnixNanos};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::foreign::Posted;

/// What is told.
#[derive(Clone, Debug)]
pub enum News {
    /// An alert that is judged here changed.
    Alert(Box<AlertRecord>),
    /// Pages that this central decided on and does not send. They stand in the catalogue as well.
    Pages(Vec<Notification>),
    /// Pages that another central decided on were delivered here.
    Delivered(Delivery),
    /// Alerts that others found, for those who decide on them.
    Posted(Vec<Posted>),
    /// Somebody made, changed or ended a silence here.
    Silence(Box<Silence>),
    /// Somebody did something about an alert here.
    Event(Box<AlertEvent>),
}

/// A delivery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// What was told.
    pub alerts: Vec<Alert>,
    /// When it was there.
    pub at: UnixNanos,
}

/// The way to other centrals; tells nothing where there are none. Never waits.
#[derive(Clone, Default)]
pub struct Others(Option<mpsc::Sender<News>>);

impl Others {
    /// Tells them through this channel.
    #[must_use]
    pub const fn over(news: mpsc::Sender<News>) -> Self {
        Self(Some(news))
    }

    /// Whether there may be any.
    #[must_use]
    pub const fn exist(&self) -> bool {
        self.0.is_some()
    }

    /// The same way, as long as somebody else keeps it open: who only holds this keeps no central from ending.
    pub(super) fn weak(&self) -> WeakOthers {
        WeakOthers(self.0.as_ref().map(mpsc::Sender::downgrade))
    }

    pub(super) fn tell(&self, news: News) {
        if let Some(others) = &self.0
            && others.try_send(news).is_err()
        {
            metrics::counter!(DROPS_TOTAL, "component" => "members", "reason" => "queue_full").increment(1);
        }
    }
}

/// See [`Others::weak`].
#[derive(Clone, Default)]
pub(super) struct WeakOthers(Option<mpsc::WeakSender<News>>);

impl WeakOthers {
    pub(super) fn tell(&self, news: News) {
        Others(self.0.as_ref().and_then(mpsc::WeakSender::upgrade)).tell(news);
    }
}

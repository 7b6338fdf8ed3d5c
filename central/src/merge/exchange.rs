//! The way between partitions for rules over several services: straight to those that are judged here, by way of
//! the other centrals to the rest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_model::metric_names::DROPS_TOTAL;
use tokio::sync::mpsc;

use crate::evaluate::several::word::Message;

/// Messages that wait for one shard. What is above is dropped and counted: a report that is lost is noticed by its
/// number.
const WAITING_MAX: usize = 1024;

/// Where messages between partitions go. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Exchange {
    here: Arc<Mutex<BTreeMap<u32, mpsc::Sender<Message>>>>,
    elsewhere: Option<mpsc::Sender<Message>>,
}

impl Exchange {
    /// Between the partitions of one central that owns them all.
    #[must_use]
    pub fn within() -> Self {
        Self { here: Arc::default(), elsewhere: None }
    }

    /// Between those of this central and others; gives what is for others.
    #[must_use]
    pub fn between_centrals() -> (Self, mpsc::Receiver<Message>) {
        let (elsewhere, outgoing) = mpsc::channel(WAITING_MAX);
        (Self { here: Arc::default(), elsewhere: Some(elsewhere) }, outgoing)
    }

    /// Messages for the shard of a partition, from now on.
    pub(super) fn subscribe(&self, partition: u32) -> mpsc::Receiver<Message> {
        let (messages, receiver) = mpsc::channel(WAITING_MAX);
        self.lock().insert(partition, messages);
        receiver
    }

    /// The shard of a partition has ended.
    pub(super) fn end(&self, partition: u32) {
        self.lock().remove(&partition);
    }

    /// Sends a message of a partition that is judged here.
    pub fn send(&self, message: Message) {
        let is_for_all = matches!(message, Message::Ask { .. });
        let is_here = self.give(&message);
        if let Some(elsewhere) = self.elsewhere.as_ref().filter(|_| is_for_all || !is_here)
            && elsewhere.try_send(message).is_err()
        {
            drop_message("elsewhere");
        }
    }

    /// Takes a message of another central.
    pub fn heard(&self, message: &Message) {
        self.give(message);
    }

    /// Gives a message to those shards here that it is for; whether there is one.
    fn give(&self, message: &Message) -> bool {
        let shards: Vec<_> = match message {
            Message::Ask { .. } => self.lock().values().cloned().collect(),
            Message::Report(report) => self.lock().get(&report.to).cloned().into_iter().collect(),
        };
        for shard in &shards {
            if shard.try_send(message.clone()).is_err() {
                drop_message("here");
            }
        }
        !shards.is_empty()
    }

    /// Channels: a panic while holding the lock leaves them usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, mpsc::Sender<Message>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn drop_message(reason: &'static str) {
    metrics::counter!(DROPS_TOTAL, "component" => "several", "reason" => reason).increment(1);
}

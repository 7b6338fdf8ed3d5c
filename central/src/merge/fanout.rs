//! The agents' coming and going, told to every shard and to the rule that watches for silent hosts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goldentime_runtime::SharedClock;
use tokio::sync::mpsc;

use crate::evaluate::silence::HostSilence;
use crate::evaluate::transition::Transition;
use crate::ingest::agents::{AgentEvent, AgentIdentity};

/// Room of each shard's queue of agent events. A full one holds the fan-out back, and with it the
/// uplink's events, never its records.
const EVENTS_MAX: usize = 1024;

/// The shards that are told, by partition. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct EventSenders(Arc<Mutex<BTreeMap<u32, mpsc::Sender<AgentEvent>>>>);

impl EventSenders {
    /// Events for the shard of a partition, from now on.
    pub(super) fn subscribe(&self, partition: u32) -> mpsc::Receiver<AgentEvent> {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        self.lock().insert(partition, events);
        receiver
    }

    /// The shard of a partition has ended.
    pub(super) fn end(&self, partition: u32) {
        self.lock().remove(&partition);
    }

    fn all(&self) -> Vec<mpsc::Sender<AgentEvent>> {
        self.lock().values().cloned().collect()
    }

    /// Channels: a panic while holding the lock leaves them usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, mpsc::Sender<AgentEvent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes events from the uplink until it ends and hands each to all `shards`; lets `silence`, where
/// the rule is enabled, page for leases that ended of hosts that are ours to judge.
pub async fn run(
    mut events: mpsc::Receiver<AgentEvent>,
    shards: EventSenders,
    mut silence: Option<HostSilence>,
    is_ours: impl Fn(&AgentIdentity) -> bool + Send,
    transitions: mpsc::Sender<Transition>,
    clock: SharedClock,
) {
    while let Some(event) = events.recv().await {
        for shard in shards.all() {
            // A shard that ended has no use for it.
            let _ = shard.send(event.clone()).await;
        }
        let told = silence.as_mut().and_then(|silence| silence.take(&event, clock.now()));
        if let Some(transition) = told
            && is_ours(event.agent())
            && transitions.send(transition).await.is_err()
        {
            tracing::error!(event = ?event, "the notifier ended before the evaluators; this page is lost");
        }
    }
}

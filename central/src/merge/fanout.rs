//! The agents' coming and going, told to every shard and to the rule that watches for silent hosts.

use goldentime_runtime::SharedClock;
use tokio::sync::mpsc;

use crate::evaluate::silence::HostSilence;
use crate::evaluate::transition::Transition;
use crate::ingest::agents::AgentEvent;

/// Room of each shard's queue of agent events. A full one holds the fan-out back, and with it the
/// uplink's events, never its records.
pub const EVENTS_MAX: usize = 1024;

/// Takes events from the uplink until it ends and hands each to all `shards`; lets `silence`, where
/// the rule is enabled, page for leases that ended.
pub async fn run(
    mut events: mpsc::Receiver<AgentEvent>,
    shards: Vec<mpsc::Sender<AgentEvent>>,
    mut silence: Option<HostSilence>,
    transitions: mpsc::Sender<Transition>,
    clock: SharedClock,
) {
    while let Some(event) = events.recv().await {
        for shard in &shards {
            // A shard that ended has no use for it.
            let _ = shard.send(event.clone()).await;
        }
        let told = silence.as_mut().and_then(|silence| silence.take(&event, clock.now()));
        if let Some(transition) = told
            && transitions.send(transition).await.is_err()
        {
            tracing::error!(event = ?event, "the notifier ended before the evaluators; this page is lost");
        }
    }
}

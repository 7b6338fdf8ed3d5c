//! A task for each partition that a group gives to this central.

use std::collections::HashMap;
use std::future::Future;

use goldentime_log::kafka::{Assigned, GroupEvent, Revoked};
use goldentime_runtime::{TaskKind, Tasks};
use tokio::sync::{mpsc, oneshot};

/// What owners and those who wait for their end are called.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) topic: &'static str,
    pub(super) owner: &'static str,
    pub(super) bring_home: &'static str,
}

/// Owns partitions as the group says, each in a task of its own, until its member ends. A partition that comes back has
/// its next owner once the last one has ended.
pub(super) async fn run<F, Fut>(mut events: mpsc::Receiver<GroupEvent>, tasks: Tasks, names: Names, own: F)
where
    F: Fn(Assigned) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    // Each resolves when its owner has ended.
    let mut held: HashMap<u32, oneshot::Receiver<()>> = HashMap::new();
    while let Some(event) = events.recv().await {
        match event {
            GroupEvent::Assigned(assigned) => {
                let (ended, owned) = oneshot::channel();
                // What was lost a moment ago may come back before its owner has ended.
                let before = held.insert(assigned.partition, owned);
                let owner = own(*assigned);
                tasks.spawn(TaskKind::Station, names.owner, async move {
                    if let Some(before) = before {
                        // An error is its end as well.
                        let _ = before.await;
                    }
                    owner.await;
                    // Whoever waits is told by the end of the channel as well.
                    let _ = ended.send(());
                });
            }
            GroupEvent::Revoked(revoked) => {
                let owned = held.remove(&revoked.partition);
                // Others are revoked at the same time: nobody waits for this one.
                tasks.spawn(TaskKind::Station, names.bring_home, bring_home(owned, revoked));
            }
            GroupEvent::Lost { partition } => {
                tracing::warn!(
                    partition,
                    topic = names.topic,
                    "a partition was lost: this central was not heard of"
                );
            }
        }
    }
}

/// Waits until its owner has ended, and says so.
async fn bring_home(owned: Option<oneshot::Receiver<()>>, revoked: Revoked) {
    if let Some(owned) = owned {
        // An error is the owner's end as well.
        let _ = owned.await;
    }
    revoked.done();
}

//! The task that reads the past of tracks, so that no judgement waits for a database.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use goldentime_series::SeriesStore;
use tokio::sync::mpsc;

use super::history::{Wanted, read};
use super::track::Past;

/// Questions that wait for the reader; further ones wait with those who ask.
pub const ASKS_MAX: usize = 1_024;

/// Pause when nothing can be answered yet.
const PAUSE: Duration = Duration::from_millis(500);

/// A question, and where its answer goes.
pub struct Ask {
    /// What is wanted.
    pub wanted: Wanted,
    /// The partition of the service.
    pub partition: u32,
    /// Log offset up to which history must have come: records beyond it were counted live.
    pub offset: u64,
    /// Whom to answer.
    pub reply: mpsc::Sender<Answer>,
}

/// The past of one track.
pub struct Answer {
    /// What was wanted.
    pub wanted: Wanted,
    /// What there is, by time.
    pub past: Vec<Past>,
}

/// Answers until everybody who asks has ended. A store that does not answer is asked again.
pub async fn run(store: Arc<dyn SeriesStore>, mut asks: mpsc::Receiver<Ask>) {
    let mut waiting: VecDeque<Ask> = VecDeque::new();
    let mut failing = false;
    loop {
        if waiting.is_empty() {
            match asks.recv().await {
                Some(ask) => waiting.push_back(ask),
                None => return,
            }
        }
        while waiting.len() < ASKS_MAX {
            match asks.try_recv() {
                Ok(ask) => waiting.push_back(ask),
                Err(_) => break,
            }
        }
        let (mut answered, mut reached) = (0, BTreeMap::new());
        for _ in 0..waiting.len() {
            let Some(ask) = waiting.pop_front() else { break };
            if ask.reply.is_closed() {
                continue;
            }
            match answer(store.as_ref(), &ask, &mut reached).await {
                Ok(Some(past)) => {
                    answered += 1;
                    // Who asked may have ended.
                    let _ = ask.reply.send(Answer { wanted: ask.wanted, past }).await;
                }
                Ok(None) => waiting.push_back(ask),
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(error = %error.chain(), "budgets wait for history; trying again");
                    }
                    waiting.push_back(ask);
                    break;
                }
            }
            failing = false;
        }
        metrics::gauge!("goldentime_budgets_waiting_for_history").set(waiting.len() as f64);
        if answered == 0 && !waiting.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The past, once history has come far enough.
async fn answer(
    store: &dyn SeriesStore,
    ask: &Ask,
    reached: &mut BTreeMap<u32, u64>,
) -> Result<Option<Vec<Past>>, goldentime_follower::StoreError> {
    let offset = match reached.get(&ask.partition) {
        Some(offset) => *offset,
        None => store.position(ask.partition).await?.map_or(0, |position| position.mark.offset),
    };
    reached.insert(ask.partition, offset);
    if offset < ask.offset {
        return Ok(None);
    }
    read(store, &ask.wanted).await.map(Some)
}

//! Writing cells: who may, over which link, and what became of it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use ::redis::Value;
use goldentime_model::Second;
use goldentime_model::metric_names::DROPS_TOTAL;
use tokio::time::Instant;

use super::address::Address;
use super::failure::Failure;
use super::guard::{Claim, Guard};
use super::index::{self, Additions};
use super::job::CellWrite;
use super::keys;
use super::link::{Answer, Link};
use super::nodes::REDIRECTS_MAX;
use super::shared::Shared;
use crate::store::{CellKey, StoredCell, Tier};

/// A put that was queued: what is left is to see what became of it.
pub(super) struct Put {
    parts: Vec<Part>,
    additions: Additions,
    first_failure: Option<Failure>,
}

/// What went over one link.
struct Part {
    link: Arc<Link>,
    cells: Arc<[CellWrite]>,
    keys: Vec<CellKey>,
    answer: Answer,
}

/// The cells that go to one node.
type ToNode = (Arc<Link>, Vec<(CellKey, CellWrite)>);

/// Cells by the node that they go to.
#[derive(Default)]
struct ByNode(HashMap<Address, ToNode>);

impl ByNode {
    fn add(&mut self, link: Arc<Link>, key: CellKey, write: CellWrite) {
        self.0.entry(link.address().clone()).or_insert_with(|| (link, Vec::new())).1.push((key, write));
    }

    fn holds(&self, key: &CellKey, partition: u32) -> bool {
        let mut cells = self.0.values().flat_map(|(_, cells)| cells);
        cells.any(|(held, write)| held == key && write.partition == partition)
    }
}

impl Shared {
    /// Queues cells in the order of the calls, before anything is waited for.
    pub(super) fn begin_put(&self, cells: Vec<StoredCell>) -> Put {
        let mut sweep = false;
        for cell in cells.iter().filter(|cell| cell.key.tier == Tier::OneSecond) {
            sweep |= self.watermarks.advance(cell.partition, cell.key.start);
        }
        let horizon = self.watermarks.horizon();
        let mut put = Put { parts: Vec::new(), additions: Additions::default(), first_failure: None };
        let mut by_node = ByNode::default();
        // Held until everything is queued: a newer state of a cell comes later on every connection.
        let mut guard = self.guard();
        if sweep {
            guard.sweep(&horizon);
        }
        for cell in cells {
            if horizon.has_expired(cell.partition, cell.key.tier, cell.key.start) {
                refuse("expired");
                continue;
            }
            match guard.claim(&cell) {
                Claim::Have => continue,
                Claim::Full => {
                    refuse("cells_max");
                    continue;
                }
                // Where it is this put that overtakes, its answer is this cell's as well.
                Claim::Overtaken => {
                    if !by_node.holds(&cell.key, cell.partition) {
                        put.first_failure.get_or_insert(Failure::Overtaken);
                    }
                    continue;
                }
                Claim::Write => {}
            }
            let key = keys::of_cell(&cell.key);
            match self.nodes.of_key(&key) {
                Ok(link) => {
                    let until = index::kept_until(&cell.key);
                    if guard.extends_index(&cell.key.service, cell.partition, until) {
                        put.additions.add_service(cell.partition, &cell.key.service, until);
                    }
                    let write = CellWrite {
                        key: key.into(),
                        partition: cell.partition,
                        offset: cell.offset,
                        blob: cell.blob,
                        ttl_s: cell.key.tier.retention_s(),
                        asking: false,
                    };
                    by_node.add(link, cell.key, write);
                }
                Err(failure) => drop(put.first_failure.get_or_insert(failure)),
            }
        }
        for (partition, second) in horizon.iter() {
            if guard.extends_watermark(partition, second) {
                put.additions.add_watermark(partition, second);
            }
        }
        put.submit(by_node);
        put
    }

    /// Sees what became of a put, and follows slots that have moved.
    pub(super) async fn finish_put(&self, mut put: Put) -> Result<(), Failure> {
        let until = Instant::now() + self.nodes.common.write_timeout();
        let indexed =
            async { if put.additions.is_empty() { Ok(()) } else { put.additions.write(&self.nodes).await } };
        let parts = std::mem::take(&mut put.parts);
        let (indexed, mut moved) = tokio::join!(indexed, self.settle(parts, until, &mut put.first_failure));
        match indexed {
            Ok(()) => self.note_indexed(&put.additions),
            Err(failure) => drop(put.first_failure.get_or_insert(failure)),
        }
        for _ in 0..REDIRECTS_MAX {
            if moved.0.is_empty() {
                break;
            }
            let mut again = Put { parts: Vec::new(), additions: Additions::default(), first_failure: None };
            {
                let guard = self.guard();
                for (_, cells) in moved.0.values_mut() {
                    cells.retain(|(key, write)| {
                        let newest = guard.is_newest(key, write);
                        if !newest {
                            put.first_failure.get_or_insert(Failure::Overtaken);
                        }
                        newest
                    });
                }
                again.submit(moved);
            }
            put.first_failure = put.first_failure.or(again.first_failure);
            moved = self.settle(again.parts, until, &mut put.first_failure).await;
        }
        if !moved.0.is_empty() {
            put.first_failure.get_or_insert(Failure::Unrouted);
        }
        put.first_failure.map_or(Ok(()), Err)
    }

    /// Waits for the answers; gives the cells whose slot is elsewhere.
    async fn settle(&self, parts: Vec<Part>, until: Instant, first: &mut Option<Failure>) -> ByNode {
        let mut moved = ByNode::default();
        for part in parts {
            let answers = match part.answer.wait(until).await {
                Ok(answers) => answers,
                Err(failure) => {
                    first.get_or_insert(failure);
                    continue;
                }
            };
            let mut put: HashMap<u32, Second> = HashMap::new();
            let mut guard = self.guard();
            for ((key, write), answer) in part.keys.into_iter().zip(part.cells.iter()).zip(answers) {
                let Value::ServerError(error) = &answer else {
                    guard.answered(&key, write.partition, write.offset);
                    if key.tier == Tier::OneSecond {
                        let newest = put.entry(write.partition).or_insert(key.start);
                        *newest = (*newest).max(key.start);
                    }
                    continue;
                };
                match Failure::of_answer(part.link.address(), error) {
                    Failure::Moved(redirect) => {
                        let link = self.nodes.follow(&write.key, &redirect);
                        moved.add(link, key, CellWrite { asking: redirect.ask, ..write.clone() });
                    }
                    _ if error.code() == "WRONGTYPE" => {
                        first.get_or_insert(Failure::Foreign(write.key.to_string()));
                    }
                    failure => drop(first.get_or_insert(failure)),
                }
            }
            drop(guard);
            for (partition, newest) in put {
                self.sentinels.was_put(partition, newest);
            }
        }
        moved
    }

    fn note_indexed(&self, additions: &Additions) {
        let mut guard = self.guard();
        for (service, partition, until) in additions.services() {
            guard.indexed(service, partition, until);
        }
        for (partition, second) in additions.watermarks() {
            guard.watermark_indexed(partition, second);
        }
    }

    /// Each entry is replaced whole: a panic while holding the lock leaves every one as it was or new.
    pub(super) fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Put {
    fn submit(&mut self, by_node: ByNode) {
        for (link, cells) in by_node.0.into_values() {
            let (keys, cells): (Vec<CellKey>, Vec<CellWrite>) = cells.into_iter().unzip();
            let cells: Arc<[CellWrite]> = cells.into();
            match link.submit(Arc::clone(&cells)) {
                Ok(answer) => self.parts.push(Part { link, cells, keys, answer }),
                Err(failure) => drop(self.first_failure.get_or_insert(failure)),
            }
        }
    }
}

fn refuse(reason: &'static str) {
    metrics::counter!(DROPS_TOTAL, "component" => "windows", "reason" => reason).increment(1);
}

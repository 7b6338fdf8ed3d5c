//! A step: its lines first, each under its identity; then its position.

use std::collections::HashSet;

use goldentime_follower::{Advance, Committed, StoreError};
use goldentime_model::metric_names::DROPS_TOTAL;
use serde_json::{Value, json};

use super::ElasticLogs;
use super::bulk::{Bulk, Refused};
use super::document::Writer;
use super::layout::{self, Kind};
use super::position::Held;
use crate::line::NewLine;
use crate::store::Rejected;

/// Identities that are looked for in one request.
const IDS_PER_REQUEST: usize = 1000;

/// What a store knows of a partition while it writes it.
#[derive(Default)]
pub(super) struct Partition {
    held: Held,
    /// Newest line of the partition when its position was read: no line after it was stored before.
    newest: Option<i64>,
}

impl ElasticLogs {
    pub(super) async fn store(&self, lines: &[NewLine], advance: &Advance) -> Result<Committed, StoreError> {
        let kind = self.session().await?;
        let slot = self.partition(advance.partition);
        let mut slot = slot.lock().await;
        // Taken out: a call that fails or is dropped leaves what it knew in doubt.
        let mut partition = match slot.take() {
            Some(known)
                if known.held.mark == advance.from
                    && self.is_current(&known.held, advance.partition).await? =>
            {
                known
            }
            _ => self.open_partition(kind, advance.partition).await?,
        };
        if partition.held.mark != advance.from {
            *slot = Some(partition);
            return Ok(Committed::Stale);
        }
        let oldest = advance.log_time.0.saturating_sub(self.config.retention_ns());
        let rejected = self.write_lines(kind, &partition, lines, oldest, advance.partition).await?;
        let old = lines.iter().filter(|line| line.record.at.0 < oldest).count() as u64;
        let dropped = old + rejected.len() as u64;
        if !rejected.is_empty() {
            self.hand_over(lines, rejected).await?;
        }
        let all = lines.len() as u64;
        let Some(held) = self.store_position(&partition.held, advance, all).await? else {
            return Ok(Committed::Stale);
        };
        partition.held = held;
        *slot = Some(partition);
        Ok(Committed::Done { rows: all - dropped, dropped })
    }

    async fn hand_over(&self, lines: &[NewLine], refused: Vec<Refused>) -> Result<(), StoreError> {
        let rejected: Vec<_> = refused
            .into_iter()
            .map(|Refused { line, reason }| Rejected { line: lines[line].clone(), reason })
            .collect();
        self.rejects.take(&rejected).await?;
        metrics::counter!(DROPS_TOTAL, "component" => "logs", "reason" => "rejected")
            .increment(rejected.len() as u64);
        Ok(())
    }

    async fn open_partition(&self, kind: Kind, partition: u32) -> Result<Partition, StoreError> {
        let held = self.load(partition).await?;
        let newest = match kind {
            Kind::Stream { .. } => self.newest_of(partition).await?,
            // What is stored again lands in the same index and replaces itself.
            Kind::Dated { .. } => None,
        };
        Ok(Partition { held, newest })
    }

    /// Writes lines in requests of bounded size, one after the other.
    async fn write_lines(
        &self,
        kind: Kind,
        partition: &Partition,
        lines: &[NewLine],
        oldest: i64,
        number: u32,
    ) -> Result<Vec<Refused>, StoreError> {
        let stored = self.already_stored(partition, lines).await?;
        let (mut bulk, mut writer, mut refused) = (Bulk::default(), Writer::default(), Vec::new());
        let mut old = 0;
        for (at, line) in lines.iter().enumerate() {
            if line.record.at.0 < oldest {
                old += 1;
                continue;
            }
            let id = line.identity.to_string();
            if stored.contains(&id) {
                continue;
            }
            let index = kind.index_of(&self.names, line.record.at.0);
            self.make_sure_of(kind, &index).await?;
            let place = partition.held.lines + 1 + at as u64;
            bulk.add(at, kind.operation(), &index, &id, |out| writer.write(line, number, place, out));
            if bulk.is_full(&self.config) {
                refused.extend(self.send(std::mem::take(&mut bulk)).await?);
            }
        }
        if !bulk.is_empty() {
            refused.extend(self.send(bulk).await?);
        }
        if old > 0 {
            metrics::counter!(DROPS_TOTAL, "component" => "logs", "reason" => "older_than_retention")
                .increment(old);
        }
        Ok(refused)
    }

    async fn send(&self, bulk: Bulk) -> Result<Vec<Refused>, StoreError> {
        // The semaphore is never closed.
        let _turn = self.bulks.acquire().await.ok();
        bulk.send(&self.http, self.config.busy_timeout(), &self.place).await
    }

    /// Makes an index when its first line comes.
    async fn make_sure_of(&self, kind: Kind, index: &str) -> Result<(), StoreError> {
        if self.knows(index) {
            return Ok(());
        }
        let made = layout::make_lines(&self.http, &self.config, &self.names, kind, index).await;
        made.map_err(|failure| failure.of(&self.place, "make an index of lines"))?;
        self.note(index);
        Ok(())
    }

    /// Which of these lines a data stream holds already, by id: there a line that is stored again after a
    /// rollover would be there twice.
    async fn already_stored(
        &self,
        partition: &Partition,
        lines: &[NewLine],
    ) -> Result<HashSet<String>, StoreError> {
        let Some(newest) = partition.newest else { return Ok(HashSet::new()) };
        let suspects = lines.iter().filter(|line| line.record.at.0 <= newest);
        let ids: Vec<_> = suspects.map(|line| line.identity.to_string()).collect();
        let mut stored = HashSet::new();
        if !ids.is_empty() {
            self.refresh().await?;
        }
        for ids in ids.chunks(IDS_PER_REQUEST) {
            let body = json!({
                "size": ids.len(),
                "_source": false,
                "track_total_hits": false,
                "query": {"ids": {"values": ids}},
            });
            stored.extend(self.search_for(&body).await?.hits.hits.into_iter().map(|hit| hit.id));
        }
        Ok(stored)
    }

    async fn newest_of(&self, partition: u32) -> Result<Option<i64>, StoreError> {
        Ok(self.last_by(partition, "at").await?.and_then(|value| value.as_i64()))
    }

    /// The last place that was given to a line of a partition.
    pub(super) async fn last_place(&self, partition: u32) -> Result<u64, StoreError> {
        Ok(self.last_by(partition, "place").await?.and_then(|value| value.as_u64()).unwrap_or(0))
    }

    async fn last_by(&self, partition: u32, field: &str) -> Result<Option<Value>, StoreError> {
        self.refresh().await?;
        let body = json!({
            "size": 1,
            "_source": false,
            "track_total_hits": false,
            "sort": [{field: "desc"}],
            "query": {"term": {"partition": partition}},
        });
        let found = self.search_for(&body).await?.hits.hits.into_iter().next();
        Ok(found.and_then(|hit| hit.sort.into_iter().next()))
    }
}

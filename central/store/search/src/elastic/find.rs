//! Searches: candidates from the newest on, a page at a time, each looked at.

use goldentime_follower::StoreError;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ElasticLogs;
use super::ask;
use super::document::{self, sort_values};
use super::error::Failure;
use crate::line::{Line, LineId};
use crate::page::{self, Context, Page, PageRequest};
use crate::query::{Query, ServicePattern};

/// Searches at the same time; others wait.
pub(super) const SEARCHES_MAX: usize = 4;
/// Lines that are fetched together, at first and at most.
const FETCH_FIRST: usize = 100;
const FETCH_MAX: usize = 2000;
/// What one fetch may bring, about, in bytes: lines are counted by the size of those before.
const FETCH_BYTES: usize = 4 << 20;

/// Which way through the order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Back,
    Forth,
}

/// Lines of the server that meet conditions, in order.
pub(super) struct Walk<'a> {
    store: &'a ElasticLogs,
    query: Value,
    way: Way,
    after: Option<LineId>,
    size: usize,
    is_at_end: bool,
    pub(super) damaged: u64,
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

#[derive(Deserialize)]
pub(super) struct Found {
    #[serde(rename = "_shards")]
    pub(super) shards: Shards,
    pub(super) hits: Hits,
    #[serde(default)]
    pub(super) aggregations: Value,
}

#[derive(Deserialize)]
pub(super) struct Shards {
    pub(super) failed: u64,
}

#[derive(Deserialize)]
pub(super) struct Hits {
    #[serde(default)]
    pub(super) total: Total,
    pub(super) hits: Vec<Hit>,
}

#[derive(Default, Deserialize)]
pub(super) struct Total {
    pub(super) value: u64,
}

#[derive(Deserialize)]
pub(super) struct Hit {
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(rename = "_source", default)]
    pub(super) source: Value,
    #[serde(default)]
    pub(super) sort: Vec<Value>,
}

impl<'a> Walk<'a> {
    /// Begins beyond `after`, or at the end of the order.
    pub(super) fn new(store: &'a ElasticLogs, query: Value, way: Way, after: Option<LineId>) -> Self {
        let (size, is_at_end) = (FETCH_FIRST, false);
        Self { store, query, way, after, size, is_at_end, damaged: 0, lines: 0, bytes: 0 }
    }

    /// Further lines; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Line>>, StoreError> {
        if self.is_at_end {
            return Ok(None);
        }
        let found = self.fetch().await?;
        self.damaged = self.damaged.max(found.shards.failed);
        self.is_at_end = found.hits.hits.len() < self.size;
        let mut lines = Vec::with_capacity(found.hits.hits.len());
        for hit in &found.hits.hits {
            let Some(place) = place_of(hit) else {
                self.damaged += 1;
                continue;
            };
            // The same line in two indices of a data stream, after a repeat that met a rollover.
            let is_repeat = self.after == Some(place);
            self.after = Some(place);
            self.lines += 1;
            match document::read(&hit.source) {
                Some(line) if !is_repeat => {
                    self.bytes += line.weight();
                    lines.push(line);
                }
                Some(_) => {}
                None => self.damaged += 1,
            }
        }
        let usual = (self.bytes / self.lines.max(1)).max(1);
        self.size = (self.size * 2).min(FETCH_MAX).min((FETCH_BYTES / usual).max(10));
        Ok(Some(lines))
    }

    /// Asks for as many lines as an answer has room for.
    async fn fetch(&mut self) -> Result<Found, StoreError> {
        let direction = if self.way == Way::Back { "desc" } else { "asc" };
        let mut body = json!({
            "track_total_hits": false,
            "sort": [{"at": direction}, {"partition": direction}, {"place": direction}],
            "query": self.query,
        });
        if let Some(after) = &self.after {
            body["search_after"] = json!(sort_values(after));
        }
        loop {
            body["size"] = json!(self.size);
            match self.store.try_search(&body).await {
                Err(Failure::TooLarge(_)) if self.size > 1 => self.size = (self.size / 8).max(1),
                answered => return answered.map_err(|failure| failure.of(&self.store.place, "search")),
            }
        }
    }

    /// Where it stands, unless everything was read.
    pub(super) const fn place(&self) -> Option<LineId> {
        if self.is_at_end { None } else { self.after }
    }
}

fn place_of(hit: &Hit) -> Option<LineId> {
    let [at, partition, place] = &hit.sort[..] else { return None };
    let partition = u32::try_from(partition.as_u64()?).ok()?;
    Some(document::line_id(at.as_i64()?, partition, place.as_u64()?))
}

impl ElasticLogs {
    pub(super) async fn find(&self, query: Query, page: PageRequest) -> Result<Page, StoreError> {
        let _turn = self.turn().await;
        self.session().await?;
        // Everything that was there at the first page can be found since then.
        if page.before.is_none() {
            self.refresh().await?;
        }
        let limit = page.limit.clamp(1, page::LINES_MAX) as usize;
        let mut walk = Walk::new(self, ask::all_of(&ask::filters(&query)), Way::Back, page.before);
        let (mut lines, mut bytes): (Vec<Line>, usize) = (Vec::new(), 0);
        let next = 'found: loop {
            let Some(candidates) = walk.next().await? else { break None };
            for line in candidates {
                if !query.matches(&line.service, &line.host, &line.record) {
                    continue;
                }
                let line_bytes = line.weight();
                if bytes + line_bytes > page::PAGE_BYTES_MAX && !lines.is_empty() {
                    break 'found lines.last().map(|line| line.id);
                }
                bytes += line_bytes;
                lines.push(line);
                if lines.len() >= limit {
                    break 'found lines.last().map(|line| line.id);
                }
            }
            let has_read_much = walk.lines >= self.limits.lines || walk.bytes >= self.limits.bytes;
            if has_read_much && walk.place().is_some() {
                break walk.place();
            }
            // Alerts do not wait for searches.
            tokio::task::yield_now().await;
        };
        Ok(Page { lines, next, damaged: walk.damaged })
    }

    pub(super) async fn around(
        &self,
        id: LineId,
        before: u32,
        after: u32,
    ) -> Result<Option<Context>, StoreError> {
        let _turn = self.turn().await;
        self.session().await?;
        self.refresh().await?;
        let (at, partition, place) = sort_values(&id);
        // No place is as large; the server's numbers are signed.
        let Ok(place) = i64::try_from(place) else { return Ok(None) };
        let itself = [("at", json!(at)), ("partition", json!(partition)), ("place", json!(place))]
            .map(|(field, value)| json!({"term": {field: value}}));
        let mut found = Walk::new(self, ask::all_of(&itself), Way::Back, None);
        let Some(line) = found.next().await?.and_then(|mut lines| lines.pop()) else { return Ok(None) };
        let near = ask::filters(&Query {
            service: Some(ServicePattern::from(&line.service)),
            host: Some(line.host.to_string()),
            ..Query::default()
        });
        let mut lines = self.gather(&near, Way::Back, id, before).await?;
        lines.reverse();
        let focus = lines.len();
        lines.push(line);
        lines.extend(self.gather(&near, Way::Forth, id, after).await?);
        Ok(Some(Context { lines, focus }))
    }

    /// Up to so many lines beyond one, and not much more text than a page has.
    async fn gather(
        &self,
        near: &[Value],
        way: Way,
        from: LineId,
        count: u32,
    ) -> Result<Vec<Line>, StoreError> {
        let limit = count.min(page::LINES_MAX) as usize;
        let mut walk = Walk::new(self, ask::all_of(near), way, Some(from));
        let mut lines: Vec<Line> = Vec::new();
        while lines.len() < limit && walk.bytes < page::PAGE_BYTES_MAX {
            let Some(found) = walk.next().await? else { break };
            lines.extend(found);
        }
        lines.truncate(limit);
        Ok(lines)
    }

    /// Makes everything that was written until now visible.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let path = format!("/{}/_refresh?ignore_unavailable=true", self.names.lines);
        let refreshed: Result<Value, _> = self.http.get(Method::POST, &path, None).await;
        refreshed.map(drop).map_err(|failure| failure.of(&self.place, "make new lines visible"))
    }

    pub(super) async fn search_for(&self, body: &Value) -> Result<Found, StoreError> {
        self.try_search(body).await.map_err(|failure| failure.of(&self.place, "search"))
    }

    async fn try_search(&self, body: &Value) -> Result<Found, Failure> {
        let path = format!("/{}/_search?ignore_unavailable=true", self.names.lines);
        self.http.get(Method::POST, &path, Some(body)).await
    }
}

//! Drops what is old, an index at a time, and says what there is.

use std::collections::HashMap;

use goldentime_follower::StoreError;
use goldentime_model::UnixNanos;
use reqwest::Method;
use serde_json::{Value, json};

use super::ElasticLogs;
use super::client::Body;
use super::error::Failure;
use super::layout::Kind;
use crate::store::{Dropped, StoreStats};

/// Indices that are told apart in one answer.
const INDICES_MAX: u32 = 10_000;
/// Where the server has no lifecycles, a data stream's index gets no more lines after this time or size.
const ROLLOVER: [(&str, &str); 2] = [("max_age", "1d"), ("max_size", "25gb")];

/// An index of lines.
struct Piece {
    index: String,
    lines: u64,
    bytes: u64,
    /// First millisecond after its newest line.
    end_ms: Option<i64>,
}

impl ElasticLogs {
    pub(super) async fn drop_old(&self, before: UnixNanos, bytes_max: u64) -> Result<Dropped, StoreError> {
        let kind = self.session().await?;
        if kind == (Kind::Stream { has_lifecycle: false }) {
            self.roll_over(Some(json!({"conditions": ROLLOVER.into_iter().collect::<HashMap<_, _>>()})))
                .await?;
        }
        let mut pieces = self.pieces().await?;
        let is_old = |piece: &Piece| piece.end_ms.is_some_and(|end| end <= before.as_millis());
        // A data stream lets go of the index that it writes to only once there is another.
        let mut written = match kind {
            Kind::Stream { .. } => self.written_to().await?,
            Kind::Dated { .. } => None,
        };
        if pieces.iter().any(|piece| written.as_ref() == Some(&piece.index) && is_old(piece)) {
            self.roll_over(None).await?;
            written = None;
        }
        let mut dropped = Dropped::default();
        pieces.sort_by(|a, b| (a.end_ms, &a.index).cmp(&(b.end_ms, &b.index)));
        let mut total: u64 = pieces.iter().map(|piece| piece.bytes).sum();
        let count = pieces.len();
        for (at, piece) in pieces.iter().enumerate() {
            let is_kept = at + 1 == count || written.as_ref() == Some(&piece.index);
            if !is_old(piece) && (total <= bytes_max || is_kept || piece.end_ms.is_none()) {
                continue;
            }
            self.drop_index(&piece.index).await?;
            total -= piece.bytes;
            dropped.lines += piece.lines;
            dropped.bytes += piece.bytes;
            dropped.lines_for_room += if is_old(piece) { 0 } else { piece.lines };
        }
        Ok(dropped)
    }

    pub(super) async fn measure(&self) -> Result<StoreStats, StoreError> {
        self.session().await?;
        self.refresh().await?;
        let body = json!({
            "size": 1,
            "track_total_hits": true,
            "_source": false,
            "sort": [{"at": "asc"}],
            "aggs": {"bytes": {"sum": {"field": "bytes"}}},
        });
        let found = self.search_for(&body).await?;
        let oldest = found.hits.hits.first().and_then(|hit| hit.sort.first()?.as_i64());
        Ok(StoreStats {
            lines: found.hits.total.value,
            text_bytes: found.aggregations["bytes"]["value"].as_f64().unwrap_or(0.0) as u64,
            disk_bytes: self.sizes().await?.values().sum(),
            oldest: oldest.map(UnixNanos),
            set_aside: found.shards.failed,
        })
    }

    /// All indices of lines.
    async fn pieces(&self) -> Result<Vec<Piece>, StoreError> {
        self.refresh().await?;
        let body = json!({
            "size": 0,
            "track_total_hits": false,
            "aggs": {"by_index": {
                "terms": {"field": "_index", "size": INDICES_MAX},
                "aggs": {"newest": {"max": {"field": "@timestamp"}}},
            }},
        });
        let found = self.search_for(&body).await?;
        let about: HashMap<&str, &Value> = found.aggregations["by_index"]["buckets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|bucket| Some((bucket["key"].as_str()?, bucket)))
            .collect();
        let piece = |(index, bytes): (String, u64)| {
            let about = about.get(index.as_str());
            let lines = about.and_then(|about| about["doc_count"].as_u64()).unwrap_or(0);
            // In whole milliseconds, rounded down.
            let newest = about.and_then(|about| about["newest"]["value"].as_f64());
            Piece { index, lines, bytes, end_ms: newest.map(|newest| newest as i64 + 1) }
        };
        Ok(self.sizes().await?.into_iter().map(piece).collect())
    }

    /// Bytes on disk, with all copies, by index.
    async fn sizes(&self) -> Result<HashMap<String, u64>, StoreError> {
        let path = format!(
            "/{}/_stats/store?ignore_unavailable=true&filter_path=indices.*.total.store.size_in_bytes",
            self.names.lines
        );
        let found = match self.http.ask(Method::GET, &path, None).await {
            Ok(answer) if answer.status == 404 => Ok(Value::Null),
            Ok(answer) => answer.read::<Value>(),
            Err(failure) => Err(failure),
        };
        let found = found.map_err(|failure| failure.of(&self.place, "ask for sizes"))?;
        let size = |(index, about): (&String, &Value)| {
            (index.clone(), about["total"]["store"]["size_in_bytes"].as_u64().unwrap_or(0))
        };
        Ok(found["indices"].as_object().into_iter().flatten().map(size).collect())
    }

    async fn drop_index(&self, index: &str) -> Result<(), StoreError> {
        let answer = self.http.ask(Method::DELETE, &format!("/{index}"), None).await;
        self.forget(index);
        match answer {
            // Another central was faster.
            Ok(answer) if answer.status == 404 || (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(answer.failure()),
            Err(failure) => Err(failure),
        }
        .map_err(|failure| failure.of(&self.place, "drop an index"))
    }

    /// Begins another index of the data stream: at once, or on conditions.
    async fn roll_over(&self, conditions: Option<Value>) -> Result<(), StoreError> {
        let path = format!("/{}/_rollover", self.names.lines);
        let rolled = match self.http.ask(Method::POST, &path, conditions.as_ref().map(Body::Json)).await {
            Ok(answer) if answer.status == 404 => Ok(()),
            Ok(answer) => answer.read::<Value>().map(drop),
            Err(failure) => Err(failure),
        };
        rolled.map_err(|failure| failure.of(&self.place, "roll a data stream over"))
    }

    /// The index that the data stream writes to.
    async fn written_to(&self) -> Result<Option<String>, StoreError> {
        let failed = |failure: Failure| failure.of(&self.place, "ask for the data stream");
        let path = format!("/_data_stream/{}", self.names.lines);
        let answer = self.http.ask(Method::GET, &path, None).await.map_err(failed)?;
        if answer.status == 404 {
            return Ok(None);
        }
        let found: Value = answer.read().map_err(failed)?;
        let last = found["data_streams"][0]["indices"].as_array().and_then(|indices| indices.last());
        Ok(last.and_then(|index| index["index_name"].as_str()).map(str::to_owned))
    }
}

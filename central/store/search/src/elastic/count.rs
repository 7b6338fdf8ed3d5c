//! Histograms: counted by the server where its index knows all, else line by line.

use goldentime_follower::StoreError;
use serde_json::{Value, json};

use super::ElasticLogs;
use super::ask;
use super::find::{Walk, Way};
use crate::level::{Level, Levels};
use crate::page::{Histogram, Span};
use crate::query::Query;

impl ElasticLogs {
    pub(super) async fn count(&self, query: Query, span: Span) -> Result<Histogram, StoreError> {
        let query = Query { from: span.from, until: span.until(), ..query };
        let _turn = self.turn().await;
        self.session().await?;
        self.refresh().await?;
        match ask::is_exact(&query) {
            true => self.count_by_index(&query, span).await,
            false => self.count_by_line(&query, span).await,
        }
    }

    async fn count_by_index(&self, query: &Query, span: Span) -> Result<Histogram, StoreError> {
        // The server's own histograms count in milliseconds or in floating point.
        let bounds: Vec<_> = (0..i64::from(span.buckets))
            .map(|bucket| {
                let from = span.from.saturating_add(span.width_ns.saturating_mul(bucket));
                let until = from.saturating_add(span.width_ns);
                json!({"range": {"at": {"gte": from.0, "lt": until.0}}})
            })
            .collect();
        let body = json!({
            "size": 0,
            "track_total_hits": false,
            "query": ask::all_of(&ask::filters(query)),
            "aggs": {"over_time": {
                "filters": {"filters": bounds},
                "aggs": {"errors": {"filter": ask::errors()}},
            }},
        });
        let found = self.search_for(&body).await?;
        let mut histogram = Histogram::empty(span);
        histogram.damaged = found.shards.failed;
        let counted = found.aggregations["over_time"]["buckets"].as_array();
        for (bucket, counted) in histogram.buckets.iter_mut().zip(counted.into_iter().flatten()) {
            bucket.lines = counted["doc_count"].as_u64().unwrap_or(0);
            bucket.errors = counted["errors"]["doc_count"].as_u64().unwrap_or(0);
        }
        Ok(histogram)
    }

    async fn count_by_line(&self, query: &Query, span: Span) -> Result<Histogram, StoreError> {
        let mut asked = ask::all_of(&ask::filters(query));
        let stride = self.stride(&asked).await?;
        if stride > 1 {
            asked = sample(&asked, stride);
        }
        let mut histogram = Histogram::empty(span);
        histogram.is_approximate = stride > 1;
        let errors = Levels::at_least(Level::Error);
        let mut walk = Walk::new(self, asked, Way::Back, None);
        while let Some(lines) = walk.next().await? {
            for line in lines {
                if !query.matches(&line.service, &line.host, &line.record) {
                    continue;
                }
                let Some(bucket) = span.bucket_of(line.record.at) else { continue };
                histogram.buckets[bucket].lines += stride;
                if errors.meets(Levels::of(&line.record.level)) {
                    histogram.buckets[bucket].errors += stride;
                }
            }
            tokio::task::yield_now().await;
        }
        histogram.damaged = walk.damaged;
        Ok(histogram)
    }

    /// Which part of the candidates can be looked at: all, or one of so many.
    async fn stride(&self, asked: &Value) -> Result<u64, StoreError> {
        let body = json!({
            "size": 0,
            "track_total_hits": true,
            "query": asked,
            "aggs": {"bytes": {"sum": {"field": "bytes"}}},
        });
        let found = self.search_for(&body).await?;
        let bytes = found.aggregations["bytes"]["value"].as_f64().unwrap_or(0.0) as u64;
        let by_lines = found.hits.total.value.div_ceil(self.limits.lines as u64);
        Ok(by_lines.max(bytes.div_ceil(self.limits.bytes as u64)).max(1))
    }
}

/// One line of `stride`, by chance; the same lines each time.
fn sample(asked: &Value, stride: u64) -> Value {
    json!({"function_score": {
        "query": asked,
        "random_score": {"seed": 1, "field": "_seq_no"},
        "boost_mode": "replace",
        "min_score": 1.0 - 1.0 / stride as f64,
    }})
}

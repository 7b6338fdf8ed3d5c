//! Requests that write lines: bounded in items and bytes, waiting where the server says to.

use std::ops::Range;
use std::time::Duration;

use goldentime_follower::StoreError;
use reqwest::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::client::{Body, Http};
use super::config::ElasticConfig;
use super::error::{Failure, Told};

/// First and longest wait for a server that takes no writes at present.
const WAIT_FIRST: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// One request's worth of lines.
#[derive(Default)]
pub(super) struct Bulk {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

struct Item {
    /// Place of the line among those that are stored.
    line: usize,
    bytes: Range<usize>,
}

/// A line that the server will never take.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) line: usize,
    pub(super) reason: String,
}

#[derive(Deserialize)]
struct Outcome {
    errors: bool,
    #[serde(default)]
    items: Vec<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Default, Deserialize)]
struct ItemOutcome {
    status: u16,
    #[serde(default)]
    error: Told,
}

impl Bulk {
    /// Whether nothing more should be added.
    pub(super) fn is_full(&self, config: &ElasticConfig) -> bool {
        self.items.len() >= config.bulk_lines_max as usize
            || self.bytes.len() as u64 >= config.bulk_bytes_max.get()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a line; `write` appends its document.
    pub(super) fn add(
        &mut self,
        line: usize,
        operation: &str,
        index: &str,
        id: &str,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let from = self.bytes.len();
        // Names of indices and ids of lines hold nothing that JSON would escape.
        let header = format!("{{\"{operation}\":{{\"_index\":\"{index}\",\"_id\":\"{id}\"}}}}\n");
        self.bytes.extend_from_slice(header.as_bytes());
        write(&mut self.bytes);
        self.bytes.push(b'\n');
        self.items.push(Item { line, bytes: from..self.bytes.len() });
    }

    /// The lines at these places in the request.
    fn only(&self, places: &[usize]) -> Self {
        let mut part = Self::default();
        for item in places.iter().map(|place| &self.items[*place]) {
            let from = part.bytes.len();
            part.bytes.extend_from_slice(&self.bytes[item.bytes.clone()]);
            part.items.push(Item { line: item.line, bytes: from..part.bytes.len() });
        }
        part
    }

    /// Writes all lines, or says which of them the server will never take.
    pub(super) async fn send(
        self,
        http: &Http,
        patience: Duration,
        place: &str,
    ) -> Result<Vec<Refused>, StoreError> {
        let deadline = Instant::now() + patience;
        let (mut refused, mut wait) = (Vec::new(), WAIT_FIRST);
        let mut waiting = vec![self];
        while let Some(bulk) = waiting.pop() {
            let failure = match bulk.send_once(http, &mut refused).await {
                Ok(Sent::All) => continue,
                Ok(Sent::TooLarge) => {
                    waiting.extend(bulk.halves(&mut refused));
                    continue;
                }
                Ok(Sent::AllBut(rest, failure)) => {
                    waiting.push(bulk.only(&rest));
                    failure
                }
                Err(failure) if failure.passes() => {
                    waiting.push(bulk);
                    failure
                }
                Err(failure) => return Err(failure.of(place, "store lines")),
            };
            if Instant::now() + wait > deadline {
                return Err(failure.of(place, "store lines"));
            }
            metrics::counter!("goldentime_logs_bulk_waits_total").increment(1);
            tracing::debug!(error = %failure, "a write waits for the search server");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
        Ok(refused)
    }

    async fn send_once(&self, http: &Http, refused: &mut Vec<Refused>) -> Result<Sent, Failure> {
        const PATH: &str = "/_bulk?filter_path=errors,items.*.status,items.*.error";
        let answer = http.ask(Method::POST, PATH, Some(Body::Lines(&self.bytes))).await?;
        if answer.status == 413 {
            return Ok(Sent::TooLarge);
        }
        let outcome: Outcome = answer.read()?;
        if !outcome.errors {
            return Ok(Sent::All);
        }
        if outcome.items.len() != self.items.len() {
            return Err(Failure::Garbled("not every line was answered for".to_owned()));
        }
        let (mut rest, mut why) = (Vec::new(), None);
        for (at, (item, mut answered)) in self.items.iter().zip(outcome.items).enumerate() {
            let answered = answered.values_mut().next().map(serde_json::Value::take).unwrap_or_default();
            let ItemOutcome { status, error } = serde_json::from_value(answered).unwrap_or_default();
            match status {
                // 409: the line is there, a repeat.
                200..=299 | 409 => {}
                _ if error.is_of_document(status) => {
                    refused.push(Refused {
                        line: item.line,
                        reason: format!("{}: {}", error.kind, error.whole_reason()),
                    });
                }
                _ => match error.judge(status) {
                    failure if failure.passes() => {
                        rest.push(at);
                        why = Some(failure);
                    }
                    failure => return Err(failure),
                },
            }
        }
        Ok(why.map_or(Sent::All, |why| Sent::AllBut(rest, why)))
    }

    /// Two requests in place of one that was too large.
    fn halves(&self, refused: &mut Vec<Refused>) -> Vec<Self> {
        if let [only] = &self.items[..] {
            let reason = format!("{} bytes are more than the server takes at once", self.bytes.len());
            refused.push(Refused { line: only.line, reason });
            return Vec::new();
        }
        let places: Vec<_> = (0..self.items.len()).collect();
        let (first, second) = places.split_at(places.len() / 2);
        vec![self.only(second), self.only(first)]
    }
}

/// What became of a request.
enum Sent {
    All,
    /// These were not taken yet, for this reason.
    AllBut(Vec<usize>, Failure),
    TooLarge,
}

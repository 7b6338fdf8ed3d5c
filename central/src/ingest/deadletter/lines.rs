//! Log lines as dead letters: how they become one, and a record again.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_follower::{BoxFuture, StoreError};
use goldentime_log::kafka::LoggedAs;
use goldentime_runtime::SharedClock;
use goldentime_search::{Rejected, Rejects};
use goldentime_wire::RECORD_VERSION;
use goldentime_wire::proto::{LogRecord, Logs, Record, record::Body};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::letter::Kind;
use super::post::{DeadLetter, NotKept, Posted};

/// Where log lines go that no store will take. It does not keep the letters open: what comes after intake
/// has ended waits for the next start.
pub struct LineLetters {
    pub(super) letters: mpsc::WeakSender<Posted>,
    pub(super) place: Arc<str>,
    pub(super) clock: SharedClock,
}

/// A line as a letter holds it.
#[derive(Deserialize, Serialize)]
struct Line {
    service: String,
    time_unix_nano: i64,
    level: String,
    message: String,
    trace_id: String,
    span_id: String,
    attributes: BTreeMap<String, String>,
    /// Its place in the log. Older letters lack it.
    #[serde(default)]
    identity: String,
}

impl LineLetters {
    async fn keep(&self, rejected: &Rejected) -> Result<(), NotKept> {
        let (line, record) = (&rejected.line, &rejected.line.record);
        let identity = line.identity;
        let written = Line {
            service: line.service.to_string(),
            time_unix_nano: record.at.0,
            level: record.level.clone(),
            message: record.message.clone(),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
            attributes: record.attributes.clone(),
            identity: identity.to_string(),
        };
        let letter = DeadLetter {
            at: self.clock.now(),
            kind: Kind::Line,
            agent: String::new(),
            host: line.host.to_string(),
            project: String::new(),
            service: line.service.to_string(),
            reason: "log_store_rejected",
            detail: rejected.reason.clone(),
            record: serde_json::to_vec(&written)?.into(),
            place: identity.index,
            logged_as: Some(LoggedAs {
                stream: identity.stream,
                partition: identity.partition,
                number: identity.number,
            }),
        };
        let letters = self.letters.upgrade().ok_or("the central is stopping")?;
        let (kept, is_kept) = oneshot::channel();
        let posted = Posted { letter, kept: Some(kept), _settled: None, _room: None };
        letters.send(posted).await.map_err(|_| "the central is stopping")?;
        is_kept.await?
    }
}

impl Rejects for LineLetters {
    fn take<'a>(&'a self, rejected: &'a [Rejected]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            for line in rejected {
                self.keep(line).await.map_err(|source| StoreError::Unavailable {
                    place: self.place.to_string(),
                    action: "keep a log line that the store will not take",
                    source,
                })?;
            }
            Ok(())
        })
    }
}

/// The record that brings a letter's line into the log again.
pub(super) fn record(letter: &[u8], host: &str) -> Result<Record, serde_json::Error> {
    let line: Line = serde_json::from_slice(letter)?;
    let log = LogRecord {
        at_ns: line.time_unix_nano,
        level: line.level,
        message: line.message,
        trace_id: line.trace_id,
        span_id: line.span_id,
        attributes: line.attributes.into_iter().collect(),
    };
    Ok(Record {
        version: RECORD_VERSION,
        service: line.service,
        host: host.to_owned(),
        body: Some(Body::Logs(Logs { records: vec![log] })),
        ..Record::default()
    })
}

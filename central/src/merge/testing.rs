//! What the tests of merge and evaluation share: agents that make records, and a log that numbers them.

use std::collections::BTreeMap;

use goldentime_model::{Counts, Second, ServiceId, UnixNanos};
use goldentime_sketch::Sketch;
use goldentime_wire::proto::{self, record::Body};
use goldentime_wire::{RECORD_VERSION, record};

use crate::ingest::logged::Logged;

/// An agent with one stream into one partition.
#[derive(Clone, Debug)]
pub(crate) struct TestAgent {
    name: String,
    stream: [u8; 16],
    next: u64,
}

impl TestAgent {
    pub(crate) fn new(index: u8) -> Self {
        Self { name: format!("agent-{index:02}"), stream: [index; 16], next: 1 }
    }

    /// Its host, which has its number.
    pub(crate) fn host(&self) -> String {
        self.name.replace("agent", "web")
    }

    /// A flush of one endpoint of one service: per second ok and bad requests that took `seconds`.
    pub(crate) fn flush(
        &mut self,
        service: &ServiceId,
        progress_ms: i64,
        seconds: &BTreeMap<i64, (u64, u64)>,
        took_s: f64,
    ) -> proto::Record {
        let bucket = |(second, (ok, bad)): (&i64, &(u64, u64))| {
            let counts = Counts { ok: *ok, server_error: *bad, ..Counts::default() };
            let mut latency = Sketch::new();
            latency.insert_n(took_s, ok + bad);
            let mut sketch = Vec::new();
            latency.encode_wire(&mut sketch);
            proto::Bucket { sketch: sketch.into(), ..proto::Bucket::of_counts(Second(*second), &counts) }
        };
        let series = proto::SeriesDelta {
            endpoint: "/orders/{id}".into(),
            method: "GET".into(),
            buckets: seconds.iter().map(bucket).collect(),
        };
        let number = self.next;
        self.next += 1;
        proto::Record {
            version: RECORD_VERSION,
            stream: self.stream.to_vec().into(),
            number,
            service: service.to_string(),
            host: self.host(),
            agent: self.name.clone(),
            progress_ms,
            flush_complete: true,
            stamps: Some(proto::Stamps {
                occurred_ns: progress_ms * 1_000_000,
                flushed_ns: progress_ms * 1_000_000,
                occurred_is_coarse: false,
            }),
            body: (!seconds.is_empty()).then(|| Body::Deltas(proto::Deltas { series: vec![series] })),
            ..proto::Record::default()
        }
    }
}

/// Gives records their offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestLog {
    pub(crate) records: Vec<Logged>,
}

impl TestLog {
    pub(crate) fn append(&mut self, record: proto::Record, at_ms: i64) -> Logged {
        let service = record::check(&record, 1).expect("the test makes valid records");
        let logged = Logged {
            offset: self.records.len() as u64 + 1,
            append_time: UnixNanos::from_millis(at_ms),
            received: Some(UnixNanos::from_millis(at_ms)),
            service,
            record,
        };
        self.records.push(logged.clone());
        logged
    }
}

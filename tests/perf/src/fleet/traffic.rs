//! Plausible flushes of a host that serves a few services.

use bytes::Bytes;
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_sketch::Sketch;
use goldentime_wire::RECORD_VERSION;
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::{Bucket, Deltas, Record, SeriesDelta, Stamps};
use prost::Message;
use rand::Rng;
use std::collections::HashMap;

/// Requests that one series sees in one flush.
pub(super) const REQUESTS_PER_BUCKET: u64 = 20;
/// Kinds of latency distributions that are made once and sent again and again.
const SHAPES: usize = 64;

/// What one simulated host says.
pub struct Traffic {
    host: String,
    stream: [u8; 16],
    services: Vec<ServiceId>,
    endpoints: Vec<String>,
    sketches: Vec<Bytes>,
    numbers: HashMap<u32, u64>,
    partitions: u32,
    next_service: usize,
    next_shape: usize,
}

impl Traffic {
    /// Traffic of `services` with `endpoints` routes each, as records of `stream`.
    #[must_use]
    pub fn new(
        host: &str,
        stream: [u8; 16],
        services: Vec<ServiceId>,
        endpoints: usize,
        partitions: u32,
    ) -> Self {
        let mut rng = rand::rng();
        let sketches = (0..SHAPES).map(|_| {
            let mut sketch = Sketch::new();
            for _ in 0..REQUESTS_PER_BUCKET {
                let normal: f64 = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
                sketch.insert(0.02 * (0.8 * normal).exp());
            }
            let mut bytes = Vec::new();
            sketch.encode_wire(&mut bytes);
            Bytes::from(bytes)
        });
        Self {
            host: host.to_owned(),
            sketches: sketches.collect(),
            stream,
            services,
            endpoints: (0..endpoints).map(|number| format!("/resource-{number}/{{id}}")).collect(),
            numbers: HashMap::new(),
            partitions,
            next_service: 0,
            next_shape: 0,
        }
    }

    /// Deltas in each record.
    #[must_use]
    pub fn deltas_per_record(&self) -> u64 {
        self.endpoints.len() as u64
    }

    /// The next service's record, encoded, as if it had been flushed at `now`.
    pub fn next_record(&mut self, now: UnixNanos) -> Bytes {
        let service = &self.services[self.next_service];
        self.next_service = (self.next_service + 1) % self.services.len();
        let partition = service.partition(self.partitions);
        let number = self.numbers.entry(partition).or_insert(0);
        *number += 1;
        let mut series = Vec::with_capacity(self.endpoints.len());
        for endpoint in &self.endpoints {
            self.next_shape = (self.next_shape + 1) % SHAPES;
            let bucket = Bucket {
                second: now.second().0,
                ok: REQUESTS_PER_BUCKET,
                sketch: self.sketches[self.next_shape].clone(),
                ..Bucket::default()
            };
            series.push(SeriesDelta {
                endpoint: endpoint.clone(),
                method: "GET".into(),
                buckets: vec![bucket],
            });
        }
        let record = Record {
            version: RECORD_VERSION,
            stream: Bytes::copy_from_slice(&self.stream),
            partition,
            number: *number,
            service: service.to_string(),
            host: self.host.clone(),
            agent: self.host.clone(),
            progress_ms: now.as_millis(),
            flush_complete: false,
            stamps: Some(Stamps { occurred_ns: now.0, flushed_ns: now.0, occurred_is_coarse: false }),
            body: Some(Body::Deltas(Deltas { series })),
        };
        record.encode_to_vec().into()
    }
}

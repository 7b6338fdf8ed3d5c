//! A simulated host at an ordinary day's pace: each second what its service answered, how the machine
//! stands, and the lines that were logged.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_wire::RECORD_VERSION;
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::stream_header::Class;
use goldentime_wire::proto::{Logs, Record, Sample, Samples, Stamps};
use prost::Message;
use rand::Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::lines;
use super::link::{Link, StreamId};
use super::traffic::Traffic;

/// Length of a flush.
const FLUSH: Duration = Duration::from_secs(1);
/// Within this time all hosts come.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Records that may be under way before a host waits: a few minutes' worth.
const IN_FLIGHT_MAX: u64 = 512;

/// Gauges that each host reads every second.
pub const GAUGES: [&str; 8] = [
    "system.cpu.busy",
    "system.cpu.load_average.1m",
    "system.memory.utilization",
    "system.paging.utilization",
    "system.disk.utilization",
    "system.disk.queue",
    "system.filesystem.utilization",
    "system.file_descriptors.utilization",
];

/// What a host does.
#[derive(Clone, Debug)]
pub struct HostShape {
    /// Its name.
    pub name: String,
    /// The service it runs.
    pub service: ServiceId,
    /// Routes of the service.
    pub endpoints: usize,
    /// Lines it logs a second.
    pub lines_per_s: f64,
}

/// What a host sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Deltas of requests.
    pub deltas: u64,
    /// Log lines.
    pub lines: u64,
    /// Flushes that left later than they were due, by more than a flush: the senders were the bottleneck.
    pub late: u64,
}

/// Sends until `over` turns true, and waits until all of it is acknowledged.
pub async fn run(
    address: String,
    token: String,
    shape: HostShape,
    mut over: watch::Receiver<bool>,
) -> Result<Told> {
    // Hosts do not come or flush at the same instant.
    let after = ARRIVAL.mul_f64(rand::rng().random());
    sleep(after).await;
    let (deltas, other): (StreamId, [StreamId; 2]) = (rand::random(), rand::random());
    let environment = shape.service.environment().to_owned();
    let streams = [deltas, other[0], other[1]];
    let (mut link, replies) = Link::open(&address, &token, &shape.name, &environment, &streams).await?;
    let services = vec![shape.service.clone()];
    let mut traffic = Traffic::new(&shape.name, deltas, services, shape.endpoints, link.partitions);
    let own = ServiceId::of_host(shape.service.project(), &environment, &shape.name)?;
    let mut samples = Author::new(&shape.name, other[0], own, link.partitions);
    let mut logs = Author::new(&shape.name, other[1], shape.service, link.partitions);
    let (mut live, mut lazy) = (link.records(Class::Live).await?, link.records(Class::Logs).await?);

    let sender = async {
        let (mut told, mut sent, start) = (Told::default(), 0, Instant::now());
        for flush in 1.. {
            let due = start + FLUSH * flush;
            tokio::select! {
                () = sleep_until(due) => {}
                _ = over.wait_for(|over| *over) => break,
            }
            told.late += u64::from(due.elapsed() > FLUSH);
            let now = SystemClock.now();
            live.send(traffic.next_record(now)).await?;
            live.send(samples.record(now, Body::Samples(gauges(now)))).await?;
            sent += 2;
            told.deltas += traffic.deltas_per_record();
            let due = (f64::from(flush) * shape.lines_per_s) as u64 - told.lines;
            if due > 0 {
                let records = (0..due).map(|_| lines::line(now)).collect();
                lazy.send(logs.record(now, Body::Logs(Logs { records }))).await?;
                sent += 1;
                told.lines += due;
            }
            link.ping().await?;
            link.acknowledged.all_but(IN_FLIGHT_MAX, sent).await;
        }
        link.acknowledged.all_but(0, sent).await;
        anyhow::Ok(told)
    };
    tokio::select! {
        told = sender => told,
        ended = replies.count() => ended.map(|()| Told::default()),
    }
}

fn gauges(now: UnixNanos) -> Samples {
    let mut rng = rand::rng();
    let gauge = |name: &str, value| Sample {
        name: name.to_owned(),
        value,
        unit: "1".to_owned(),
        at_ns: now.0,
        ..Sample::default()
    };
    Samples { samples: GAUGES.iter().map(|name| gauge(name, rng.random_range(0.1..0.6))).collect() }
}

/// Numbers the records of one stream for one service.
struct Author {
    host: String,
    stream: StreamId,
    service: ServiceId,
    partition: u32,
    number: u64,
}

impl Author {
    fn new(host: &str, stream: StreamId, service: ServiceId, partitions: u32) -> Self {
        let partition = service.partition(partitions);
        Self { host: host.to_owned(), stream, service, partition, number: 0 }
    }

    fn record(&mut self, now: UnixNanos, body: Body) -> Bytes {
        self.number += 1;
        let record = Record {
            version: RECORD_VERSION,
            stream: Bytes::copy_from_slice(&self.stream),
            partition: self.partition,
            number: self.number,
            service: self.service.to_string(),
            host: self.host.clone(),
            agent: self.host.clone(),
            progress_ms: now.as_millis(),
            flush_complete: false,
            stamps: Some(Stamps { occurred_ns: now.0, flushed_ns: now.0, occurred_is_coarse: false }),
            body: Some(body),
        };
        record.encode_to_vec().into()
    }
}

//! One simulated agent: enrols, says hello, sends as fast as it is let, and counts acknowledgements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_model::ServiceId;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_transport::client::Client;
use goldentime_transport::enrol::enrol;
use goldentime_transport::token::JoinToken;
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::stream_header::Class;
use goldentime_wire::proto::{Hello, Ping, StreamState};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::traffic::Traffic;

/// Records under way without an acknowledgement.
const IN_FLIGHT_MAX: u64 = 512;

/// What an agent did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Records sent.
    pub records: u64,
    /// Deltas in them.
    pub deltas: u64,
}

/// What a simulated host serves.
pub struct Shape {
    /// Its name.
    pub host: String,
    /// Its services.
    pub services: Vec<ServiceId>,
    /// Routes of each.
    pub endpoints: usize,
    /// Records per second; `None` is as many as the central takes.
    pub records_per_s: Option<f64>,
}

/// Sends for `length`, then waits until everything is acknowledged.
pub async fn run(address: String, token: String, shape: Shape, length: Duration) -> Result<Sent> {
    let token: JoinToken = token.parse().context("join token")?;
    let identity = enrol(&address, &token, &shape.host).await?;
    let client = Client::new(&identity)?;
    let environment = shape.services[0].environment().to_owned();
    let stream: [u8; 16] = rand::random();
    let hello = Hello {
        version: 1,
        host: shape.host.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        environment,
        streams: vec![StreamState { stream: stream.to_vec().into(), next: Vec::new(), current: true }],
        started_ns: SystemClock.now().0,
        sentinel: false,
    };
    let session = client.connect(&address, hello).await?;
    let partitions = session.welcome.partitions;
    let mut traffic = Traffic::new(&shape.host, stream, shape.services, shape.endpoints, partitions);

    let acknowledged = Arc::new(Acknowledged::default());
    let mut records = session.uplink.open_stream(Class::Live).await?;
    let (mut control, mut replies) = (session.control, session.replies);
    let counting = Arc::clone(&acknowledged);
    let listener = async move {
        while let Some(frame) = replies.next().await? {
            if let Frame::Ack(ack) = frame {
                counting.note(ack.partition, ack.number);
            }
        }
        anyhow::Ok(())
    };
    let sender = async {
        let mut sent = Sent::default();
        let (start, mut pinged) = (Instant::now(), Instant::now());
        while start.elapsed() < length {
            if let Some(rate) = shape.records_per_s {
                let due = start + Duration::from_secs_f64(sent.records as f64 / rate);
                tokio::time::sleep_until(due).await;
            }
            while sent.records.saturating_sub(acknowledged.total()) >= IN_FLIGHT_MAX {
                acknowledged.changed.notified().await;
            }
            records.send(traffic.next_record(SystemClock.now())).await?;
            sent.records += 1;
            sent.deltas += traffic.deltas_per_record();
            if pinged.elapsed() > Duration::from_secs(1) {
                pinged = Instant::now();
                let ping = Ping { sent_ns: SystemClock.now().0, ..Ping::default() };
                control.send(Frame::Ping(ping)).await?;
            }
        }
        while acknowledged.total() < sent.records {
            acknowledged.changed.notified().await;
        }
        anyhow::Ok(sent)
    };
    tokio::select! {
        sent = sender => sent,
        ended = listener => {
            ended?;
            anyhow::bail!("the central closed the connection")
        }
    }
}

/// The highest number acknowledged in each partition.
#[derive(Default)]
struct Acknowledged {
    numbers: std::sync::Mutex<std::collections::HashMap<u32, u64>>,
    sum: AtomicU64,
    changed: Notify,
}

impl Acknowledged {
    fn note(&self, partition: u32, number: u64) {
        let mut numbers = self.numbers.lock().expect("no holder panics");
        let known = numbers.entry(partition).or_insert(0);
        if number > *known {
            self.sum.fetch_add(number - *known, Ordering::Relaxed);
            *known = number;
        }
        drop(numbers);
        self.changed.notify_one();
    }

    fn total(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

//! A simulated agent that sends as fast as it is let, or at a given rate.

use std::time::Duration;

use anyhow::Result;
use goldentime_model::ServiceId;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_wire::proto::stream_header::Class;
use tokio::time::Instant;

use super::link::Link;
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
    let stream = rand::random();
    let environment = shape.services[0].environment();
    let (mut link, replies) = Link::open(&address, &token, &shape.host, environment, &[stream]).await?;
    let mut traffic = Traffic::new(&shape.host, stream, shape.services, shape.endpoints, link.partitions);
    let mut records = link.records(Class::Live).await?;
    let sender = async {
        let mut sent = Sent::default();
        let (start, mut pinged) = (Instant::now(), Instant::now());
        while start.elapsed() < length {
            if let Some(rate) = shape.records_per_s {
                let due = start + Duration::from_secs_f64(sent.records as f64 / rate);
                tokio::time::sleep_until(due).await;
            }
            link.acknowledged.all_but(IN_FLIGHT_MAX - 1, sent.records).await;
            records.send(traffic.next_record(SystemClock.now())).await?;
            sent.records += 1;
            sent.deltas += traffic.deltas_per_record();
            if pinged.elapsed() > Duration::from_secs(1) {
                pinged = Instant::now();
                link.ping().await?;
            }
        }
        link.acknowledged.all_but(0, sent.records).await;
        anyhow::Ok(sent)
    };
    tokio::select! {
        sent = sender => sent,
        ended = replies.count() => ended.map(|()| Sent::default()),
    }
}

//! A simulated agent's way to the central: enrolment, hello, and what was acknowledged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_transport::client::{Client, ControlReceiver, ControlSender, RecordSender, Uplink};
use goldentime_transport::enrol::enrol;
use goldentime_transport::token::JoinToken;
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::stream_header::Class;
use goldentime_wire::proto::{Hello, Ping, StreamState};
use rand::Rng;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How often a host tries before the benchmark fails; an agent tries for ever.
const TRIES: u32 = 10;
/// How long it waits in between at most.
const RETRY_MAX: Duration = Duration::from_secs(3);

/// Id of a stream of records.
pub type StreamId = [u8; 16];

/// A session that was welcomed.
pub struct Link {
    /// Partitions of the central.
    pub partitions: u32,
    /// What came back so far.
    pub acknowledged: Arc<Acknowledged>,
    uplink: Uplink,
    control: ControlSender,
}

impl Link {
    /// Enrols `host`, says hello with `streams`, and gives what has to be run beside the link: it counts
    /// acknowledgements and ends with the session.
    pub async fn open(
        address: &str,
        token: &str,
        host: &str,
        environment: &str,
        streams: &[StreamId],
    ) -> Result<(Self, Replies)> {
        let token: JoinToken = token.parse().context("join token")?;
        let identity = retried(|| enrol(address, &token, host)).await?;
        let current = |stream: &StreamId| StreamState {
            stream: stream.to_vec().into(),
            next: Vec::new(),
            current: true,
        };
        let hello = Hello {
            version: 1,
            host: host.to_owned(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            environment: environment.to_owned(),
            streams: streams.iter().map(current).collect(),
            started_ns: SystemClock.now().0,
            sentinel: false,
            requests_flushed: None,
        };
        let client = Client::new(&identity)?;
        let session = retried(|| client.connect(address, hello.clone())).await?;
        let acknowledged = Arc::new(Acknowledged::default());
        let replies = Replies { receiver: session.replies, acknowledged: Arc::clone(&acknowledged) };
        let partitions = session.welcome.partitions;
        Ok((Self { partitions, acknowledged, uplink: session.uplink, control: session.control }, replies))
    }

    /// Opens a stream for records of one class.
    pub async fn records(&self, class: Class) -> Result<RecordSender> {
        Ok(self.uplink.open_stream(class).await?)
    }

    /// Asks for the time, as an agent does every second.
    pub async fn ping(&mut self) -> Result<()> {
        let ping = Ping { sent_ns: SystemClock.now().0, ..Ping::default() };
        Ok(self.control.send(Frame::Ping(ping)).await?)
    }
}

/// Tries again after a random while, as agents do when many come at once.
async fn retried<T, E, F: Future<Output = Result<T, E>>>(action: impl Fn() -> F) -> Result<T, E> {
    let mut tries = 1;
    loop {
        match action().await {
            Err(_) if tries < TRIES => tries += 1,
            done => return done,
        }
        let after = RETRY_MAX.mul_f64(rand::rng().random());
        sleep(after).await;
    }
}

/// What the central says.
pub struct Replies {
    receiver: ControlReceiver,
    acknowledged: Arc<Acknowledged>,
}

impl Replies {
    /// Counts acknowledgements until the central ends the session, which is an error here.
    pub async fn count(mut self) -> Result<()> {
        while let Some(frame) = self.receiver.next().await? {
            if let Frame::Ack(ack) = frame {
                self.acknowledged.note(ack.stream, ack.partition, ack.number);
            }
        }
        anyhow::bail!("the central closed the connection")
    }
}

/// The highest number acknowledged in each partition of each stream.
#[derive(Default)]
pub struct Acknowledged {
    numbers: Mutex<HashMap<(Bytes, u32), u64>>,
    sum: AtomicU64,
    changed: Notify,
}

impl Acknowledged {
    fn note(&self, stream: Bytes, partition: u32, number: u64) {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = numbers.entry((stream, partition)).or_insert(0);
        if number > *known {
            self.sum.fetch_add(number - *known, Ordering::Relaxed);
            *known = number;
        }
        drop(numbers);
        self.changed.notify_one();
    }

    /// Records in all.
    pub fn total(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    /// Waits until all but `left` of `sent` records are acknowledged.
    pub async fn all_but(&self, left: u64, sent: u64) {
        while sent.saturating_sub(self.total()) > left {
            self.changed.notified().await;
        }
    }
}

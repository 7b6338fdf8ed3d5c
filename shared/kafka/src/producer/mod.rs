//! Sends records so that their order within a partition is never broken.
//!
//! librdkafka's idempotent producer keeps the order as long as nothing fails for good. When something
//! does (a topic that was made smaller, rights that were taken away, a broker that forgot the producer)
//! it would give up that record and go on with the next, and a reader would take the hole for a loss and
//! what is sent again for a repeat. So it is told to stop at the first failure
//! (`enable.gapless.guarantee`); then it is thrown away, and a new one sends everything again from the
//! lowest record that was not acknowledged. What the old one had sent without hearing of it comes
//! twice, in order, and is dropped by its number.
//!
//! A record that its topic refuses for its size would be sent again for ever. Whoever wants that given up
//! says so ([`ProducerLimits::gives_up_refused`]); then each record is sent in a batch of its own from the
//! first such refusal on, and the one that is refused even so is told of, and left out.
//!
//! [`window`] holds what is not acknowledged yet, [`line`] is one of librdkafka's producers.

mod line;
mod window;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::Bytes;
use goldentime_model::UnixNanos;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::brokers::LOOK_EVERY;
use crate::client::Trouble;
use crate::config::KafkaConfig;
use crate::error::KafkaFailure;
use line::Line;
use window::{Waiting, Window};

/// Pauses before everything is sent again.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_LAST: Duration = Duration::from_secs(5);
/// What a record takes beside its bytes, here and in librdkafka.
const RECORD_OVERHEAD_BYTES: usize = 512;
/// How long the end waits, unless told otherwise, for what is not acknowledged yet.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How much may wait for its acknowledgement.
#[derive(Clone, Copy, Debug)]
pub struct ProducerLimits {
    /// Records.
    pub records_max: usize,
    /// Their bytes. Memory is twice that: librdkafka has a copy of each.
    pub bytes_max: usize,
    /// The largest record. Topics must take it.
    pub record_bytes_max: usize,
    /// How long the end waits for what is not acknowledged yet.
    pub finish_within: Duration,
    /// Whether a record that its topic refuses for its size is given up, so that others go on. Else all wait
    /// until the topic takes it.
    pub gives_up_refused: bool,
}

impl Default for ProducerLimits {
    fn default() -> Self {
        Self {
            records_max: 16 * 1024,
            bytes_max: 64 << 20,
            record_bytes_max: 1 << 20,
            finish_within: FINISH_WITHIN,
            gives_up_refused: false,
        }
    }
}

/// A record on its way. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The topic.
    pub topic: Arc<str>,
    /// Its partition: chosen here and nowhere else.
    pub partition: u32,
    /// Key, such as the service's id; may be empty.
    pub key: Bytes,
    /// Headers.
    pub headers: Vec<(&'static str, Bytes)>,
    /// The record.
    pub payload: Bytes,
}

/// Where a record came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Kafka's offset, from 0. Unknown where an attempt that was not heard of had succeeded.
    pub offset: Option<u64>,
    /// When the log took it.
    pub append_time: UnixNanos,
}

/// Tells when a record is durable.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Placed, KafkaFailure>>);

/// Where records are given in. Cheap to clone; the producer ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct ProducerHandle {
    records: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    limits: ProducerLimits,
    trouble: Trouble,
}

/// Sends what is given in.
pub struct Producer {
    config: KafkaConfig,
    limits: ProducerLimits,
    records: mpsc::Receiver<Waiting>,
    window: Window,
    /// Each record goes in a batch of its own: a batch was refused for its size.
    is_alone: bool,
    trouble: Trouble,
}

impl Outgoing {
    fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.len() + headers + self.payload.len()
    }
}

impl Future for Receipt {
    type Output = Result<Placed, KafkaFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|told| told.unwrap_or(Err(KafkaFailure::Stopped)))
    }
}

impl ProducerHandle {
    /// Gives a record in, and waits while there is no room. A call that begins after another has
    /// returned is behind it in the log, if both are for one partition. Dropping the call before it
    /// returns gives nothing in.
    pub async fn send(&self, record: Outgoing) -> Result<Receipt, KafkaFailure> {
        let bytes = record.bytes();
        if bytes > self.limits.record_bytes_max {
            let (topic, bytes_max) = (record.topic.to_string(), self.limits.record_bytes_max);
            return Err(KafkaFailure::TooLarge { topic, bytes, bytes_max });
        }
        let permits = u32::try_from(bytes + RECORD_OVERHEAD_BYTES).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await;
        let room = room.map_err(|_| KafkaFailure::Stopped)?;
        let (told, receipt) = oneshot::channel();
        let waiting = Waiting { record, told, _room: room };
        self.records.send(waiting).await.map_err(|_| KafkaFailure::Stopped)?;
        Ok(Receipt(receipt))
    }

    /// What keeps records from being acknowledged, as far as it is known.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.trouble.clone()
    }
}

impl Producer {
    /// A producer, and where it is given records.
    #[must_use]
    pub fn new(config: &KafkaConfig, limits: ProducerLimits) -> (Self, ProducerHandle) {
        let (sender, records) = mpsc::channel(limits.records_max.clamp(1, 256));
        let trouble = Trouble::default();
        let room =
            Arc::new(Semaphore::new(limits.bytes_max.max(limits.record_bytes_max + RECORD_OVERHEAD_BYTES)));
        let handle = ProducerHandle { records: sender, room, limits, trouble: trouble.clone() };
        (
            Self {
                config: config.clone(),
                limits,
                records,
                window: Window::default(),
                is_alone: false,
                trouble,
            },
            handle,
        )
    }

    /// Sends until the last handle is dropped and everything is acknowledged, or was given the time to.
    pub async fn run(mut self) {
        let mut again = AGAIN_FIRST;
        loop {
            let before = self.window.settled();
            let failed = match Line::open(&self.config, &self.limits, self.is_alone, &self.trouble) {
                Ok(line) => self.feed(line).await,
                Err(failure) => Some((None, failure)),
            };
            let Some((number, failure)) = failed else { return };
            metrics::counter!("goldentime_kafka_producers_fenced_total").increment(1);
            tracing::error!(
                error = %failure,
                waiting = self.window.len(),
                "records are refused; sending again from the lowest that was not acknowledged"
            );
            self.trouble.set(failure.to_string());
            if let (KafkaFailure::Refused { .. }, Some(number), true) =
                (&failure, number, self.limits.gives_up_refused)
            {
                if self.is_alone {
                    self.window.settle(number, Err(failure));
                }
                self.is_alone = true;
            }
            if self.window.settled() > before {
                again = AGAIN_FIRST;
            }
            tokio::time::sleep(again).await;
            again = (again * 2).min(AGAIN_LAST);
            if self.records.is_closed() && self.records.is_empty() {
                // Whoever waits is told that the end came first.
                return;
            }
        }
    }

    /// Sends over one line until a record fails, which is told with its number where that is known, or
    /// until all is done.
    async fn feed(&mut self, mut line: Line) -> Option<(Option<usize>, KafkaFailure)> {
        let sent_again =
            self.window.waiting().try_for_each(|(number, waiting)| line.send(number, &waiting.record));
        if let Err(failure) = sent_again {
            return Some((None, self.fence(line, failure).await));
        }
        let mut finish: Option<Instant> = None;
        let patience = self.config.request_timeout.get();
        let mut heard = Instant::now();
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_room = self.window.len() < self.limits.records_max;
            tokio::select! {
                biased;
                Some(delivered) = line.delivered() => match delivered.outcome {
                    Ok(placed) => {
                        heard = Instant::now();
                        self.trouble.clear();
                        self.window.settle(delivered.number, Ok(placed));
                    }
                    Err(failure) => {
                        return Some((Some(delivered.number), self.fence(line, failure).await));
                    }
                },
                next = self.records.recv(), if has_room && finish.is_none() => match next {
                    Some(waiting) => {
                        if self.window.len() == 0 {
                            heard = Instant::now();
                        }
                        let (number, waiting) = self.window.push(waiting);
                        if let Err(failure) = line.send(number, &waiting.record) {
                            return Some((None, self.fence(line, failure).await));
                        }
                    }
                    None => finish = Some(Instant::now() + self.limits.finish_within),
                },
                _ = look.tick() => line.remember_brokers(),
                () = tokio::time::sleep_until(heard + patience), if self.window.len() > 0 => {
                    heard = Instant::now();
                    self.trouble.add(&format!("nothing was acknowledged for {} s", patience.as_secs()));
                }
                () = tokio::time::sleep_until(finish.unwrap_or_else(Instant::now)), if finish.is_some() => {
                    tracing::warn!(waiting = self.window.len(), "ended before Kafka acknowledged everything");
                    line.close().await;
                    return None;
                }
            }
            metrics::gauge!("goldentime_kafka_waiting_records").set(self.window.len() as f64);
            if finish.is_some() && self.window.len() == 0 {
                line.close().await;
                return None;
            }
        }
    }

    /// Throws a line away; what it had acknowledged before is noted.
    async fn fence(&mut self, line: Line, failure: KafkaFailure) -> KafkaFailure {
        let failure = line.explain(failure);
        for delivered in line.close().await {
            if delivered.outcome.is_ok() {
                self.window.settle(delivered.number, delivered.outcome);
            }
        }
        failure
    }
}

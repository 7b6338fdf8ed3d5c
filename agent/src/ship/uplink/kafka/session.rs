//! Sending over one producer, from its making to its end.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use goldentime_kafka::{Producer, ProducerHandle, ProducerLimits};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::layout::{Layout, LayoutError};
use super::receipts::{self, InFlight};
use super::sender::{Class, Sender, Share};
use crate::ship::spool::{SpoolError, StreamPending};
use crate::ship::uplink::backlog::send_backlog;
use crate::ship::uplink::lane::{Lane, current_streams};
use crate::ship::uplink::outstanding::Outstanding;
use crate::ship::uplink::shipment::Shipment;

/// How long a clean stop waits until what was flushed is given in and acknowledged.
const SETTLE_MAX: Duration = Duration::from_secs(3);
/// How long what is on its way is waited for where sending goes on at once: it is live data that waits.
const RESTART_SETTLE_MAX: Duration = Duration::from_millis(500);
/// How long a producer may take to give up what it has.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// Pause between two looks at what the producer says of its brokers.
const TROUBLE_INTERVAL: Duration = Duration::from_secs(1);
/// Pause between two looks at the topics, and while something is wrong.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
const TROUBLED_LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Records that may be on their way, however small.
const RECORDS_MAX: usize = 16 * 1024;

/// Log lines, and what an outage left, may each have this part of what may be on its way.
const SHARES: usize = 4;

/// Why sending over a producer ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// What was to be sent could not be read, or what can never be taken not be removed.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// More waits in front of what is live than may.
    #[error("what is live waits behind what Kafka did not take in time; that becomes backlog")]
    Behind,
    /// The topics are laid out differently than at the start.
    #[error("the topics have changed")]
    Changed,
    /// The producer has ended.
    #[error("the producer has ended")]
    Stopped,
}

/// Sends until nothing comes any more, or until there is a reason to begin anew. What was given in has some
/// time to be acknowledged; the rest stays in the spool.
pub(super) async fn run(
    config: &Config,
    shipment: &Shipment,
    layout: &Layout,
    streams: &[StreamPending],
) -> Result<(), Ended> {
    let limits = ProducerLimits {
        records_max: RECORDS_MAX,
        bytes_max: config.waiting_bytes_max.as_usize(),
        record_bytes_max: usize::try_from(layout.record_bytes_max).unwrap_or(usize::MAX),
        // Here it is waited for what is not acknowledged.
        finish_within: Duration::ZERO,
        gives_up_refused: true,
    };
    let (producer, handle) = Producer::new(&config.connection, limits);
    let (given_in, receipts) = mpsc::channel(RECORDS_MAX);
    let outstanding = Outstanding::default();
    let layout_trouble = Mutex::default();
    let session =
        Session { config, shipment, layout, outstanding: &outstanding, layout_trouble: &layout_trouble };
    let over = CancellationToken::new();
    let sending = async {
        let ended = session.send(streams, handle, given_in).await;
        over.cancel();
        ended
    };
    let producing = async {
        tokio::select! {
            () = producer.run() => {}
            () = async { over.cancelled().await; sleep(CLOSE_MAX).await } => {}
        }
    };
    let (ended, (), ()) =
        tokio::join!(sending, producing, receipts::collect(receipts, shipment, &outstanding));
    ended
}

#[derive(Clone, Copy)]
struct Session<'a> {
    config: &'a Config,
    shipment: &'a Shipment,
    layout: &'a Layout,
    outstanding: &'a Outstanding,
    /// What is wrong with the topics since the start.
    layout_trouble: &'a Mutex<Option<String>>,
}

impl Session<'_> {
    /// Sends, then waits for what was given in. Afterwards nothing holds the producer any more.
    async fn send(
        self,
        streams: &[StreamPending],
        producer: ProducerHandle,
        given_in: mpsc::Sender<InFlight>,
    ) -> Result<(), Ended> {
        let shipment = self.shipment;
        let mut too_late = pin!(async {
            tokio::join!(shipment.live.finished(), shipment.logs.finished());
            sleep(SETTLE_MAX).await;
        });
        let ended = tokio::select! {
            ended = self.carry(streams, &producer, &given_in) => ended,
            ended = self.watch_topics() => Err(ended),
            () = self.tell_trouble(&producer) => Ok(()),
            // What the lanes have not given in by then stays in the spool.
            () = &mut too_late => return Ok(()),
        };
        let settled = self.outstanding.settled();
        if ended.is_ok() {
            tokio::select! {
                () = settled => {}
                () = too_late => {}
            }
        } else {
            // What is not acknowledged by then is sent again, and dropped by its number.
            let _ = tokio::time::timeout(RESTART_SETTLE_MAX, settled).await;
        }
        ended
    }

    /// Gives in what waits and what comes, until nothing comes any more.
    async fn carry(
        self,
        streams: &[StreamPending],
        producer: &ProducerHandle,
        given_in: &mpsc::Sender<InFlight>,
    ) -> Result<(), Ended> {
        let waiting_bytes_max = self.config.waiting_bytes_max.as_usize();
        let sender = |class, bytes_max| Sender {
            class,
            share: Share::new(bytes_max),
            layout: self.layout,
            producer: producer.clone(),
            given_in: given_in.clone(),
            spool: &self.shipment.spool,
        };
        let acknowledged = self.shipment.spool.acknowledged();
        let lane = |carrier, queue| Lane {
            carrier,
            shipment: self.shipment,
            queue,
            outstanding: self.outstanding,
            cursors: acknowledged.clone(),
        };
        let live = lane(sender(Class::Live, waiting_bytes_max), &self.shipment.live);
        let logs = lane(sender(Class::Logs, waiting_bytes_max / SHARES), &self.shipment.logs);
        let (live_streams, log_streams) = current_streams(streams);
        let current = async { tokio::try_join!(live.run(&live_streams), logs.run(&log_streams)).map(drop) };
        let backlog = async {
            let sender = sender(Class::Backlog, waiting_bytes_max / SHARES);
            let bytes_per_second_max = self.config.backlog_bytes_per_second_max.get();
            match send_backlog(sender, self.shipment, &acknowledged, bytes_per_second_max).await {
                Ok(_) => std::future::pending().await,
                Err(ended) => ended,
            }
        };
        tokio::select! {
            ended = current => ended,
            ended = backlog => Err(ended),
        }
    }

    /// Looks at the topics now and then, sooner while nothing goes, and returns when they have changed.
    async fn watch_topics(self) -> Ended {
        let mut looked_at = Instant::now();
        loop {
            sleep(TROUBLED_LOOK_INTERVAL).await;
            let is_troubled = self.shipment.state.get().kafka.is_some_and(|kafka| kafka.trouble.is_some());
            if !is_troubled && looked_at.elapsed() < LOOK_INTERVAL {
                continue;
            }
            looked_at = Instant::now();
            match Layout::look(self.config).await {
                Ok(layout) if layout != *self.layout => return Ended::Changed,
                Ok(_) => self.set_layout_trouble(None),
                // The producer says it better.
                Err(LayoutError::Kafka(_)) => {}
                // What is read goes on as it was cut; the producer says whether it is taken.
                Err(error) => self.set_layout_trouble(Some(error.to_string())),
            }
        }
    }

    /// Each look may find the same; that is logged once.
    fn set_layout_trouble(self, trouble: Option<String>) {
        let mut known = self.layout_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &trouble
            && trouble != *known
        {
            tracing::warn!(trouble = told, "Kafka's topics are not as they were at the start");
        }
        *known = trouble;
    }

    /// Passes on what the producer says of its brokers, as long as there is one.
    async fn tell_trouble(self, producer: &ProducerHandle) {
        loop {
            let of_layout = || self.layout_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let trouble = producer.trouble().now().or_else(of_layout);
            metrics::gauge!("goldentime_agent_kafka_troubled").set(f64::from(u8::from(trouble.is_some())));
            self.shipment.state.update_kafka(|status| status.trouble = trouble);
            sleep(TROUBLE_INTERVAL).await;
        }
    }
}

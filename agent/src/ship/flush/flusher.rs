//! The flusher: drains all shards, commits, hands over.

use std::time::Duration;

use goldentime_model::UnixNanos;
use goldentime_runtime::SharedClock;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::config::{Express, Interval};
use super::pace::{ExpressLimit, due};
use super::progress::Progress;
use super::records::{Author, Builder};
use super::state::FlushState;
use crate::aggregate::Aggregator;
use crate::ship::ledger::Ledger;
use crate::ship::live::LiveQueue;
use crate::ship::outgoing::RecordKind;
use crate::ship::spool::{Flush, Spool, SpoolError};

/// Pause between attempts to commit a flush that the disk refused.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Pause between upkeeps of the spool while it holds much.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Pause between upkeeps of a spool that holds little: an idle agent's two records a second are not
/// worth a transaction of their own each second.
const SMALL_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Up to this many bytes a spool holds little.
const SMALL_SPOOL_BYTES: u64 = 256 << 10;

/// What the flusher works with.
pub struct FlusherContext {
    /// The shards.
    pub aggregator: Aggregator,
    /// Where flushes are committed.
    pub spool: Spool,
    /// Where committed deltas, progress and samples go.
    pub live: LiveQueue,
    /// Where committed log lines go.
    pub logs: LiveQueue,
    /// Who writes; changes when the central has another number of partitions.
    pub author: watch::Receiver<Author>,
    /// Counts of what was dropped.
    pub ledger: Ledger,
    /// This machine's clock.
    pub clock: SharedClock,
    /// What `status` shows.
    pub state: FlushState,
    /// Cancelled when the inputs have ended: one last flush, then the end.
    pub inputs_ended: CancellationToken,
}

/// Takes what the shards hold, commits it with the read positions in one transaction, and hands it
/// to the uplink. While the disk refuses a flush it is kept, no shard is drained, and so the inputs
/// wait: nothing is lost, and nothing read twice.
pub struct Flusher {
    interval: Interval,
    context: FlusherContext,
    express: ExpressLimit,
    progress: Progress,
    partitions: u32,
    last_flush: Instant,
    last_upkeep: Instant,
    /// A flush that the disk refused, and when to try again.
    refused: Option<(Flush, Instant)>,
}

impl Flusher {
    /// A flusher that has not begun.
    #[must_use]
    pub fn new(interval: Interval, express: &Express, context: FlusherContext) -> Self {
        let now = Instant::now();
        let partitions = context.author.borrow().partitions;
        Self {
            interval,
            express: ExpressLimit::new(express.per_second_max, now),
            context,
            progress: Progress::default(),
            partitions,
            last_flush: now,
            last_upkeep: now,
            refused: None,
        }
    }

    /// Runs until the inputs have ended and the last flush is committed. An error is a spool that
    /// cannot be used any more. Either way nothing comes through the queues afterwards.
    pub async fn run(mut self) -> Result<(), SpoolError> {
        let ended = self.serve().await;
        self.context.live.finish();
        self.context.logs.finish();
        ended
    }

    async fn serve(&mut self) -> Result<(), SpoolError> {
        let aggregator = self.context.aggregator.clone();
        let inputs_ended = self.context.inputs_ended.clone();
        loop {
            // Asleep until there is something to do: most agents are idle most of the time, and each
            // wake-up costs more than what is done in it.
            tokio::select! {
                biased;
                () = inputs_ended.cancelled() => break,
                () = aggregator.signal().sooner() => self.urgent().await?,
                () = sleep_until(self.due()) => self.flush().await?,
            }
            self.upkeep().await?;
        }
        self.last().await
    }

    /// When the next ordinary flush is due.
    fn due(&self) -> Instant {
        match &self.refused {
            Some((_, retry_at)) => *retry_at,
            None => due(self.context.aggregator.signal().peek(), self.last_flush, &self.interval),
        }
    }

    /// Flushes at once what should not even wait for the short interval.
    async fn urgent(&mut self) -> Result<(), SpoolError> {
        let pending = self.context.aggregator.signal().peek();
        if pending.is_full() {
            return self.flush().await;
        }
        if pending.is_express() && self.express.take(Instant::now()) {
            self.context.state.update(|status| status.express += 1);
            metrics::counter!("goldentime_agent_express_flushes_total").increment(1);
            return self.flush().await;
        }
        Ok(())
    }

    /// The last flush, tried again at once where one was refused.
    async fn last(&mut self) -> Result<(), SpoolError> {
        if let Some((_, retry_at)) = &mut self.refused {
            *retry_at = Instant::now();
        }
        self.flush().await?;
        if let Some((flush, _)) = self.refused.take() {
            let samples = flush.records.iter().filter(|record| record.kind == RecordKind::Samples);
            let events = samples.map(|record| record.events).sum();
            tracing::error!(
                samples_lost = events,
                "stopping without room for the last flush: files are read again from their last position, \
                 samples are lost"
            );
            self.context.ledger.add("spool", "disk_full_at_stop", events);
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), SpoolError> {
        if let Some((flush, retry_at)) = self.refused.take() {
            if retry_at > Instant::now() {
                self.refused = Some((flush, retry_at));
                return Ok(());
            }
            self.commit(flush).await?;
            if self.refused.is_some() {
                return Ok(());
            }
        }
        let flush = self.take();
        if flush.records.is_empty() && flush.positions.is_empty() {
            return Ok(());
        }
        self.commit(flush).await
    }

    /// Takes what the shards hold.
    fn take(&mut self) -> Flush {
        let now = Instant::now();
        self.last_flush = now;
        let author = self.context.author.borrow().clone();
        if author.partitions != self.partitions {
            self.partitions = author.partitions;
            self.progress.forget_partitions();
        }
        // Before draining, so that what comes meanwhile raises it again.
        self.context.aggregator.signal().take();
        let mut batches = Vec::new();
        for (index, shard) in self.context.aggregator.shards().iter().enumerate() {
            let batch = shard.drain();
            self.progress.note_shard(index, batch.progress);
            for (reason, events) in &batch.drops {
                self.context.ledger.note(reason, *events);
            }
            if !batch.is_empty() {
                batches.push(batch);
            }
        }
        let reached = self.progress.reached();
        let mut builder = Builder::new(&author, self.corrected_now(), reached);
        for batch in batches {
            builder.add(batch);
        }
        let interval = self.interval.interval.get() - self.interval.watched_interval.get() / 2;
        builder.fed().for_each(|partition| self.progress.note_fed(partition));
        for partition in builder.told().collect::<Vec<_>>() {
            self.progress.note_told(partition, now);
        }
        if reached.is_some() {
            for partition in self.progress.untold(now, interval) {
                builder.add_bare(partition);
                self.progress.note_told(partition, now);
            }
        }
        self.context.state.update(|status| status.progress = reached);
        builder.finish()
    }

    async fn commit(&mut self, mut flush: Flush) -> Result<(), SpoolError> {
        let started = Instant::now();
        flush.flushed_at = self.corrected_now();
        let committed = match self.context.spool.commit(&flush).await {
            Ok(committed) => committed,
            Err(error) if error.is_corrupt() => return Err(error),
            Err(error) => {
                self.refuse(flush, &error);
                return Ok(());
            }
        };
        let took = started.elapsed();
        metrics::histogram!("goldentime_agent_flush_seconds").record(took.as_secs_f64());
        let events: u64 = flush.records.iter().map(|record| record.events).sum();
        let (logs, live): (Vec<_>, Vec<_>) =
            committed.into_iter().partition(|record| record.kind == RecordKind::Logs);
        self.context.live.push(live);
        self.context.logs.push(logs);
        self.context.state.update(|status| {
            if status.held_back.take().is_some() {
                tracing::info!("the spool takes flushes again; inputs go on");
            }
            status.flushes += 1;
            status.events += events;
            status.last_flushed_at = Some(flush.flushed_at);
            status.last_commit_ms = took.as_secs_f64() * 1e3;
        });
        Ok(())
    }

    /// Keeps a flush until there is room.
    fn refuse(&mut self, flush: Flush, error: &SpoolError) {
        metrics::counter!("goldentime_agent_flushes_refused_total").increment(1);
        let told = error.to_string();
        self.context.state.update(|status| {
            if status.held_back.as_ref() != Some(&told) {
                tracing::error!(error = error as &dyn std::error::Error, "a flush was refused; inputs wait");
                status.held_back = Some(told);
            }
        });
        self.refused = Some((flush, Instant::now() + RETRY_INTERVAL));
    }

    async fn upkeep(&mut self) -> Result<(), SpoolError> {
        let is_small = self.context.spool.usage().bytes <= SMALL_SPOOL_BYTES;
        let interval = if is_small { SMALL_UPKEEP_INTERVAL } else { UPKEEP_INTERVAL };
        if self.last_upkeep.elapsed() < interval {
            return Ok(());
        }
        self.last_upkeep = Instant::now();
        match self.context.spool.upkeep(self.corrected_now()).await {
            Err(error) if error.is_corrupt() => Err(error),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "upkeep of the spool failed");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn corrected_now(&self) -> UnixNanos {
        self.context.clock.now().saturating_add(self.context.aggregator.clock_offset())
    }
}

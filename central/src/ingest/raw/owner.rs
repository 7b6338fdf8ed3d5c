//! One partition of the raw topic, for as long as it is ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goldentime_kafka::{KafkaFailure, TransactionFailure, Transactions, Trouble};
use goldentime_log::kafka::{Assigned, Feed, GroupHandle, KafkaLogConfig, Tenure};
use goldentime_model::UnixNanos;
use goldentime_model::metric_names::DROPS_TOTAL;
use goldentime_runtime::SharedClock;
use tokio::time::{Instant, timeout_at};

use super::fold::{Fold, Folded, Raw};
use super::numbered::{Author, Prepared, Streams, Times};

/// Bytes of records after which a batch ends.
pub(super) const BATCH_BYTES_MAX: usize = 1 << 20;
/// Records after which a batch ends.
const BATCH_MAX: usize = 8192;
/// Pauses between attempts.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_LAST: Duration = Duration::from_secs(5);
/// How often it is said of partitions that there is nothing more of them.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What all owners of a central share.
pub(super) struct With {
    pub(super) config: KafkaLogConfig,
    pub(super) commit_interval: Duration,
    pub(super) sender_delay: Duration,
    pub(super) fold: Mutex<Fold>,
    pub(super) group: GroupHandle,
    pub(super) clock: SharedClock,
}

/// The owner of one partition.
pub(super) struct Owner {
    with: Arc<With>,
    partition: u32,
    author: Author,
    tenure: Tenure,
    streams: Streams,
    transactions: Transactions,
    /// Last offset that was committed.
    committed: u64,
    /// Partitions of judged records that anything was sent to, and when they were last told of progress.
    told: BTreeMap<u32, Instant>,
    progress: UnixNanos,
    end: End,
}

/// Whether the end of the partition was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is more, as far as it is known.
    Ahead,
    /// Everything was read that was there at this time.
    Reached(UnixNanos),
    /// Everything was read when the partition ended here.
    At(u64),
}

/// The partition is somebody else's, or nobody's.
struct Over;

/// Owns a partition to its end.
pub(super) async fn own(with: Arc<With>, assigned: Assigned) {
    let (partition, tenure) = (assigned.partition, assigned.tenure.clone());
    let Ok((streams, transactions, committed)) = open(&with, partition, &tenure).await else { return };
    tracing::info!(partition, committed, "a partition of the raw topic is ours");
    let mut feed = assigned.start(committed + 1);
    let author = Author::of(&with.config, partition);
    let (told, progress, end) = (BTreeMap::new(), UnixNanos(0), End::Ahead);
    let mut owner =
        Owner { with, partition, author, tenure, streams, transactions, committed, told, progress, end };
    while owner.step(&mut feed).await.is_ok() {}
}

/// Puts out whoever owned the partition before, and asks from where it goes on.
async fn open(with: &With, partition: u32, tenure: &Tenure) -> Result<(Streams, Transactions, u64), Over> {
    let config = &with.config;
    let id = format!("{}-{partition}", config.group);
    let bytes_max = config.record_bytes_max.as_usize();
    let mut again = AGAIN_FIRST;
    loop {
        let opened = async {
            let trouble = Trouble::default();
            let transactions = Transactions::open(&config.connection, &id, bytes_max, &trouble).await?;
            // Not before: the former owner's last transaction may have been committed until then.
            let committed = with.group.committed(partition).await?;
            Ok::<_, KafkaFailure>((transactions, committed))
        };
        let opened = tokio::select! {
            opened = opened => opened,
            () = tenure.ended() => return Err(Over),
        };
        match (opened, Streams::open()) {
            (Ok((transactions, committed)), Ok(streams)) => return Ok((streams, transactions, committed)),
            (Err(error), _) => {
                tracing::warn!(partition, %error, "the raw topic cannot be read yet; trying again")
            }
            (_, Err(error)) => {
                tracing::error!(partition, %error, "no random numbers for a stream; trying again")
            }
        }
        pause(&mut again, tenure).await?;
    }
}

async fn pause(again: &mut Duration, tenure: &Tenure) -> Result<(), Over> {
    let paused = tokio::time::timeout(*again, tenure.ended()).await;
    *again = (*again * 2).min(AGAIN_LAST);
    if paused.is_ok() { Err(Over) } else { Ok(()) }
}

impl Owner {
    /// Takes what comes next: a batch, or that nothing does.
    async fn step(&mut self, feed: &mut Feed) -> Result<(), Over> {
        let batch = self.collect(feed).await?;
        let Some(last) = batch.last().map(|raw| raw.entry.clone()) else { return self.idle().await };
        let records = batch.len() as u64;
        let with = Arc::clone(&self.with);
        // A whole batch takes longer than a worker should be held.
        let folded = tokio::task::spawn_blocking(move || {
            with.fold.lock().expect("whoever panicked ended the program").fold(&batch)
        });
        let folded = match folded.await {
            Ok(folded) => folded,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return Err(Over),
            },
        };
        let now = self.with.clock.now();
        self.reach(match self.end {
            End::Reached(at) => at,
            End::Ahead | End::At(_) => last.append_time,
        });
        let Folded { contents, refused, tally } = folded;
        let letters: Vec<&'static str> = refused.iter().map(|refused| refused.reason).collect();
        let due = self.due();
        let prepared = self.author.prepare(contents, refused, due, Times { now, progress: self.progress });
        self.commit(&prepared, last.offset).await?;
        metrics::counter!("goldentime_raw_records_total").increment(records);
        for (outcome, lines) in tally {
            metrics::counter!("goldentime_raw_lines_total", "outcome" => outcome).increment(lines);
        }
        let letters =
            letters.into_iter().chain(std::iter::repeat_n("too_large", prepared.too_large as usize));
        for reason in letters {
            metrics::counter!(DROPS_TOTAL, "component" => "raw", "reason" => reason).increment(1);
        }
        let behind_s = now.since(last.append_time).max(0) as f64 / 1e9;
        metrics::histogram!("goldentime_raw_lag_seconds").record(behind_s);
        Ok(())
    }

    /// Records as they come, for the interval from the first on; none when nothing comes.
    async fn collect(&mut self, feed: &mut Feed) -> Result<Vec<Raw>, Over> {
        let mut until = Instant::now() + TELL_EVERY;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(next) = timeout_at(until, feed.next()).await else { break };
            let Some(next) = next else {
                // What came already is brought home.
                if batch.is_empty() {
                    return Err(Over);
                }
                break;
            };
            if next.lost > 0 {
                metrics::counter!(DROPS_TOTAL, "component" => "raw", "reason" => "truncated_unread")
                    .increment(next.lost);
            }
            self.end = match next.entries.is_empty() {
                true => End::Reached(self.with.clock.now()),
                false => End::Ahead,
            };
            if batch.is_empty() && !next.entries.is_empty() {
                until = Instant::now() + self.with.commit_interval;
            }
            for (entry, key) in next.entries.into_iter().zip(next.keys) {
                bytes += entry.record.len() + key.len();
                batch.push(Raw { key, entry });
            }
        }
        Ok(batch)
    }

    /// Nothing came for a while: where that is because there is nothing, it is said.
    async fn idle(&mut self) -> Result<(), Over> {
        let asked = self.with.clock.now();
        let Ok(end) = self.with.group.end(self.partition).await else { return Ok(()) };
        let before = self.end;
        if before != End::Ahead {
            self.end = End::At(end);
        }
        // An end that moved may have records before it that are on their way.
        if end != self.committed && before != End::At(end) {
            return Ok(());
        }
        self.reach(asked);
        let due = self.due();
        if due.is_empty() {
            return Ok(());
        }
        let times = Times { now: asked, progress: self.progress };
        let prepared = self.author.prepare(Vec::new(), Vec::new(), due, times);
        self.commit(&prepared, self.committed).await
    }

    /// Everything that senders had at this time has been read. Progress is in whole seconds, so that a second's
    /// bucket lies before it or beyond it: what lies beyond is there, and is not expected once more.
    fn reach(&mut self, at: UnixNanos) {
        let delay_ns = i64::try_from(self.with.sender_delay.as_nanos()).unwrap_or(i64::MAX);
        self.progress = self.progress.max(at.saturating_add(-delay_ns).second().start());
    }

    /// Partitions that are to be told how far this is.
    fn due(&self) -> Vec<u32> {
        let is_due = |told: &Instant| told.elapsed() >= TELL_EVERY;
        self.told.iter().filter(|(_, told)| is_due(told)).map(|(partition, _)| *partition).collect()
    }

    /// Commits until it is done. What was read up to `offset` is then never read again.
    async fn commit(&mut self, prepared: &Prepared, offset: u64) -> Result<(), Over> {
        let mut again = AGAIN_FIRST;
        let mut numbered = self.streams.number(&self.author, prepared);
        loop {
            let failure = match self.with.group.sign(self.partition, offset) {
                None => TransactionFailure::Aborted(KafkaFailure::Stale),
                Some((offsets, member)) => {
                    let commit = self.transactions.commit(Arc::clone(&numbered.records), offsets, member);
                    let committed = tokio::select! {
                        committed = commit => committed,
                        () = self.tenure.ended() => return Err(Over),
                    };
                    match committed {
                        Ok(()) => break,
                        Err(failure) => failure,
                    }
                }
            };
            metrics::counter!("goldentime_raw_transactions_failed_total").increment(1);
            tracing::warn!(partition = self.partition, error = %failure, "a transaction was not committed; trying again");
            pause(&mut again, &self.tenure).await?;
            if let TransactionFailure::Over(_) = failure {
                let before = self.committed;
                self.open_anew().await?;
                if self.committed == offset && offset != before {
                    // It was, after all.
                    self.note(prepared);
                    return Ok(());
                }
                if self.committed != before {
                    tracing::error!(
                        partition = self.partition,
                        committed = self.committed,
                        expected = before,
                        "this group's offsets were moved: by another owner, which goes on, or by hand; then restart \
                         this central to read from there"
                    );
                    return Err(Over);
                }
                numbered = self.streams.number(&self.author, prepared);
            }
        }
        self.streams.sent(numbered);
        self.committed = offset;
        self.note(prepared);
        Ok(())
    }

    async fn open_anew(&mut self) -> Result<(), Over> {
        (self.streams, self.transactions, self.committed) =
            open(&self.with, self.partition, &self.tenure).await?;
        Ok(())
    }

    fn note(&mut self, prepared: &Prepared) {
        let now = Instant::now();
        self.told.extend(prepared.told().map(|partition| (partition, now)));
    }
}

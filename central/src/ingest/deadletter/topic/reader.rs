//! Writes what the topic holds to the database, as long as it is ours.
//!
//! A letter's place is committed after its row. Who is killed in between, or wakes when somebody else has the topic,
//! writes rows once more that are there: their places tell.

use std::sync::Arc;
use std::time::Duration;

use goldentime_log::Entry;
use goldentime_log::kafka::{Assigned, Batch, Feed, GroupEvent, GroupHandle, Letter, Tenure};
use goldentime_runtime::{SharedClock, Tasks};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::ingest::deadletter::config::DeadLettersConfig;
use crate::ingest::deadletter::post::{expired, held, not_kept};
use crate::ingest::deadletter::postgres::{Held, PostgresLetters};
use crate::ingest::deadletter::store::LettersError;
use crate::ingest::owners::{self, Names};

/// How often letters are looked for that are too old.
const RETAIN_EVERY: Duration = Duration::from_secs(60);
/// Pauses between attempts.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_LAST: Duration = Duration::from_secs(5);

/// Reads the topic.
pub(super) struct Reader {
    pub(super) store: PostgresLetters,
    pub(super) handle: GroupHandle,
    pub(super) owner: watch::Sender<Option<Tenure>>,
    pub(super) config: DeadLettersConfig,
    pub(super) clock: SharedClock,
    pub(super) stopping: CancellationToken,
}

/// The partition is somebody else's, or the central stops.
struct Over;

/// One partition of it.
struct Owner {
    with: Arc<Reader>,
    partition: u32,
    tenure: Tenure,
    held_bytes: i64,
    retain_at: Instant,
}

impl Reader {
    pub(super) async fn run(self, events: mpsc::Receiver<GroupEvent>, tasks: Tasks) {
        let with = Arc::new(self);
        let names =
            Names { topic: "deadletter", owner: "letters-partition", bring_home: "letters-bring-home" };
        owners::run(events, tasks, names, move |assigned| own(Arc::clone(&with), assigned)).await;
    }
}

async fn own(with: Arc<Reader>, assigned: Assigned) {
    let (partition, tenure) = (assigned.partition, assigned.tenure.clone());
    let next = assigned.committed + 1;
    let mut feed = assigned.start(next);
    // There is one; whoever added more reads them all and has the turn with the first.
    let is_first = partition == 0;
    if is_first {
        with.owner.send_replace(Some(tenure.clone()));
        tracing::info!("the dead letters of the cluster are kept here");
    }
    let mut owner = Owner { with, partition, tenure, held_bytes: 0, retain_at: Instant::now() };
    while owner.step(&mut feed).await.is_ok() {}
    if is_first {
        owner.with.owner.send_replace(None);
    }
}

impl Owner {
    /// Looks for what is too old if that is due, and takes what comes until it is again.
    async fn step(&mut self, feed: &mut Feed) -> Result<(), Over> {
        if Instant::now() >= self.retain_at {
            let pause = match self.retain().await? {
                Ok(()) => RETAIN_EVERY,
                Err(error) => {
                    tell("old dead letters cannot be dropped; trying again", &error);
                    AGAIN_LAST
                }
            };
            self.retain_at = Instant::now() + pause;
        }
        match timeout_at(self.retain_at, feed.next()).await {
            Ok(Some(batch)) => self.take(batch).await,
            Ok(None) => Err(Over),
            Err(_) => Ok(()),
        }
    }

    async fn take(&mut self, batch: Batch) -> Result<(), Over> {
        for _ in 0..batch.lost {
            not_kept("truncated_unread");
        }
        let entries = batch.entries.into_iter().zip(&batch.headers);
        let letters: Vec<(Letter, Entry)> =
            entries.map(|(entry, headers)| (Letter::read(headers, &entry), entry)).collect();
        let Some(last) = letters.last().map(|(_, entry)| entry.offset) else { return Ok(()) };
        self.held_bytes += self.keep(&letters).await?;
        if let Err(failure) = self.with.handle.commit(&[(self.partition, last)]).await {
            // What is read again is there already.
            tracing::debug!(error = %failure, "how far the dead letters were read is not committed");
        }
        if let Err(error) = self.make_room().await? {
            tell("no room can be made for dead letters; trying again with the next", &error);
        }
        Ok(())
    }

    /// Keeps letters, however long the database is away.
    async fn keep(&self, letters: &[(Letter, Entry)]) -> Result<i64, Over> {
        let mut again = AGAIN_FIRST;
        loop {
            match self.unless_over(self.with.store.keep(letters)).await? {
                Ok(bytes) => return Ok(bytes),
                Err(error) => {
                    metrics::counter!("goldentime_dead_letters_store_failures_total").increment(1);
                    // Only the first of a row of failures goes to the log.
                    if again == AGAIN_FIRST {
                        tell("dead letters wait in their topic; trying again", &error);
                    }
                }
            }
            self.unless_over(tokio::time::sleep(again)).await?;
            again = (again * 2).min(AGAIN_LAST);
        }
    }

    /// Drops what is too old, and counts anew what is held.
    async fn retain(&mut self) -> Result<Result<(), LettersError>, Over> {
        let retention = i64::try_from(self.with.config.retention.get().as_nanos()).unwrap_or(i64::MAX);
        let before = self.with.clock.now().saturating_add(-retention);
        let Held { letters, bytes, dropped } = match self.unless_over(self.with.store.expire(before)).await? {
            Ok(held) => held,
            Err(error) => return Ok(Err(error)),
        };
        expired("age", dropped);
        held(letters, bytes);
        self.held_bytes = bytes;
        self.make_room().await
    }

    /// Drops the oldest while all take more than allowed. What is just being replayed stays.
    async fn make_room(&mut self) -> Result<Result<(), LettersError>, Over> {
        let allowed = i64::try_from(self.with.config.bytes_max.get()).unwrap_or(i64::MAX);
        while self.held_bytes > allowed {
            let freed = match self.unless_over(self.with.store.drop_oldest()).await? {
                Ok(freed) if freed.is_empty() => break,
                Ok(freed) => freed,
                Err(error) => return Ok(Err(error)),
            };
            self.held_bytes -= freed.iter().sum::<i64>();
            expired("quota", freed.len() as u64);
        }
        Ok(Ok(()))
    }

    /// What a call gives, unless the partition is somebody else's before.
    async fn unless_over<T>(&self, call: impl Future<Output = T>) -> Result<T, Over> {
        tokio::select! {
            given = call => Ok(given),
            () = self.tenure.ended() => Err(Over),
            () = self.with.stopping.cancelled() => Err(Over),
        }
    }
}

fn tell(what: &str, error: &LettersError) {
    let error = error as &dyn std::error::Error;
    tracing::warn!(error, "{what}");
}

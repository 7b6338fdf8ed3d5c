//! The second reader of the log: one task for each database and partition.
//!
//! It reads from the database's own position, drops repeats by the database's own table, folds records
//! for a while, and commits rows, position and table in one transaction by compare-and-set. A database
//! that is full, locked or damaged makes this task wait and nothing else: the log holds what is
//! missing, and what the log drops meanwhile is counted as lost.

use std::sync::Arc;
use std::time::Duration;

use goldentime_follower::{Advance, BoxFuture, Committed, StoreError};
use goldentime_log::{LogError, ReadLog};
use goldentime_runtime::{TaskKind, Tasks};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::follower::Follower;
use super::health::Health;
use super::place::{Place, Taken};

/// Records that are read at a time.
const READ_MAX: u32 = 128;
/// Records that are folded before others may run: the thread is also that of merge and evaluation.
const YIELD_EVERY: usize = 8;
/// The log is asked for more this often, or as often as is committed.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// Pauses between attempts while the database takes nothing.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(5);
/// The last commit of a stop may take this long. Without it the next start reads a little more.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// How readers fold.
#[derive(Clone, Copy, Debug)]
pub struct ReaderSettings {
    /// Records are folded this long before they are committed.
    pub fold_for: Duration,
    /// Folded records of one partition are committed at this size in memory, in bytes. The records of
    /// one read may go over it.
    pub fold_bytes_max: usize,
}

/// A log that is followed.
#[derive(Clone)]
pub struct Followed {
    /// The log.
    pub log: Arc<dyn ReadLog>,
    /// Its partitions.
    pub partitions: u32,
    /// Their topic generation.
    pub generation: u32,
}

/// Begins readers for one database. Cheap to clone.
#[derive(Clone)]
pub struct Readers(Arc<dyn Fn(u32, CancellationToken) + Send + Sync>);

impl Readers {
    /// Readers of `log` for `follower`, of which there are none yet, and how they do.
    pub fn new<F: Follower>(
        tasks: &Tasks,
        follower: Arc<F>,
        followed: Followed,
        settings: ReaderSettings,
    ) -> (Self, Health) {
        let Followed { log, partitions, generation } = followed;
        let health = Health::new(follower.name(), partitions);
        let (tasks, told) = (tasks.clone(), health.clone());
        let begin = move |partition, stopping| {
            let reader = Reader {
                follower: Arc::clone(&follower),
                log: Arc::clone(&log),
                generation,
                partition,
                settings,
                health: told.clone(),
                stopping,
            };
            tasks.spawn(TaskKind::Station, "persist", reader.run());
        };
        (Self(Arc::new(begin)), health)
    }

    /// Begins to read a partition, until told to stop.
    pub fn begin(&self, partition: u32, stopping: CancellationToken) {
        (self.0)(partition, stopping);
    }
}

/// Reads one partition for one database.
pub struct Reader<F: Follower> {
    /// The database.
    pub follower: Arc<F>,
    /// The log.
    pub log: Arc<dyn ReadLog>,
    /// Its topic generation.
    pub generation: u32,
    /// The partition.
    pub partition: u32,
    /// How it folds.
    pub settings: ReaderSettings,
    /// Where it says how it does.
    pub health: Health,
    /// Cancelled when it has to end.
    pub stopping: CancellationToken,
}

/// How an attempt ended that is repeated until it succeeds.
enum Tried<T> {
    Done(T),
    Stopping,
}

impl<F: Follower> Reader<F> {
    /// Reads until told to stop; then commits what it has folded, if the database takes it.
    pub async fn run(self) {
        self.read_on().await;
        self.health.forget(self.partition);
    }

    async fn read_on(&self) {
        let Tried::Done(mut place) = self.resume().await else { return };
        loop {
            let folded = self.gather(&mut place).await;
            if place.has_news() {
                match self.commit(&mut place, &folded).await {
                    Tried::Done(true) => {}
                    Tried::Done(false) => match self.resume().await {
                        Tried::Done(again) => place = again,
                        Tried::Stopping => return,
                    },
                    Tried::Stopping => return,
                }
            }
            if self.stopping.is_cancelled() {
                return;
            }
        }
    }

    /// The place to go on from. A log that ends before it was made anew, and is read from its
    /// beginning: what of it is in the database already is a repeat.
    async fn resume(&self) -> Tried<Place> {
        let asked = self.try_until_stopped("read its position", || self.follower.position(self.partition));
        let Tried::Done(position) = asked.await else { return Tried::Stopping };
        let mut place = Place::resume(self.partition, self.generation, position.as_ref());
        if let Ok(bounds) = self.log.bounds(self.partition).await
            && bounds.last < place.offset()
        {
            let (store, reached) = (self.follower.name(), place.offset());
            tracing::warn!(
                store,
                partition = self.partition,
                reached,
                last = bounds.last,
                "the log ends before what is stored of it: it was made anew, and is read from its beginning"
            );
            place.go_to(bounds.first.saturating_sub(1));
        }
        self.health.stands(self.partition, place.offset(), place.log_time().now());
        Tried::Done(place)
    }

    /// Folds what the log has until it is time to commit.
    async fn gather(&self, place: &mut Place) -> F::Folded {
        let (mut folded, mut bytes) = (F::Folded::default(), 0);
        let mut due = None;
        while bytes < self.settings.fold_bytes_max && !self.stopping.is_cancelled() {
            match self.read(place, &mut folded).await {
                Ok(Some(grown)) => bytes += grown,
                Ok(None) => self.pause(self.settings.fold_for.min(POLL_EVERY)).await,
                Err(error) => {
                    tracing::warn!(
                        store = self.follower.name(),
                        partition = self.partition,
                        error = &error as &dyn std::error::Error,
                        "cannot read the log; trying again"
                    );
                    self.pause(RETRY_LAST).await;
                }
            }
            if place.has_news()
                && *due.get_or_insert(Instant::now() + self.settings.fold_for) <= Instant::now()
            {
                break;
            }
        }
        folded
    }

    /// Folds the next entries of the log; gives by how much memory grew, `None` at the log's end.
    async fn read(&self, place: &mut Place, folded: &mut F::Folded) -> Result<Option<usize>, LogError> {
        let bounds = self.log.bounds(self.partition).await?;
        let from = place.offset() + 1;
        self.health.log_ends(self.partition, bounds.last);
        if bounds.last < from {
            return Ok(None);
        }
        let entries = self.log.read(self.partition, from, READ_MAX).await?;
        let next = entries.first().map_or(bounds.last + 1, |first| first.offset);
        if next > from {
            // What lies before the log's beginning is gone; a database that is new begins there. A hole
            // further on holds nothing: its records never came into the log, and were or will be sent again.
            let first = self.log.bounds(self.partition).await?.first.min(next);
            if first > from && place.is_resumed() {
                self.tell_lost("log_truncated", first - from);
            }
            place.go_to(next - 1);
        }
        let (mut grown, mut repeats) = (0, 0);
        for (n, entry) in entries.into_iter().enumerate() {
            if n % YIELD_EVERY == YIELD_EVERY - 1 {
                tokio::task::yield_now().await;
            }
            match place.take(entry) {
                Taken::Fresh(logged) => grown += self.follower.fold(folded, &logged, place.log_time()),
                Taken::Repeat => repeats += 1,
                Taken::Damaged => self.health.lost(self.partition, "damaged", 1),
            }
        }
        if repeats > 0 {
            metrics::counter!("goldentime_persist_repeats_total", "store" => self.follower.name())
                .increment(repeats);
        }
        Ok(Some(grown))
    }

    /// Commits until it is done. Says whether the place still stands: not if somebody else moved the
    /// database on, or an attempt that seemed to fail had been taken.
    async fn commit(&self, place: &mut Place, folded: &F::Folded) -> Tried<bool> {
        let step: Advance = place.step();
        let began = Instant::now();
        let tried = if self.stopping.is_cancelled() {
            let last = tokio::time::timeout(FINISH_WITHIN, self.follower.commit(folded, &step)).await;
            match last {
                Ok(Ok(committed)) => committed,
                Ok(Err(error)) => {
                    self.tell_failed("commit before the end", &error, 1);
                    return Tried::Stopping;
                }
                Err(_) => return Tried::Stopping,
            }
        } else {
            match self.try_until_stopped("commit", || self.follower.commit(folded, &step)).await {
                Tried::Done(committed) => committed,
                Tried::Stopping => return Tried::Stopping,
            }
        };
        let Committed::Done { rows, .. } = tried else { return Tried::Done(false) };
        place.committed();
        self.health.stands(self.partition, place.offset(), place.log_time().now());
        self.health.committed(self.partition, rows, began.elapsed().as_secs_f64());
        Tried::Done(true)
    }

    /// Repeats `attempt` with growing pauses until it succeeds or the program stops.
    async fn try_until_stopped<'a, T>(
        &'a self,
        what: &'static str,
        attempt: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>,
    ) -> Tried<T> {
        let (mut pause, mut attempts) = (RETRY_FIRST, 0_u32);
        loop {
            let tried = tokio::select! {
                tried = attempt() => tried,
                () = self.stopping.cancelled() => return Tried::Stopping,
            };
            match tried {
                Ok(done) => {
                    if attempts > 0 {
                        let (store, partition) = (self.follower.name(), self.partition);
                        tracing::info!(store, partition, attempts, "the store answers again: {what}");
                    }
                    return Tried::Done(done);
                }
                Err(error) => {
                    attempts = attempts.saturating_add(1);
                    self.tell_failed(what, &error, attempts);
                }
            }
            self.tell_end().await;
            self.pause(pause).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
    }

    /// Notes a failure; the first of a row goes to the log, the others would only repeat it.
    fn tell_failed(&self, what: &'static str, error: &StoreError, attempts: u32) {
        self.health.failed(self.partition, error.chain());
        if attempts == 1 {
            tracing::warn!(
                store = self.follower.name(),
                partition = self.partition,
                error = %error.chain(),
                "cannot {what}; trying again until it can. Pages do not wait for it, and the log holds \
                 what is missing"
            );
        }
    }

    fn tell_lost(&self, reason: &'static str, records: u64) {
        tracing::error!(
            store = self.follower.name(),
            partition = self.partition,
            records,
            "the log dropped records before they were stored: raise log.retention and log.bytes_max, or \
             see why the store was away so long"
        );
        self.health.lost(self.partition, reason, records);
    }

    /// While nothing is read, how far behind it is grows.
    async fn tell_end(&self) {
        if let Ok(bounds) = self.log.bounds(self.partition).await {
            self.health.log_ends(self.partition, bounds.last);
        }
    }

    async fn pause(&self, length: Duration) {
        tokio::select! {
            () = tokio::time::sleep(length) => {}
            () = self.stopping.cancelled() => {}
        }
    }
}

//! The embedded log store: segment files in a folder, one writer, searches beside it.
//!
//! Invariants:
//! - A segment's blocks are numbered 1, 2, 3, … in the order of arrival; only the last one of the newest
//!   segment is ever written again, with more lines behind those that it had. So a line's place never
//!   changes.
//! - The newest segment holds the position of every partition. A segment that is damaged is set aside;
//!   the one before it then holds the positions from which the log fills in what is missing.
//! - A segment is dropped whole, the oldest first, never the newest.
//!
//! [`segment`] is a file, [`block`] what it is made of, [`write`] makes them; [`matcher`] is a query,
//! [`candidates`] the blocks that may hold what it means, [`newest`] the lines found, [`scan`] the
//! searches; [`retain`] drops what is old.

mod block;
#[cfg(test)]
mod block_tests;
mod candidates;
mod config;
mod error;
mod matcher;
mod newest;
mod readers;
mod retain;
mod scan;
mod segment;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use goldentime_follower::{Advance, BoxFuture, Committed, Position, StoreError};
use goldentime_model::UnixNanos;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

pub use self::config::LogsConfig;
use self::matcher::Range;
use self::readers::Readers;
use self::segment::Segment;
use self::write::{SegmentLimits, Writer};
use crate::line::{LineId, NewLine};
use crate::page::{Context, Histogram, Page, PageRequest, Span};
use crate::query::Query;
use crate::store::{Dropped, LogStore, StoreStats};

/// The embedded log store. It opens its files when they are first needed, and again after a failure: a
/// central starts, judges and pages whatever is wrong with them.
pub struct SqliteLogs {
    folder: PathBuf,
    limits: SegmentLimits,
    /// None before the first use, while a call has it, and after one that failed or was dropped.
    writer: Mutex<Option<Writer>>,
    /// By number; none until the folder was read.
    segments: StdMutex<Option<BTreeMap<u32, Segment>>>,
    readers: Readers,
    turns: Semaphore,
}

impl SqliteLogs {
    /// A store below `folder`, which it makes when it is first used.
    #[must_use]
    pub fn new(folder: PathBuf, config: &LogsConfig) -> Self {
        Self::with_limits(folder, config.segment_bytes(), config.segment_span())
    }

    /// A store whose segments are closed at these limits.
    #[must_use]
    pub fn with_limits(folder: PathBuf, segment_bytes: u64, segment_span: Duration) -> Self {
        Self {
            folder,
            limits: SegmentLimits { bytes: segment_bytes, span: segment_span },
            writer: Mutex::new(None),
            segments: StdMutex::new(None),
            readers: Readers::default(),
            turns: Semaphore::new(scan::SEARCHES_MAX),
        }
    }

    fn segments(&self) -> std::sync::MutexGuard<'_, Option<BTreeMap<u32, Segment>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_segment(&self, number: u32) -> bool {
        self.segments().as_ref().is_none_or(|segments| segments.contains_key(&number))
    }

    /// Whether a segment gets no more lines.
    fn is_sealed(&self, number: u32) -> bool {
        let segments = self.segments();
        segments.as_ref().and_then(|all| all.last_key_value()).is_some_and(|(newest, _)| number < *newest)
    }

    fn note(&self, segment: &Segment) {
        self.segments().get_or_insert_default().insert(segment.number, segment.clone());
    }

    /// The writer, for one call.
    async fn take_writer(&self, place: &mut Option<Writer>) -> Result<Writer, StoreError> {
        match place.take() {
            Some(writer) => Ok(writer),
            None => self.open_writer().await,
        }
    }

    /// Seals the writer's segment and begins the next one.
    async fn begin_next(&self, mut writer: Writer) -> Result<Writer, StoreError> {
        let number = writer.segment.number;
        let next = match writer.next(&self.folder).await {
            Ok(next) => next,
            Err(error) => return Err(self.leave(writer, error).await),
        };
        self.note(&next.segment);
        self.readers.forget(number);
        if let Err(error) = writer.close().await {
            tracing::warn!(%error, "a segment of the log store did not close");
        }
        Ok(next)
    }

    /// Lets go of a writer that failed, so that the next call opens the file anew. Searches go on.
    async fn leave(&self, writer: Writer, error: StoreError) -> StoreError {
        self.readers.hold(&self.folder, writer.segment.number).await;
        drop(writer);
        error
    }

    /// Reads the folder and opens the newest segment that is whole.
    async fn open_writer(&self) -> Result<Writer, StoreError> {
        const ACTION: &str = "read the folder";
        let io = |error| error::io_failed(ACTION, &self.folder, error);
        std::fs::create_dir_all(&self.folder).map_err(io)?;
        let mut numbers = segment::numbers(&self.folder).map_err(io)?;
        // A number is not given again: ids of lines hold it.
        let unused = numbers.last().map_or(1, |newest| newest + 1);
        let writer = loop {
            let Some(newest) = numbers.pop() else { break Writer::open(&self.folder, unused).await? };
            match Writer::open(&self.folder, newest).await {
                // A crash came between the making of a segment and the positions in it.
                Ok(writer) if writer.is_unborn && !numbers.is_empty() => {
                    drop(writer);
                    segment::remove(&self.folder, newest)?;
                }
                Ok(writer) => break writer,
                Err(error @ StoreError::Corrupt { .. }) => self.set_aside(newest, &error)?,
                Err(error) => return Err(error),
            }
        };
        let mut segments = BTreeMap::new();
        for number in numbers {
            if let Some(segment) = self.read_sealed(number).await? {
                segments.insert(number, segment);
            }
        }
        segments.insert(writer.segment.number, writer.segment.clone());
        *self.segments() = Some(segments);
        Ok(writer)
    }

    async fn read_sealed(&self, number: u32) -> Result<Option<Segment>, StoreError> {
        let known = self.segments().as_ref().and_then(|segments| segments.get(&number).cloned());
        if known.is_some() {
            return Ok(known);
        }
        let read = async {
            let mut connection = segment::open_reader(&self.folder, number, true).await?;
            segment::read_about(&mut connection, &self.folder, number).await
        };
        match read.await {
            Ok(segment) => Ok(Some(segment)),
            Err(error @ StoreError::Corrupt { .. }) => self.set_aside(number, &error).map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Moves a damaged segment out of the way, for whoever wants to look into it.
    fn set_aside(&self, number: u32, error: &StoreError) -> Result<(), StoreError> {
        tracing::error!(%error, "a segment of log lines is damaged; it is set aside as `.damaged`");
        metrics::counter!("goldentime_logs_segments_set_aside_total").increment(1);
        // The one before it may be written to again.
        if let Some(segments) = &mut *self.segments() {
            segments.remove(&number);
        }
        self.readers.clear();
        segment::set_aside(&self.folder, number)
    }

    /// Segments that reach into a stretch of time, the one with the newest line first.
    async fn overlapping(&self, range: Range) -> Result<Vec<Segment>, StoreError> {
        if self.segments().is_none() {
            let mut place = self.writer.lock().await;
            let writer = self.take_writer(&mut place).await?;
            *place = Some(writer);
        }
        let mut found: Vec<Segment> = match &*self.segments() {
            Some(segments) => segments.values().cloned().collect(),
            None => Vec::new(),
        };
        found.retain(|segment| segment.min_at <= range.last_at() && segment.max_at >= range.from.at);
        found.sort_by_key(|segment| std::cmp::Reverse((segment.max_at, segment.number)));
        Ok(found)
    }

    /// Waits until another search may begin. The semaphore is never closed.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }

    async fn store(&self, lines: &[NewLine], advance: &Advance) -> Result<Committed, StoreError> {
        let mut place = self.writer.lock().await;
        let mut writer = self.take_writer(&mut place).await?;
        if !lines.is_empty() && writer.is_full(&self.folder, self.limits, advance.log_time.0) {
            writer = self.begin_next(writer).await?;
        }
        let committed = match writer.append(&self.folder, lines, advance).await {
            Ok(Committed::Stale) => return Ok(Committed::Stale),
            Ok(committed) => committed,
            Err(error) => return Err(self.leave(writer, error).await),
        };
        self.note(&writer.segment);
        // What is stored is stored; the index is tried again with the next lines.
        match writer.index_if_due(&self.folder).await {
            Ok(()) => *place = Some(writer),
            Err(error) => {
                let error = self.leave(writer, error).await;
                tracing::warn!(%error, "blocks of log lines are not indexed yet");
            }
        }
        Ok(committed)
    }

    fn measure(&self) -> StoreStats {
        let segments = self.segments().clone().unwrap_or_default();
        let oldest = segments.values().map(|segment| segment.min_at).min().filter(|at| *at != i64::MAX);
        StoreStats {
            lines: segments.values().map(|segment| segment.lines).sum(),
            text_bytes: segments.values().map(|segment| segment.text_bytes).sum(),
            disk_bytes: segments.keys().map(|number| segment::disk_bytes(&self.folder, *number)).sum(),
            oldest: oldest.map(UnixNanos),
            set_aside: segment::set_aside_count(&self.folder),
        }
    }
}

impl LogStore for SqliteLogs {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn position(&self, partition: u32) -> BoxFuture<'_, Result<Option<Position>, StoreError>> {
        Box::pin(async move {
            let mut place = self.writer.lock().await;
            let mut writer = self.take_writer(&mut place).await?;
            let position = writer.position(&self.folder, partition).await?;
            *place = Some(writer);
            Ok(position)
        })
    }

    fn commit<'a>(
        &'a self,
        lines: &'a [NewLine],
        advance: &'a Advance,
    ) -> BoxFuture<'a, Result<Committed, StoreError>> {
        Box::pin(self.store(lines, advance))
    }

    fn search(&self, query: Query, page: PageRequest) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(self.find(query, page))
    }

    fn histogram(&self, query: Query, span: Span) -> BoxFuture<'_, Result<Histogram, StoreError>> {
        Box::pin(self.count(query, span))
    }

    fn context(
        &self,
        id: LineId,
        before: u32,
        after: u32,
    ) -> BoxFuture<'_, Result<Option<Context>, StoreError>> {
        Box::pin(self.around(id, before, after))
    }

    fn retain(&self, before: UnixNanos, bytes_max: u64) -> BoxFuture<'_, Result<Dropped, StoreError>> {
        Box::pin(self.drop_old(before, bytes_max))
    }

    fn stats(&self) -> BoxFuture<'_, Result<StoreStats, StoreError>> {
        Box::pin(async move { Ok(self.measure()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.readers.clear();
            if let Some(writer) = self.writer.lock().await.take()
                && let Err(error) = writer.close().await
            {
                tracing::warn!(%error, "a segment of the log store did not close");
            }
        })
    }
}

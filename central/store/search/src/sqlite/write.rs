//! The writer: batches into blocks, blocks into the index, segments one after the other.
//!
//! The last block of a segment is open: it is written anew with the lines that come, until it is full.
//! Full blocks are indexed in groups, since FTS5 pays for every commit; blocks that are not indexed yet
//! are few, and a search looks at each of them.

use std::path::Path;
use std::time::Duration;

use goldentime_follower::sqlite::position;
use goldentime_follower::{Advance, Committed, Position, StoreError};
use sqlx::{Connection, Row, SqliteConnection};

use super::block::{self, Block, Encoded};
use super::error::{failed, io_failed};
use super::segment::{self, Segment};
use crate::grams::Words;
use crate::line::NewLine;

/// Full blocks that wait for the index.
const TO_INDEX_MAX: u32 = 256;

/// A segment is closed at either limit.
#[derive(Clone, Copy)]
pub(super) struct SegmentLimits {
    pub(super) bytes: u64,
    pub(super) span: Duration,
}

/// The newest segment, open to write.
pub(super) struct Writer {
    connection: SqliteConnection,
    pub(super) segment: Segment,
    /// Lines of the last block, which is not full.
    open: Vec<NewLine>,
    open_bytes: usize,
    /// Last block in the index.
    indexed_to: u32,
    /// Transactions that the file has seen.
    writes: i64,
    /// Log time of its first lines.
    began: Option<i64>,
    words: Words,
    /// The file was made, but says of no partition where it stands.
    pub(super) is_unborn: bool,
}

/// What a commit writes, and how the segment ends with it.
struct Cut {
    rows: Vec<Written>,
    segment: Segment,
    open: Vec<NewLine>,
    open_bytes: usize,
}

/// A block on its way to the file.
struct Written {
    id: u32,
    newest: i64,
    block: Encoded,
}

impl Writer {
    /// Opens a segment and finds where it ends.
    pub(super) async fn open(folder: &Path, number: u32) -> Result<Self, StoreError> {
        let mut connection = segment::open_writer(folder, number).await?;
        let failed = |error| failed("read where a segment ends", &segment::path(folder, number), error);
        // A call that was dropped may still be at its transaction: its end is waited for. Whoever holds the file for
        // longer does not keep it from being read.
        if let Ok(turn) = connection.begin_with("BEGIN IMMEDIATE").await {
            turn.rollback().await.map_err(failed)?;
        }
        let segment = segment::read_about(&mut connection, folder, number).await?;
        let state =
            sqlx::query("SELECT indexed_to, writes, began FROM state").fetch_one(&mut connection).await;
        let (indexed_to, writes, began): (u32, i64, Option<i64>) =
            state.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).map_err(failed)?;
        let partitions: i64 = sqlx::query_scalar("SELECT count(*) FROM positions")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        let is_unborn = partitions == 0;
        let last: Option<Vec<u8>> = sqlx::query_scalar("SELECT data FROM texts WHERE id = ?")
            .bind(segment.last_block)
            .fetch_optional(&mut connection)
            .await
            .map_err(failed)?;
        let mut writer = Self {
            connection,
            segment,
            open: Vec::new(),
            open_bytes: 0,
            indexed_to,
            writes,
            began,
            words: Words::default(),
            is_unborn,
        };
        // A block that is in the index stays as it is; one that cannot be read too.
        if let Some(lines) =
            last.and_then(|data| read_all(&data)).filter(|_| writer.indexed_to < writer.segment.last_block)
        {
            writer.open_bytes = lines.iter().map(block::text_len).sum();
            if !is_full(lines.len(), writer.open_bytes) {
                writer.open = lines;
            }
        }
        Ok(writer)
    }

    /// Begins the next segment, which takes over where the partitions stand.
    pub(super) async fn next(&mut self, folder: &Path) -> Result<Self, StoreError> {
        self.index_all(folder).await?;
        self.write_back(folder).await?;
        let number = self.segment.number + 1;
        let place = segment::path(folder, number);
        let failed = |error| failed("begin a segment", &place, error);
        let partitions: Vec<u32> = sqlx::query_scalar("SELECT partition FROM positions")
            .fetch_all(&mut self.connection)
            .await
            .map_err(failed)?;
        let mut connection = segment::open_writer(folder, number).await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for partition in partitions {
            let Some(Position { mark, log_time, streams }) =
                position::load(&mut self.connection, partition).await.map_err(failed)?
            else {
                continue;
            };
            let step = Advance { partition, from: None, to: mark, log_time, streams, forget_before: None };
            position::advance(&mut transaction, &step).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Self {
            connection,
            segment: Segment::empty(number),
            open: Vec::new(),
            open_bytes: 0,
            indexed_to: 0,
            writes: 0,
            began: None,
            words: std::mem::take(&mut self.words),
            is_unborn: false,
        })
    }

    /// Whether lines that the log took at `now` belong into the next segment. Their own times do not
    /// matter: one stray line would end every segment.
    pub(super) fn is_full(&self, folder: &Path, limits: SegmentLimits, now: i64) -> bool {
        let span = i64::try_from(limits.span.as_nanos()).unwrap_or(i64::MAX);
        let is_old = self.began.is_some_and(|began| now.saturating_sub(began) > span);
        self.segment.last_block > 0
            && (is_old || segment::disk_bytes(folder, self.segment.number) > limits.bytes)
    }

    /// Where a partition stands.
    pub(super) async fn position(
        &mut self,
        folder: &Path,
        partition: u32,
    ) -> Result<Option<Position>, StoreError> {
        let loaded = position::load(&mut self.connection, partition).await;
        loaded.map_err(|error| failed("read a position", &segment::path(folder, self.segment.number), error))
    }

    /// Stores lines with their step, in one transaction.
    pub(super) async fn append(
        &mut self,
        folder: &Path,
        lines: &[NewLine],
        advance: &Advance,
    ) -> Result<Committed, StoreError> {
        let place = segment::path(folder, self.segment.number);
        let failed = |error| failed("store lines", &place, error);
        let cut = Cut {
            rows: Vec::new(),
            segment: self.segment.clone(),
            open: self.open.clone(),
            open_bytes: self.open_bytes,
        };
        let Cut { rows, segment, open, open_bytes } = make_blocks(cut, lines, &place).await?;
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        if !position::is_current(&mut transaction, advance).await.map_err(failed)? {
            return Ok(Committed::Stale);
        }
        for row in &rows {
            put_block(&mut transaction, row).await.map_err(failed)?;
        }
        position::advance(&mut transaction, advance).await.map_err(failed)?;
        let began = self.began.or((!lines.is_empty()).then_some(advance.log_time.0));
        count_write(&mut transaction, self.writes, self.indexed_to, began).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        self.writes += 1;
        self.began = began;
        (self.segment, self.open, self.open_bytes) = (segment, open, open_bytes);
        Ok(Committed::Done { rows: lines.len() as u64, dropped: 0 })
    }

    /// Indexes full blocks when there are many.
    pub(super) async fn index_if_due(&mut self, folder: &Path) -> Result<(), StoreError> {
        let full = self.segment.last_block - u32::from(!self.open.is_empty());
        if full - self.indexed_to >= TO_INDEX_MAX { self.index_to(folder, full).await } else { Ok(()) }
    }

    /// Indexes the last blocks of a segment that gets no more lines, and makes its index small.
    async fn index_all(&mut self, folder: &Path) -> Result<(), StoreError> {
        while self.indexed_to < self.segment.last_block {
            let to = self.segment.last_block.min(self.indexed_to + TO_INDEX_MAX);
            self.index_to(folder, to).await?;
        }
        let merge =
            sqlx::query("INSERT INTO grams (grams) VALUES ('optimize')").execute(&mut self.connection).await;
        let place = segment::path(folder, self.segment.number);
        merge.map(drop).map_err(|error| failed("merge a segment's index", &place, error))
    }

    /// Has everything on disk before the next segment says where the partitions stand: after a loss of
    /// power a position would else stand ahead of its lines.
    async fn write_back(&mut self, folder: &Path) -> Result<(), StoreError> {
        let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut self.connection).await;
        let place = segment::path(folder, self.segment.number);
        done.map(drop).map_err(|error| failed("write a segment back", &place, error))
    }

    async fn index_to(&mut self, folder: &Path, last: u32) -> Result<(), StoreError> {
        let place = segment::path(folder, self.segment.number);
        let failed = |error| failed("index blocks", &place, error);
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let mut text = String::new();
        for id in self.indexed_to + 1..=last {
            let data: Option<Vec<u8>> = sqlx::query_scalar("SELECT data FROM texts WHERE id = ?")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
            let read = data
                .and_then(|data| Block::decode(&data).and_then(|block| block.words(&mut self.words)).ok());
            if read.is_none() {
                metrics::counter!("goldentime_logs_damaged_blocks_total").increment(1);
                tracing::error!(place = %place.display(), block = id, "a block of log lines is damaged; it is not indexed");
                continue;
            }
            self.words.write(&mut text);
            sqlx::query("INSERT INTO grams (rowid, words) VALUES (?, ?)")
                .bind(id)
                .bind(&text)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        count_write(&mut transaction, self.writes, last, self.began).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        self.writes += 1;
        self.indexed_to = last;
        Ok(())
    }

    /// Closes the file.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

/// Cuts lines into blocks behind the open one. Lines of one service and host stay in order.
async fn make_blocks(mut cut: Cut, lines: &[NewLine], place: &Path) -> Result<Cut, StoreError> {
    // Like beside like compresses better, and leaves fewer blocks to look at.
    let mut lines: Vec<&NewLine> = lines.iter().collect();
    lines.sort_by(|a, b| (&a.service, &a.host).cmp(&(&b.service, &b.host)));
    let mut id = cut.segment.last_block + u32::from(cut.open.is_empty());
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        let bytes = block::text_len(line);
        cut.segment.lines += 1;
        cut.segment.text_bytes += bytes as u64;
        cut.open_bytes += bytes;
        cut.open.push(line.clone());
        let is_full = is_full(cut.open.len(), cut.open_bytes);
        if is_full || lines.peek().is_none() {
            let encoded =
                block::encode(&cut.open).map_err(|error| io_failed("compress lines", place, error))?;
            cut.segment.min_at = cut.segment.min_at.min(encoded.min_at);
            cut.segment.max_at = cut.segment.max_at.max(encoded.max_at);
            cut.segment.last_block = id;
            cut.rows.push(Written { id, newest: cut.segment.max_at, block: encoded });
            if is_full {
                cut.open.clear();
                cut.open_bytes = 0;
                id += 1;
            }
            // Alerts do not wait for compression.
            tokio::task::yield_now().await;
        }
    }
    Ok(cut)
}

fn is_full(lines: usize, bytes: usize) -> bool {
    lines >= block::LINES_MAX || bytes >= block::TEXT_BYTES_FULL
}

fn read_all(data: &[u8]) -> Option<Vec<NewLine>> {
    let block = Block::decode(data).ok()?;
    let lines = block.lines().ok()?;
    lines.metas.iter().map(|meta| lines.read(meta).ok()).collect()
}

async fn put_block(connection: &mut SqliteConnection, row: &Written) -> Result<(), sqlx::Error> {
    let Written { id, newest, block } = row;
    sqlx::query(
        "INSERT OR REPLACE INTO blocks (id, min_at, max_at, newest, lines, text_bytes, levels) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(block.min_at)
    .bind(block.max_at)
    .bind(newest)
    .bind(i64::try_from(block.lines).unwrap_or(i64::MAX))
    .bind(i64::try_from(block.text_bytes).unwrap_or(i64::MAX))
    .bind(&block.levels)
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT OR REPLACE INTO texts (id, data) VALUES (?, ?)")
        .bind(id)
        .bind(&block.data)
        .execute(connection)
        .await
        .map(drop)
}

/// Refuses to write over what another writer wrote since this one read where the segment ends.
async fn count_write(
    connection: &mut SqliteConnection,
    writes: i64,
    indexed_to: u32,
    began: Option<i64>,
) -> Result<(), sqlx::Error> {
    let counted =
        sqlx::query("UPDATE state SET writes = writes + 1, indexed_to = ?, began = ? WHERE writes = ?")
            .bind(indexed_to)
            .bind(began)
            .bind(writes)
            .execute(connection)
            .await?;
    if counted.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

//! The embedded log: SQLite files as segments.
//!
//! One segment is written at a time and holds all partitions, so that a group commit is one
//! transaction with one fsync (`synchronous=FULL`), whatever it is made of. Dropping old data is
//! deleting a file. A segment's index (first and last offset of each partition) is read once when the
//! log opens, and kept in memory. Each segment also notes at which offset every partition stood when it
//! began, so that a partition that fell silent holds no old segment back: its place is known without
//! its records. Another process may [`peek`] at the files; [`config`] is what can be set.

mod config;
pub mod peek;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex as StdMutex;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::TryStreamExt;
use goldentime_model::UnixNanos;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Executor, QueryBuilder, Row, Sqlite};
use tokio::sync::Mutex;

pub use config::LogConfig;

use crate::store::{Bounds, BoxFuture, Dropped, Entry, IngestLog, LogError, ReadLog};

/// Rows in one statement: four values each, far below SQLite's limit of 32,766.
const ROWS_PER_STATEMENT: usize = 128;
/// Layout of a segment, in its `user_version`.
const VERSION: i64 = 1;

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS records (\
     partition INTEGER NOT NULL, offset INTEGER NOT NULL, append_time INTEGER NOT NULL, \
     record BLOB NOT NULL, PRIMARY KEY (partition, offset)) WITHOUT ROWID; \
     CREATE TABLE IF NOT EXISTS starts (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL)";

/// Bytes after which a read ends, whatever it was asked for: records may have a mebibyte each.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The log below one folder.
pub struct SqliteLog {
    folder: PathBuf,
    segment_bytes: u64,
    /// Oldest first; the last one is written.
    segments: StdMutex<Vec<Segment>>,
    writer: Mutex<Writer>,
    reader: Mutex<Option<(u64, SqliteConnection)>>,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    number: u64,
    bytes: u64,
    newest: UnixNanos,
    partitions: BTreeMap<u32, Bounds>,
    /// Offset at which each partition goes on from here, unless it has entries here.
    starts: BTreeMap<u32, u64>,
}

struct Writer {
    connection: SqliteConnection,
}

impl SqliteLog {
    /// Opens the log below `folder`, or makes it there.
    pub async fn open(folder: &Path, segment_bytes: u64) -> Result<Self, LogError> {
        std::fs::create_dir_all(folder).map_err(|error| failed("make its folder", error))?;
        let mut segments = Vec::new();
        for number in numbers(folder).map_err(|error| failed("list its segments", error))? {
            segments.push(read_index(folder, number).await?);
        }
        if segments.is_empty() {
            segments.push(Segment { number: 1, ..Segment::default() });
        }
        let newest = segments[segments.len() - 1].number;
        let connection = connect(folder, newest, true).await?;
        let log = Self {
            folder: folder.to_owned(),
            segment_bytes,
            segments: StdMutex::new(segments),
            writer: Mutex::new(Writer { connection }),
            reader: Mutex::new(None),
        };
        // A crash may have come between the making of the newest segment and the note in it.
        let starts = log.places();
        let mut writer = log.writer.lock().await;
        log.note_starts(&mut writer.connection, &starts).await?;
        drop(writer);
        if let Some(newest) = log.index().last_mut() {
            newest.starts.extend(starts);
        }
        Ok(log)
    }

    fn index(&self) -> std::sync::MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bounds_of(&self, partition: u32) -> Bounds {
        let segments = self.index();
        let entries = segments.iter().filter_map(|segment| segment.partitions.get(&partition));
        let starts = segments.iter().filter_map(|segment| segment.starts.get(&partition));
        let noted = starts.max().map_or(0, |next| next - 1);
        let last = entries.clone().map(|bounds| bounds.last).max().unwrap_or(0).max(noted);
        Bounds { first: entries.clone().next().map_or(last + 1, |bounds| bounds.first), last }
    }

    /// The next offset of every partition that is known.
    fn places(&self) -> BTreeMap<u32, u64> {
        let known: Vec<u32> = {
            let segments = self.index();
            let all =
                segments.iter().flat_map(|segment| segment.partitions.keys().chain(segment.starts.keys()));
            all.copied().collect()
        };
        known.into_iter().map(|partition| (partition, self.bounds_of(partition).last + 1)).collect()
    }

    /// Writes into a segment where partitions stand.
    async fn note_starts(
        &self,
        connection: &mut SqliteConnection,
        starts: &BTreeMap<u32, u64>,
    ) -> Result<(), LogError> {
        let failed = |error: sqlx::Error| self.failed("note where partitions stand", error);
        let mut transaction = connection.begin().await.map_err(failed)?;
        for (partition, next) in starts {
            sqlx::query(
                "INSERT INTO starts VALUES (?, ?) \
                 ON CONFLICT (partition) DO UPDATE SET next = max(next, excluded.next)",
            )
            .bind(i64::from(*partition))
            .bind(i64::try_from(*next).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    async fn advance_to(&self, partition: u32, next: u64) -> Result<(), LogError> {
        if self.bounds_of(partition).last + 1 >= next {
            return Ok(());
        }
        let starts = BTreeMap::from([(partition, next)]);
        let mut writer = self.writer.lock().await;
        self.mend(&mut writer).await?;
        self.note_starts(&mut writer.connection, &starts).await?;
        if let Some(newest) = self.index().last_mut() {
            newest.starts.extend(starts);
        }
        Ok(())
    }

    async fn write(&self, entries: &[Entry]) -> Result<(), LogError> {
        let mut writer = self.writer.lock().await;
        self.mend(&mut writer).await?;
        self.check_order(entries)?;
        if self.is_segment_full() {
            self.next_segment(&mut writer).await?;
        }
        let failed = |error: sqlx::Error| self.failed("append", error);
        let mut transaction = writer.connection.begin().await.map_err(failed)?;
        for rows in entries.chunks(ROWS_PER_STATEMENT) {
            let mut insert: QueryBuilder<Sqlite> =
                QueryBuilder::new("INSERT INTO records (partition, offset, append_time, record) ");
            insert.push_values(rows, |mut row, entry| {
                row.push_bind(i64::from(entry.partition))
                    .push_bind(i64::try_from(entry.offset).unwrap_or(i64::MAX))
                    .push_bind(entry.append_time.0)
                    // The one copy on the way to the disk: the driver's thread wants its own bytes.
                    .push_bind(&entry.record[..]);
            });
            insert.build().execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        let mut segments = self.index();
        let Some(segment) = segments.last_mut() else { return Ok(()) };
        for entry in entries {
            let bounds = segment
                .partitions
                .entry(entry.partition)
                .or_insert(Bounds { first: entry.offset, last: entry.offset });
            bounds.last = entry.offset;
            segment.bytes += entry.record.len() as u64;
            segment.newest = segment.newest.max(entry.append_time);
        }
        Ok(())
    }

    /// Replaces a connection that a failed write left inside of a transaction, as
    /// [`goldentime_sqlite::pool`] does: the commit of a part leaves nothing on the disk though it
    /// succeeds.
    async fn mend(&self, writer: &mut Writer) -> Result<(), LogError> {
        if !writer.connection.is_in_transaction() {
            return Ok(());
        }
        let newest = self.index().last().map(|segment| segment.number);
        if let Some(number) = newest {
            writer.connection = connect(&self.folder, number, false).await?;
        }
        Ok(())
    }

    fn check_order(&self, entries: &[Entry]) -> Result<(), LogError> {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        for &Entry { partition, offset, .. } in entries {
            let last = last.entry(partition).or_insert_with(|| self.bounds_of(partition).last);
            if offset != *last + 1 {
                return Err(LogError::Order { partition, offset, last: *last });
            }
            *last = offset;
        }
        Ok(())
    }

    fn is_segment_full(&self) -> bool {
        self.index().last().is_some_and(|segment| segment.bytes >= self.segment_bytes)
    }

    async fn next_segment(&self, writer: &mut Writer) -> Result<(), LogError> {
        let number = self.index().last().map_or(1, |segment| segment.number + 1);
        let starts = self.places();
        let mut connection = connect(&self.folder, number, true).await?;
        self.note_starts(&mut connection, &starts).await?;
        writer.connection = connection;
        self.index().push(Segment { number, starts, ..Segment::default() });
        Ok(())
    }

    async fn read_from(&self, partition: u32, from: u64, max: u32) -> Result<Vec<Entry>, LogError> {
        let place = self.index().iter().find_map(|segment| {
            let bounds = segment.partitions.get(&partition)?;
            (bounds.last >= from).then_some(segment.number)
        });
        let Some(number) = place else { return Ok(Vec::new()) };
        let mut reader = self.reader.lock().await;
        if reader.as_ref().is_none_or(|(open, _)| *open != number) {
            *reader = Some((number, connect(&self.folder, number, false).await?));
        }
        let Some((_, connection)) = reader.as_mut() else { return Ok(Vec::new()) };
        let mut rows = sqlx::query(
            "SELECT offset, append_time, record FROM records \
             WHERE partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
        )
        .bind(i64::from(partition))
        .bind(i64::try_from(from).unwrap_or(i64::MAX))
        .bind(i64::from(max))
        .fetch(connection);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while bytes < READ_BYTES_MAX
            && let Some(row) = rows.try_next().await.map_err(|error| self.failed("read", error))?
        {
            let record = Bytes::from(row.get::<Vec<u8>, _>(2));
            bytes += record.len();
            entries.push(Entry {
                partition,
                offset: u64::try_from(row.get::<i64, _>(0)).unwrap_or(0),
                append_time: UnixNanos(row.get(1)),
                record,
            });
        }
        Ok(entries)
    }

    async fn drop_old(&self, before: UnixNanos, bytes_max: u64) -> Result<Dropped, LogError> {
        let mut dropped = Dropped::default();
        loop {
            let oldest = {
                let mut segments = self.index();
                let total: u64 = segments.iter().map(|segment| segment.bytes).sum();
                let is_due = |segment: &Segment| segment.newest < before || total > bytes_max;
                match segments.first() {
                    Some(oldest) if is_due(oldest) && segments.len() > 1 => segments.remove(0),
                    _ => return Ok(dropped),
                }
            };
            let mut reader = self.reader.lock().await;
            if reader.as_ref().is_some_and(|(open, _)| *open == oldest.number) {
                *reader = None;
            }
            drop(reader);
            remove(&self.folder, oldest.number)?;
            dropped.bytes += oldest.bytes;
            dropped.records +=
                oldest.partitions.values().map(|bounds| bounds.last + 1 - bounds.first).sum::<u64>();
        }
    }

    fn failed(&self, action: &'static str, error: sqlx::Error) -> LogError {
        if goldentime_sqlite::is_full(&error) {
            LogError::Full { folder: self.folder.display().to_string() }
        } else {
            failed(action, error)
        }
    }
}

impl ReadLog for SqliteLog {
    fn read(&self, partition: u32, from: u64, max: u32) -> BoxFuture<'_, Result<Vec<Entry>, LogError>> {
        Box::pin(self.read_from(partition, from, max))
    }

    fn bounds(&self, partition: u32) -> BoxFuture<'_, Result<Bounds, LogError>> {
        Box::pin(async move { Ok(self.bounds_of(partition)) })
    }
}

impl IngestLog for SqliteLog {
    fn append<'a>(&'a self, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), LogError>> {
        Box::pin(self.write(entries))
    }

    fn advance(&self, partition: u32, next: u64) -> BoxFuture<'_, Result<(), LogError>> {
        Box::pin(self.advance_to(partition, next))
    }

    fn truncate(&self, before: UnixNanos, bytes_max: u64) -> BoxFuture<'_, Result<Dropped, LogError>> {
        Box::pin(self.drop_old(before, bytes_max))
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("segment-{number:012}.db"))
}

/// Numbers of the segments in a folder, ascending.
fn numbers(folder: &Path) -> std::io::Result<Vec<u64>> {
    let entries = std::fs::read_dir(folder)?;
    let mut numbers: Vec<u64> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_prefix("segment-")?.strip_suffix(".db")?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

async fn connect(folder: &Path, number: u64, write: bool) -> Result<SqliteConnection, LogError> {
    let options = SqliteConnectOptions::new()
        .filename(path(folder, number))
        .create_if_missing(write)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(std::time::Duration::from_secs(5))
        .pragma("cache_size", "-2048");
    let open = |error| failed("open a segment", error);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(open)?;
    if write {
        connection.execute(SCHEMA).await.map_err(open)?;
        connection.execute(sqlx::query("PRAGMA user_version = 1")).await.map_err(open)?;
    }
    Ok(connection)
}

async fn read_index(folder: &Path, number: u64) -> Result<Segment, LogError> {
    let mut connection = connect(folder, number, true).await?;
    let index = |error| failed("read a segment's index", error);
    let version: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut connection).await.map_err(index)?;
    if version > VERSION {
        let detail =
            format!("segment {number} has layout {version}, this version knows up to {VERSION}; upgrade");
        return Err(failed("read a segment's index", std::io::Error::other(detail)));
    }
    let bytes = std::fs::metadata(path(folder, number)).map_or(0, |file| file.len());
    let mut segment = Segment { number, bytes, ..Segment::default() };
    let starts: Vec<(i64, i64)> = sqlx::query_as("SELECT partition, next FROM starts")
        .fetch_all(&mut connection)
        .await
        .map_err(index)?;
    segment.starts = starts
        .into_iter()
        .filter_map(|(partition, next)| Some((u32::try_from(partition).ok()?, u64::try_from(next).ok()?)))
        .filter(|(_, next)| *next > 0)
        .collect();
    // By the key's ends, partition after partition: a segment is never scanned.
    let mut after = -1_i64;
    loop {
        let first = sqlx::query(
            "SELECT partition, offset FROM records WHERE partition > ? ORDER BY partition, offset LIMIT 1",
        );
        let Some(first) = first.bind(after).fetch_optional(&mut connection).await.map_err(index)? else {
            return Ok(segment);
        };
        after = first.get(0);
        let last = sqlx::query(
            "SELECT offset, append_time FROM records WHERE partition = ? ORDER BY offset DESC LIMIT 1",
        );
        let last = last.bind(after).fetch_one(&mut connection).await.map_err(index)?;
        let number = |row: &sqlx::sqlite::SqliteRow, at| u64::try_from(row.get::<i64, _>(at)).unwrap_or(0);
        let bounds = Bounds { first: number(&first, 1), last: number(&last, 0) };
        segment.partitions.insert(u32::try_from(after).unwrap_or(u32::MAX), bounds);
        segment.newest = segment.newest.max(UnixNanos(last.get(1)));
    }
}

/// Removes a segment and what SQLite keeps beside it.
fn remove(folder: &Path, number: u64) -> Result<(), LogError> {
    let path = path(folder, number);
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("drop an old segment", error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn failed(action: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> LogError {
    LogError::Unavailable { action, source: Box::new(error) }
}

//! One segment: a SQLite file of blocks in the order of their arrival.

use std::path::{Path, PathBuf};
use std::time::Duration;

use goldentime_follower::StoreError;
use goldentime_follower::sqlite::POSITION_TABLES;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::error::{failed, io_failed};
use super::readers::CACHE_BYTES;

/// Layout of a segment, kept as the file's `user_version`.
const LAYOUT: i64 = 1;
const SCHEMA: &str = include_str!("../../../../../migrations/sqlite/logs/0001_blocks.sql");
/// Blocks of a few kilobytes leave little of a page this large unused.
const PAGE_BYTES: u32 = 16 * 1024;
const DAMAGED_SUFFIX: &str = ".damaged";
/// What a write-ahead log that was written back may keep of its file, in bytes: the merge of a segment's
/// index makes it large.
const JOURNAL_BYTES_MAX: u32 = 16 << 20;
/// How long a lock that another process holds is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known of a segment without opening it.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) min_at: i64,
    pub(super) max_at: i64,
    pub(super) lines: u64,
    pub(super) text_bytes: u64,
    /// Last block; 0: none.
    pub(super) last_block: u32,
}

impl Segment {
    pub(super) const fn empty(number: u32) -> Self {
        Self { number, min_at: i64::MAX, max_at: i64::MIN, lines: 0, text_bytes: 0, last_block: 0 }
    }
}

pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("segment-{number:08}.db"))
}

/// Numbers of the segments in a folder, ascending.
pub(super) fn numbers(folder: &Path) -> std::io::Result<Vec<u32>> {
    let mut numbers: Vec<u32> = std::fs::read_dir(folder)?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_prefix("segment-")?.strip_suffix(".db")?.parse().ok()
        })
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The file and what SQLite keeps beside it.
pub(super) fn files(folder: &Path, number: u32) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path(folder, number).into_os_string();
        name.push(suffix);
        name.into()
    })
}

/// Bytes that a segment takes on disk.
pub(super) fn disk_bytes(folder: &Path, number: u32) -> u64 {
    files(folder, number).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// Removes a segment.
pub(super) fn remove(folder: &Path, number: u32) -> Result<(), StoreError> {
    for file in files(folder, number) {
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_failed("drop an old segment", &file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes a damaged segment out of the numbers.
pub(super) fn set_aside(folder: &Path, number: u32) -> Result<(), StoreError> {
    for file in files(folder, number) {
        let mut aside = file.clone().into_os_string();
        aside.push(DAMAGED_SUFFIX);
        match std::fs::rename(&file, &aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_failed("set a damaged segment aside", &file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Segments that were set aside and are still there.
pub(super) fn set_aside_count(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let is_aside = |name: &str| name.ends_with(&format!(".db{DAMAGED_SUFFIX}"));
    entries.filter_map(Result::ok).filter(|entry| entry.file_name().to_str().is_some_and(is_aside)).count()
        as u64
}

/// Opens a segment to write, and makes it if it is not there.
pub(super) async fn open_writer(folder: &Path, number: u32) -> Result<SqliteConnection, StoreError> {
    const ACTION: &str = "open a segment";
    let place = path(folder, number);
    let options = options(&place)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("journal_size_limit", JOURNAL_BYTES_MAX.to_string());
    let mut connection = options.connect().await.map_err(|error| failed(ACTION, &place, error))?;
    let layout = layout(&mut connection).await.map_err(|error| failed(ACTION, &place, error))?;
    if layout > LAYOUT {
        let place = place.display().to_string();
        return Err(StoreError::Newer { place, found: layout, known: LAYOUT });
    }
    if layout == 0 {
        let mut transaction =
            connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(ACTION, &place, error))?;
        for step in [POSITION_TABLES, SCHEMA, "PRAGMA user_version = 1"] {
            let taken = sqlx::raw_sql(step).execute(&mut *transaction).await;
            taken.map_err(|error| failed(ACTION, &place, error))?;
        }
        transaction.commit().await.map_err(|error| failed(ACTION, &place, error))?;
    }
    Ok(connection)
}

/// Opens a segment that is there, to read.
///
/// One that is `sealed` gets no more lines. It is read without locks and without the files that SQLite
/// would make beside it: a search must go on where the disk is full.
pub(super) async fn open_reader(
    folder: &Path,
    number: u32,
    sealed: bool,
) -> Result<SqliteConnection, StoreError> {
    let place = path(folder, number);
    let [_, journal, _] = files(folder, number);
    let is_whole = !std::fs::metadata(journal).is_ok_and(|journal| journal.len() > 0);
    let opened = options(&place).read_only(true).immutable(sealed && is_whole).connect().await;
    opened.map_err(|error| failed("open a segment", &place, error))
}

/// Reads a little, by which a connection joins those that share the segment's memory.
pub(super) async fn touch(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT indexed_to FROM state").fetch_one(connection).await.map(drop)
}

fn options(place: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(place)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", format!("-{}", CACHE_BYTES / 1024))
        .disable_statement_logging()
}

async fn layout(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA user_version").fetch_one(connection).await?.try_get(0)
}

/// Reads what is known of a segment.
pub(super) async fn read_about(
    connection: &mut SqliteConnection,
    folder: &Path,
    number: u32,
) -> Result<Segment, StoreError> {
    let row = sqlx::query(
        "SELECT coalesce(min(min_at), 9223372036854775807), coalesce(max(max_at), -9223372036854775808), \
         coalesce(sum(lines), 0), coalesce(sum(text_bytes), 0), coalesce(max(id), 0) FROM blocks",
    );
    let read = async {
        let row = row.fetch_one(connection).await?;
        let count =
            |index: usize| Ok::<_, sqlx::Error>(u64::try_from(row.try_get::<i64, _>(index)?).unwrap_or(0));
        Ok(Segment {
            number,
            min_at: row.try_get(0)?,
            max_at: row.try_get(1)?,
            lines: count(2)?,
            text_bytes: count(3)?,
            last_block: u32::try_from(count(4)?).unwrap_or(u32::MAX),
        })
    };
    read.await.map_err(|error: sqlx::Error| failed("read what a segment holds", &path(folder, number), error))
}

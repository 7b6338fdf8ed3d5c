//! The file that holds the windows as of each partition's last checkpoint.
//!
//! Write-ahead log with `synchronous=NORMAL`: a commit is whole or absent after a power loss too, and
//! may then be absent although it was reported; an older checkpoint only makes the restart read more
//! of the log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use goldentime_model::{Second, UnixNanos};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous,
};
use sqlx::{Connection, Row, Sqlite, Transaction};

use super::BACKEND;
use crate::checkpoint::{Checkpoint, StreamPosition};
use crate::error::StoreError;
use crate::store::{CellKey, StoredCell, Tier};
use crate::view::CellView;

/// Every step of the layout ever taken, in order; a step that has left the house is never edited.
const STEPS: [&str; 2] = [
    include_str!("../../../../../migrations/sqlite/windows/0001_cells_and_checkpoints.sql"),
    include_str!("../../../../../migrations/sqlite/windows/0002_learned.sql"),
];

/// Notes how many steps the file has taken, within the transaction that takes them.
const NOTE_STEPS: &str = "PRAGMA user_version = 2";

/// How long a write waits for a lock that another process holds before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of one stream's position.
const POSITION_BYTES: usize = 32;

#[derive(Debug)]
pub(super) struct CheckpointFile {
    pool: SqlitePool,
    path: PathBuf,
}

impl CheckpointFile {
    /// Opens the file, makes it if it is not there, and brings it to this version's layout.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = goldentime_sqlite::pool(1)
            .connect_with(options)
            .await
            .map_err(|error| unavailable("open the checkpoint file", error))?;
        let file = Self { pool, path: path.to_owned() };
        file.migrate().await?;
        Ok(file)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let failed = |error| unavailable("bring the checkpoint file to this version's layout", error);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let found: i64 = sqlx::query("PRAGMA user_version")
            .fetch_one(&mut *tx)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(failed)?;
        let known = STEPS.len();
        let found = usize::try_from(found).unwrap_or(usize::MAX);
        if found > known {
            return Err(StoreError::Newer {
                backend: BACKEND,
                place: self.path.display().to_string(),
                found: found as u64,
                known: known as u64,
            });
        }
        for step in &STEPS[found..] {
            sqlx::raw_sql(*step).execute(&mut *tx).await.map_err(failed)?;
        }
        sqlx::raw_sql(NOTE_STEPS).execute(&mut *tx).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }

    /// Every partition's checkpoint.
    pub(super) async fn checkpoints(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let rows = sqlx::query("SELECT * FROM checkpoints").fetch_all(&self.pool).await;
        let rows = rows.map_err(|error| unavailable("read the checkpoints", error))?;
        rows.iter().map(|row| self.checkpoint_of(row)).collect()
    }

    /// Hands each cell to `take`, one by one: there may be as many as memory holds.
    pub(super) async fn load_cells(&self, mut take: impl FnMut(StoredCell)) -> Result<(), StoreError> {
        const SQL: &str = "SELECT partition, tier, start, service, offset, cell FROM cells";
        let mut rows = sqlx::query(SQL).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(|error| unavailable("read the cells", error))? {
            take(self.cell_of(&row)?);
        }
        Ok(())
    }

    /// Writes cells and checkpoint, and deletes what has expired, all in one transaction.
    pub(super) async fn save(&self, cells: &[StoredCell], checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let failed = |error| unavailable("save a checkpoint", error);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        for cell in cells {
            put_cell(&mut tx, cell).await.map_err(failed)?;
        }
        for tier in [Tier::OneSecond, Tier::TenSeconds] {
            sqlx::query("DELETE FROM cells WHERE partition = ? AND tier = ? AND start < ?")
                .bind(checkpoint.partition)
                .bind(tier.width_s())
                .bind(tier.first_kept(checkpoint.watermark).0)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        put_checkpoint(&mut tx, checkpoint).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }

    /// A partition's checkpoint.
    pub(super) async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        let row = sqlx::query("SELECT * FROM checkpoints WHERE partition = ?")
            .bind(partition)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| unavailable("read a checkpoint", error))?;
        row.map(|row| self.checkpoint_of(&row)).transpose()
    }

    /// Waits for running calls and closes the file.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    fn checkpoint_of(&self, row: &SqliteRow) -> Result<Checkpoint, StoreError> {
        let corrupt = |_| self.corrupt("a checkpoint");
        let streams: &[u8] = row.try_get("streams").map_err(corrupt)?;
        let (positions, rest) = streams.as_chunks::<POSITION_BYTES>();
        if !rest.is_empty() {
            return Err(self.corrupt("a checkpoint's table of streams"));
        }
        Ok(Checkpoint {
            partition: row.try_get("partition").map_err(corrupt)?,
            offset: row.try_get::<i64, _>("offset").map_err(corrupt)? as u64,
            log_time: UnixNanos(row.try_get("log_time_ns").map_err(corrupt)?),
            generation: row.try_get("generation").map_err(corrupt)?,
            table: positions.iter().map(decode_position).collect(),
            watermark: Second(row.try_get("watermark").map_err(corrupt)?),
            learned: row.try_get("learned").map_err(corrupt)?,
        })
    }

    fn cell_of(&self, row: &SqliteRow) -> Result<StoredCell, StoreError> {
        let corrupt = |_| self.corrupt("a cell");
        let service: &str = row.try_get("service").map_err(corrupt)?;
        let start = Second(row.try_get("start").map_err(corrupt)?);
        let what = format!("the cell of {service} at {} s", start.0);
        let tier = match row.try_get::<i64, _>("tier").map_err(corrupt)? {
            1 => Tier::OneSecond,
            10 => Tier::TenSeconds,
            _ => return Err(self.corrupt(&what)),
        };
        let blob: &[u8] = row.try_get("cell").map_err(corrupt)?;
        CellView::new(blob).map_err(|error| self.corrupt(&format!("{what} ({error})")))?;
        Ok(StoredCell {
            key: CellKey { service: service.parse().map_err(|_| self.corrupt(&what))?, tier, start },
            partition: row.try_get("partition").map_err(corrupt)?,
            offset: row.try_get::<i64, _>("offset").map_err(corrupt)? as u64,
            blob: Bytes::copy_from_slice(blob),
        })
    }

    fn corrupt(&self, what: &str) -> StoreError {
        let path = self.path.display();
        let what = format!("{path}: {what} (move the file away; windows are rebuilt from the log)");
        StoreError::Corrupt { backend: BACKEND, what }
    }
}

async fn put_cell(tx: &mut Transaction<'_, Sqlite>, cell: &StoredCell) -> Result<(), sqlx::Error> {
    const SQL: &str =
        "INSERT INTO cells (partition, tier, start, service, offset, cell) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET offset = excluded.offset, cell = excluded.cell
        WHERE excluded.offset > cells.offset";
    let insert = sqlx::query(SQL)
        .bind(cell.partition)
        .bind(cell.key.tier.width_s())
        .bind(cell.key.start.0)
        .bind(cell.key.service.as_str())
        .bind(cell.offset as i64)
        .bind(&cell.blob[..]);
    insert.execute(&mut **tx).await.map(drop)
}

async fn put_checkpoint(
    tx: &mut Transaction<'_, Sqlite>,
    checkpoint: &Checkpoint,
) -> Result<(), sqlx::Error> {
    const SQL: &str =
        "INSERT INTO checkpoints (partition, offset, log_time_ns, generation, watermark, streams, learned)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET offset = excluded.offset, log_time_ns = excluded.log_time_ns,
            generation = excluded.generation, watermark = excluded.watermark, streams = excluded.streams,
            learned = excluded.learned
        WHERE (excluded.generation, excluded.offset) >= (checkpoints.generation, checkpoints.offset)";
    let streams: Vec<u8> = checkpoint.table.iter().flat_map(encode_position).collect();
    let insert = sqlx::query(SQL)
        .bind(checkpoint.partition)
        .bind(checkpoint.offset as i64)
        .bind(checkpoint.log_time.0)
        .bind(checkpoint.generation)
        .bind(checkpoint.watermark.0)
        .bind(streams)
        .bind(&checkpoint.learned[..]);
    insert.execute(&mut **tx).await.map(drop)
}

/// The offset of each partition's checkpoint in the file at `path`, which nobody needs to have open.
pub async fn checkpoint_offsets(path: &Path) -> Result<BTreeMap<u32, u64>, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let rows: Vec<(u32, i64)> =
        sqlx::query_as("SELECT partition, offset FROM checkpoints").fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows.into_iter().map(|(partition, offset)| (partition, offset as u64)).collect())
}

fn encode_position(position: &StreamPosition) -> [u8; POSITION_BYTES] {
    let mut bytes = [0; POSITION_BYTES];
    bytes[..16].copy_from_slice(&position.stream);
    bytes[16..24].copy_from_slice(&position.number.to_le_bytes());
    bytes[24..].copy_from_slice(&position.log_time.0.to_le_bytes());
    bytes
}

fn decode_position(bytes: &[u8; POSITION_BYTES]) -> StreamPosition {
    let (mut stream, mut number, mut log_time) = ([0; 16], [0; 8], [0; 8]);
    stream.copy_from_slice(&bytes[..16]);
    number.copy_from_slice(&bytes[16..24]);
    log_time.copy_from_slice(&bytes[24..]);
    StreamPosition {
        stream,
        number: u64::from_le_bytes(number),
        log_time: UnixNanos(i64::from_le_bytes(log_time)),
    }
}

fn unavailable(action: &'static str, source: sqlx::Error) -> StoreError {
    StoreError::Unavailable { backend: BACKEND, action, source: Box::new(source) }
}

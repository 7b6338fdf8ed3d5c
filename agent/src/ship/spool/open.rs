//! Opening the spool and finding what the last run left in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goldentime_model::UnixNanos;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::MutexGuard;

use super::commit::REQUESTS;
use super::streams::CurrentStreams;
use super::{Durability, Inner, Limits, Spool, SpoolError, Writer, saturating_ns};
use crate::aggregate::{PositionKey, Positions};
use crate::ship::ledger::Ledger;

/// Migrations by the version that they lead to, from 1.
pub(super) const MIGRATIONS: [&str; 1] = [include_str!("schema_v1.sql")];

/// Name of the database in the state directory.
pub(super) const FILE_NAME: &str = "spool.db";

/// Size of a database page. Records are a few hundred bytes to some kilobytes.
const PAGE_BYTES: u64 = 4096;

/// Page cache of a connection in KiB (negative as SQLite counts it). The spool is written once and
/// rarely read.
const CACHE_KIB: &str = "-512";

/// Rows read ahead of the reader; each may hold a record of up to a mebibyte.
const ROW_BUFFER: usize = 8;

/// The write-ahead log is cut back to this after a checkpoint.
const WAL_KEPT_BYTES: &str = "4194304";

/// The file may grow past the quota by half and this much, for pages in use by indexes and by what
/// is being deleted; then SQLite itself refuses.
const FILE_SLACK_BYTES: u64 = 16 << 20;

/// A spool that is ready, and what the last run left.
pub struct Opened {
    /// The spool.
    pub spool: Spool,
    /// Read positions, to be given to the inputs.
    pub positions: Positions,
    /// The machine went down without the agent having closed the spool, under
    /// [`Durability::Process`]: lines since the last fsync may be counted twice.
    pub after_unclean_boot: bool,
    /// Where a damaged spool was moved to. Its records are lost and its positions forgotten.
    pub moved_aside: Option<PathBuf>,
}

impl Spool {
    /// Opens the spool in `state_dir`, or makes one. The caller holds the directory's lock.
    ///
    /// A damaged file is moved aside and a new one made. Errors: [`SpoolError::Newer`] for a file of
    /// a later layout, [`SpoolError::Full`] and [`SpoolError::Database`] where the disk fails.
    pub async fn open(
        state_dir: &Path,
        limits: Limits,
        ledger: Ledger,
        now: UnixNanos,
    ) -> Result<Opened, SpoolError> {
        let path = state_dir.join(FILE_NAME);
        match Self::open_sound(&path, limits, ledger.clone()).await {
            Err(error) if error.is_corrupt() => {
                let aside = move_aside(&path, now)?;
                ledger.add("spool", "spool_damaged", 1);
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    moved_to = %aside.display(),
                    "the spool was damaged and is moved aside; what it held is lost, and inputs start anew"
                );
                let opened = Self::open_sound(&path, limits, ledger).await?;
                Ok(Opened { moved_aside: Some(aside), ..opened })
            }
            other => other,
        }
    }

    async fn open_sound(path: &Path, limits: Limits, ledger: Ledger) -> Result<Opened, SpoolError> {
        let fail = |doing| move |source| SpoolError::of(path, doing, source);
        let mut connection =
            options(path, limits.durability).connect().await.map_err(fail("opening the database"))?;
        migrate(&mut connection, path).await?;

        let boot_id = boot_id();
        let last_session =
            meta(&mut connection, "session").await.map_err(fail("reading the last session"))?;
        let closed = last_session.as_deref().is_none_or(|session| session == "closed");
        if !closed {
            check(&mut connection, path).await?;
        }
        let after_unclean_boot = limits.durability == Durability::Process
            && !closed
            && last_session.as_deref() != Some(boot_id.as_str());

        forget_empty_streams(&mut connection, path).await?;
        let (records, bytes, last_seq): (i64, i64, i64) =
            sqlx::query_as("SELECT count(*), coalesce(sum(bytes), 0), coalesce(max(seq), 0) FROM record")
                .fetch_one(&mut connection)
                .await
                .map_err(fail("counting what was left"))?;
        let positions: Vec<(String, String, Vec<u8>)> =
            sqlx::query_as("SELECT input, source, value FROM position")
                .fetch_all(&mut connection)
                .await
                .map_err(fail("reading the inputs' positions"))?;
        let positions = positions
            .into_iter()
            .map(|(input, source, value)| (PositionKey { input: input.into(), source: source.into() }, value))
            .collect();

        let requests =
            meta(&mut connection, REQUESTS).await.map_err(fail("reading how many requests were flushed"))?;
        let requests = requests.and_then(|count| count.parse().ok()).unwrap_or_default();

        let spool = Self(Arc::new(Inner {
            path: path.to_path_buf(),
            limits,
            writer: tokio::sync::Mutex::new(Writer {
                connection,
                has_failed: false,
                pages_max: 0,
                current: CurrentStreams::open()?,
                next_seq: last_seq + 1,
                session_noted: false,
                boot_id,
                uncheckpointed_bytes: 0,
                freed_bytes: 0,
            }),
            reader: tokio::sync::Mutex::new(None),
            acknowledged: Mutex::new(HashMap::new()),
            ledger,
            age_max_ns: AtomicI64::new(saturating_ns(limits.age_max)),
            bytes: AtomicU64::new(unsigned(bytes)),
            records: AtomicU64::new(unsigned(records)),
            requests: AtomicU64::new(requests),
            current_from_seq: AtomicI64::new(last_seq + 1),
        }));
        spool.set_file_bound().await?;
        spool.show_usage();
        Ok(Opened { spool, positions, after_unclean_boot, moved_aside: None })
    }

    /// Bounds the file itself, whatever the accounting says.
    async fn set_file_bound(&self) -> Result<(), SpoolError> {
        let bytes_max = self.0.limits.bytes_max;
        let pages_max = (bytes_max.saturating_add(bytes_max / 2) + FILE_SLACK_BYTES) / PAGE_BYTES;
        self.set_pages_max(pages_max).await
    }

    pub(super) async fn set_pages_max(&self, pages_max: u64) -> Result<(), SpoolError> {
        let mut writer = self.0.writer.lock().await;
        writer.pages_max = pages_max;
        self.bound_file(&mut writer).await
    }

    async fn bound_file(&self, writer: &mut Writer) -> Result<(), SpoolError> {
        let pages_max = writer.pages_max;
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages_max}")))
            .fetch_all(&mut writer.connection)
            .await
            .map_err(self.fail("bounding the file"))?;
        Ok(())
    }

    /// The writer, on a connection on which nothing has failed.
    ///
    /// When the disk is full SQLite may end a transaction by itself. What the driver believes of the
    /// connection is wrong then: a later flush would only seem committed, inside a transaction that
    /// is never ended, and be gone with the process though it was sent.
    pub(super) async fn writer(&self) -> Result<MutexGuard<'_, Writer>, SpoolError> {
        let mut writer = self.0.writer.lock().await;
        if writer.has_failed {
            let options = options(&self.0.path, self.0.limits.durability);
            let connection = options.connect().await.map_err(self.fail("opening the database again"))?;
            let failed = std::mem::replace(&mut writer.connection, connection);
            // Only its locks matter, and they end with it either way.
            let _ = failed.close().await;
            self.bound_file(&mut writer).await?;
            writer.has_failed = false;
        }
        Ok(writer)
    }
}

/// How both connections open the file.
pub(super) fn options(path: &Path, durability: Durability) -> SqliteConnectOptions {
    let synchronous = match durability {
        Durability::Process => SqliteSynchronous::Normal,
        Durability::Power => SqliteSynchronous::Full,
    };
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES as u32)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(32)
        .row_buffer_size(ROW_BUFFER)
        .pragma("cache_size", CACHE_KIB)
        // Checkpoints fsync: they are made in upkeep, off the way of a flush.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", WAL_KEPT_BYTES)
        .disable_statement_logging()
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), SpoolError> {
    let fail = |source| SpoolError::of(path, "bringing its layout up to date", source);
    let found: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(fail)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(SpoolError::Newer { path: path.to_path_buf(), found, known });
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or_default()) {
        let mut transaction = connection.begin().await.map_err(fail)?;
        sqlx::raw_sql(migration).execute(&mut *transaction).await.map_err(fail)?;
        let set_version = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"));
        sqlx::raw_sql(set_version).execute(&mut *transaction).await.map_err(fail)?;
        transaction.commit().await.map_err(fail)?;
    }
    Ok(())
}

/// Looks through the whole file, which takes a second for each GiB; done only after a run that did
/// not close it.
async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<(), SpoolError> {
    let fail = |source| SpoolError::of(path, "checking the file", source);
    let found: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await.map_err(fail)?;
    if found == "ok" {
        return Ok(());
    }
    let source = sqlx::Error::Protocol(format!("quick_check says: {found}"));
    Err(SpoolError::Corrupt { path: path.to_path_buf(), source })
}

/// A full disk is no reason not to open: the empty streams wait for the next start.
async fn forget_empty_streams(connection: &mut SqliteConnection, path: &Path) -> Result<(), SpoolError> {
    let deleted = sqlx::query("DELETE FROM stream WHERE key NOT IN (SELECT DISTINCT stream FROM record)")
        .execute(connection)
        .await
        .map_err(|source| SpoolError::of(path, "forgetting empty streams", source));
    match deleted {
        Err(error) if !error.is_full() => Err(error),
        _ => Ok(()),
    }
}

pub(super) async fn meta(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE name = ?").bind(name).fetch_optional(connection).await
}

/// Renames the database and what belongs to it, and gives the new name.
fn move_aside(path: &Path, now: UnixNanos) -> Result<PathBuf, SpoolError> {
    let with_suffix = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with_suffix(path, &format!(".damaged-{}", now.second().0));
    for suffix in ["", "-wal", "-shm"] {
        let from = with_suffix(path, suffix);
        match std::fs::rename(&from, with_suffix(&aside, suffix)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(SpoolError::File { path: from, doing: "moving aside", source });
            }
            _ => {}
        }
    }
    Ok(aside)
}

/// Changes with every boot of the machine; empty where the kernel does not say.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// SQLite's integers are signed; these never are.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

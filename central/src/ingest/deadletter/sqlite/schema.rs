//! The layout of `dead-letters.db`, step by step. `user_version` says how many were taken; each step sets it.

use sqlx::SqlitePool;

/// Every step ever taken, in order; a step that has left the house is never edited.
///
/// The second gives letters ids that are never used again, and says how long records were cut: at 64 KiB,
/// before it. A central of the first layout that still runs can go on writing. The third says of which service a
/// letter is, and when it came last; older ones lack both.
const STEPS: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS dead_letters (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, \
     agent TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, record BLOB NOT NULL); \
     PRAGMA user_version = 1",
    "ALTER TABLE dead_letters RENAME TO dead_letters_1; \
     CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, \
     agent TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, record BLOB NOT NULL, \
     kind TEXT NOT NULL DEFAULT 'record', host TEXT NOT NULL DEFAULT '', project TEXT NOT NULL DEFAULT '', \
     is_cut INTEGER NOT NULL DEFAULT 0, times INTEGER NOT NULL DEFAULT 1, digest BLOB, replayed_at INTEGER); \
     INSERT INTO dead_letters (id, at, agent, reason, detail, record, kind, host, is_cut) \
     SELECT id, at, iif(reason = 'log_store_rejected', '', agent), reason, detail, record, \
     iif(reason = 'log_store_rejected', 'line', 'record'), iif(reason = 'log_store_rejected', agent, ''), \
     length(record) = 65536 FROM dead_letters_1 ORDER BY id; \
     DROP TABLE dead_letters_1; \
     CREATE UNIQUE INDEX dead_letters_digest ON dead_letters (digest) WHERE digest IS NOT NULL; \
     CREATE INDEX dead_letters_at ON dead_letters (at); \
     CREATE TABLE replays (id INTEGER PRIMARY KEY AUTOINCREMENT, stream BLOB NOT NULL UNIQUE, \
     asked_at INTEGER NOT NULL, begun_at INTEGER, ended_at INTEGER); \
     CREATE INDEX replays_open ON replays (id) WHERE ended_at IS NULL; \
     CREATE TABLE replay_numbers (replay INTEGER NOT NULL REFERENCES replays (id) ON DELETE CASCADE, \
     partition INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (replay, partition)) WITHOUT ROWID; \
     CREATE TABLE replay_letters (replay INTEGER NOT NULL REFERENCES replays (id) ON DELETE CASCADE, \
     letter INTEGER NOT NULL REFERENCES dead_letters (id) ON DELETE CASCADE, state INTEGER NOT NULL DEFAULT 0, \
     partition INTEGER, number INTEGER, is_late INTEGER NOT NULL DEFAULT 0, \
     PRIMARY KEY (replay, letter)) WITHOUT ROWID; \
     CREATE INDEX replay_letters_letter ON replay_letters (letter); \
     CREATE UNIQUE INDEX replay_letters_open ON replay_letters (letter) WHERE state < 2; \
     PRAGMA user_version = 2",
    "ALTER TABLE dead_letters ADD COLUMN service TEXT NOT NULL DEFAULT ''; \
     ALTER TABLE dead_letters ADD COLUMN last_at INTEGER; \
     PRAGMA user_version = 3",
];

/// Takes the steps that the file lacks, all or none; refuses a file of a newer version.
pub(super) async fn bring_up_to_date(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *tx).await?;
    let known = STEPS.len();
    let taken = usize::try_from(found).ok().filter(|taken| *taken <= known).ok_or_else(|| {
        let detail = format!(
            "dead-letters.db has layout {found}, this version knows up to {known}; upgrade the central"
        );
        sqlx::Error::Configuration(detail.into())
    })?;
    for step in &STEPS[taken..] {
        sqlx::raw_sql(*step).execute(&mut *tx).await?;
    }
    tx.commit().await
}

//! What every SQLite file of the central has in common: how its connections are kept, and by what a
//! full disk is known.

use sqlx::Connection;
use sqlx::sqlite::SqlitePoolOptions;

/// A pool of so many connections that are kept for good, except for one that was left inside of a
/// transaction.
///
/// On a full disk SQLite may end a transaction by itself. The driver then cannot roll back, takes the
/// connection for one that is inside of it for ever, and what is begun on it next for a part: such a
/// connection makes room for a new one.
#[must_use]
pub fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

/// Whether a call failed because the disk is full: `SQLITE_FULL` is 13, and `SQLITE_IOERR_WRITE` (778) is
/// what a full file system gives to a write-ahead log.
#[must_use]
pub fn is_full(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("13" | "778"))
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{Executor, SqliteConnection};

    use super::*;

    #[tokio::test]
    async fn what_is_written_after_sqlite_ended_a_transaction_by_itself_reaches_the_disk() {
        let folder = tempfile::tempdir().expect("folder");
        let file = SqliteConnectOptions::new().filename(folder.path().join("a.db")).create_if_missing(true);
        let pool = pool(1).connect_with(file.clone()).await.expect("opens");
        pool.execute("CREATE TABLE t (n INTEGER)").await.expect("made");
        let mut ended = pool.begin_with("BEGIN IMMEDIATE").await.expect("begins");
        // Behind the driver's back, as a full disk does it.
        ended.execute("ROLLBACK").await.expect("ends");
        drop(ended);
        let mut next = pool.begin_with("BEGIN IMMEDIATE").await.expect("begins anew");
        next.execute("INSERT INTO t VALUES (1)").await.expect("written");
        next.commit().await.expect("committed");
        let mut other = SqliteConnection::connect_with(&file).await.expect("opens");
        let seen: i64 =
            sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut other).await.expect("read");
        assert_eq!(seen, 1);
    }
}

//! A database as its stores see it.

use std::future::Future;

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::config::PostgresConfig;
use crate::error::Error;
use crate::layout::{self, Layout};
use crate::pool::Pool;
pub use crate::pool::Session;

/// A database that is brought to its layout by its first use that succeeds: a central starts, judges and
/// pages whatever is wrong with it.
#[derive(Debug)]
pub struct Database {
    pool: Pool,
    layout: Layout,
    ready: OnceCell<()>,
}

impl Database {
    /// A database that nothing was asked of yet.
    #[must_use]
    pub fn new(config: PostgresConfig, layout: Layout) -> Self {
        Self { pool: Pool::new(config), layout, ready: OnceCell::new() }
    }

    /// The database as messages name it.
    #[must_use]
    pub fn place(&self) -> String {
        self.pool.config().place()
    }

    /// Brings it to this version's layout, unless that was done before.
    pub async fn migrate(&self) -> Result<(), Error> {
        let made = Box::pin(async { layout::bring_up(self.pool.session().await?, self.layout).await });
        self.ready.get_or_try_init(|| self.within(made)).await.map(drop)
    }

    /// A connection, each statement by itself.
    pub async fn session(&self) -> Result<Session<'_>, Error> {
        self.migrate().await?;
        self.pool.session().await
    }

    /// Runs one statement by itself; gives how many rows it concerned.
    pub async fn execute(&self, statement: Query<'_, Postgres, PgArguments>) -> Result<u64, Error> {
        let mut session = self.session().await?;
        let done = statement.execute(&mut *session).await?;
        session.release();
        Ok(done.rows_affected())
    }

    /// Runs one statement by itself; gives its rows.
    pub async fn fetch_all(&self, statement: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>, Error> {
        let mut session = self.session().await?;
        let rows = statement.fetch_all(&mut *session).await?;
        session.release();
        Ok(rows)
    }

    /// Runs one statement by itself; gives its first row, if there is any.
    pub async fn fetch_optional(
        &self,
        statement: Query<'_, Postgres, PgArguments>,
    ) -> Result<Option<PgRow>, Error> {
        let mut session = self.session().await?;
        let row = statement.fetch_optional(&mut *session).await?;
        session.release();
        Ok(row)
    }

    /// Begins to write.
    pub async fn write(&self) -> Result<Session<'_>, Error> {
        self.begin("BEGIN").await
    }

    /// Begins to read what was committed until now, and nothing that is committed later.
    pub async fn read(&self) -> Result<Session<'_>, Error> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn begin(&self, statement: &'static str) -> Result<Session<'_>, Error> {
        let mut session = self.session().await?;
        sqlx::raw_sql(statement).execute(&mut *session).await?;
        Ok(session)
    }

    /// What `call` gives, unless it takes longer than a call may.
    pub async fn within<T, E: From<Error>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let limit = self.pool.config().call_timeout.get();
        timeout(limit, call).await.unwrap_or_else(|_| Err(Error::Silent(limit).into()))
    }

    /// Lets go of the connections. Calls that run end, new ones fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

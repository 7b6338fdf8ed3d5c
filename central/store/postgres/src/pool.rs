//! A few connections that are used again.
//!
//! One goes back only after its call ended well and no transaction is open on it. Whatever else happens to a
//! call (an error, a timeout, a future that is dropped) closes its connection: nobody can say what is
//! still to come over it. Closing asks the server for nothing, so a link that is cut or half-open holds up
//! nobody.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::config::PostgresConfig;
use crate::connect::connect;
use crate::error::Error;

#[derive(Debug)]
pub(crate) struct Pool {
    config: PostgresConfig,
    permits: Semaphore,
    /// The one that was used last is at the end.
    idle: Mutex<Vec<PgConnection>>,
}

/// A connection that is being used. Dropped, it is closed.
#[derive(Debug)]
pub struct Session<'p> {
    connection: PgConnection,
    pool: &'p Pool,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(crate) fn new(config: PostgresConfig) -> Self {
        let permits = Semaphore::new(config.connections_max as usize);
        Self { config, permits, idle: Mutex::default() }
    }

    pub(crate) const fn config(&self) -> &PostgresConfig {
        &self.config
    }

    /// A connection that answers.
    pub(crate) async fn session(&self) -> Result<Session<'_>, Error> {
        let limit = self.config.connect_timeout.get();
        let permit = match timeout(limit, self.permits.acquire()).await {
            Ok(permit) => permit.map_err(|_| Error::Closed)?,
            Err(_) => return Err(Error::Busy { connections: self.config.connections_max, waited: limit }),
        };
        let connection = match self.reused().await {
            Some(connection) => connection,
            None => connect(&self.config).await?,
        };
        Ok(Session { connection, pool: self, _permit: permit })
    }

    /// The idle connection that was used last, if it answers. If it does not, neither do the others: the
    /// server was restarted, or the link is cut.
    async fn reused(&self) -> Option<PgConnection> {
        let mut connection = self.idle().pop()?;
        match timeout(self.config.connect_timeout.get() / 2, connection.ping()).await {
            Ok(Ok(())) => Some(connection),
            _ => {
                self.idle().clear();
                None
            }
        }
    }

    pub(crate) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            // The server ends it as well when it is simply gone.
            let _ = timeout(self.config.connect_timeout.get(), connection.close()).await;
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session<'_> {
    /// Commits the transaction and gives the connection back. Where the answer does not come, nobody
    /// knows whether it was committed.
    pub async fn commit(mut self) -> Result<(), Error> {
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await?;
        self.release();
        Ok(())
    }

    /// Takes everything back that was done in the transaction and gives the connection back.
    pub async fn rollback(mut self) -> Result<(), Error> {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await?;
        self.release();
        Ok(())
    }

    /// Gives the connection back. No transaction is open on it.
    pub fn release(self) {
        let Self { connection, pool, _permit } = self;
        if !pool.permits.is_closed() {
            pool.idle().push(connection);
        }
    }
}

impl Deref for Session<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Session<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

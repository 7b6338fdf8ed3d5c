//! The registry of agents in a SQLite file of its own, whose layout [`schema`] keeps: [`tokens`] and
//! [`agents`].
//!
//! `synchronous=FULL`: whoever was enrolled or revoked is so after a loss of power too.

mod agents;
mod schema;
mod tokens;

use std::path::Path;
use std::time::Duration;

use goldentime_model::UnixNanos;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};

use super::failed;
use crate::access::SecretHash;
use crate::registry::{AgentNote, AgentRegistry, Enrolled, Enrolment, Fingerprint, Revocations, TokenInfo};
use crate::store::{BoxFuture, CatalogueError, ROWS_MAX};

/// How long a call waits while another process writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The registry of one central: the command line changes it beside the one that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteRegistry(SqlitePool);

impl SqliteRegistry {
    /// Opens the file, makes it if it is not there, and brings it to this version's layout.
    pub async fn open(path: &Path) -> Result<Self, CatalogueError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = goldentime_sqlite::pool(2).connect_with(options).await;
        let pool = pool.map_err(|error| failed("open the registry of agents", error))?;
        schema::bring_up_to_date(&pool, path).await?;
        Ok(Self(pool))
    }

    /// All that it holds, however much: for another registry that takes it over.
    pub async fn everything(&self) -> Result<(Vec<TokenInfo>, Vec<Enrolled>), CatalogueError> {
        Ok((tokens::all(&self.0, i64::MAX).await?, agents::all(&self.0, i64::MAX).await?))
    }

    /// Lets go of the file. Calls that come later fail.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl AgentRegistry for SqliteRegistry {
    fn add_token(&self, token: TokenInfo) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move { tokens::add(&self.0, &token).await })
    }

    fn token(&self, secret: SecretHash) -> BoxFuture<'_, Result<Option<TokenInfo>, CatalogueError>> {
        Box::pin(tokens::one(&self.0, secret))
    }

    fn tokens(&self) -> BoxFuture<'_, Result<Vec<TokenInfo>, CatalogueError>> {
        Box::pin(tokens::all(&self.0, ROWS_MAX.into()))
    }

    fn revoke_token<'a>(&'a self, id: &'a str, now: UnixNanos) -> BoxFuture<'a, Result<u64, CatalogueError>> {
        Box::pin(tokens::revoke(&self.0, id, now))
    }

    fn enrol(
        &self,
        secret: SecretHash,
        agent: Enrolment,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(agents::enrol(&self.0, secret, agent, now))
    }

    fn agent(&self, certificate: Fingerprint) -> BoxFuture<'_, Result<Option<Enrolled>, CatalogueError>> {
        Box::pin(agents::one(&self.0, certificate))
    }

    fn agents(&self) -> BoxFuture<'_, Result<Vec<Enrolled>, CatalogueError>> {
        Box::pin(agents::all(&self.0, crate::registry::AGENTS_MAX.into()))
    }

    fn revoke_agent<'a>(
        &'a self,
        agent: &'a str,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<bool, CatalogueError>> {
        Box::pin(agents::revoke(&self.0, agent, now))
    }

    fn restore_agent<'a>(&'a self, agent: &'a str) -> BoxFuture<'a, Result<bool, CatalogueError>> {
        Box::pin(agents::restore(&self.0, agent))
    }

    fn revocations(&self) -> BoxFuture<'_, Result<Revocations, CatalogueError>> {
        Box::pin(agents::revocations(&self.0))
    }

    fn revoked(&self) -> BoxFuture<'_, Result<Vec<String>, CatalogueError>> {
        Box::pin(agents::revoked(&self.0))
    }

    fn note(&self, notes: Vec<AgentNote>) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(agents::note(&self.0, notes))
    }

    fn import(
        &self,
        tokens: Vec<TokenInfo>,
        agents: Vec<Enrolled>,
    ) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(agents::import(&self.0, tokens, agents))
    }
}

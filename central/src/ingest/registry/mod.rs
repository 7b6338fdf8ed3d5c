//! Who may connect: join tokens ([`tokens`]), and the agents that were enrolled with them ([`agents`]), in
//! a file of their own whose layout [`schema`] keeps.
//!
//! Tokens are kept as hashes. An agent is known by the hash of its certificate, so that revoking it
//! works at once and needs no list of revoked certificates. The command line changes the file beside the
//! running central, which looks for agents that were revoked ([`watch`]) and cuts them off.

mod agents;
mod schema;
mod tokens;
pub mod watch;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};

pub use agents::{Enrolled, Enrolment};
pub use tokens::{TokenInfo, TokenState};

/// How long a call waits while another process writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Tokens and agents.
#[derive(Clone, Debug)]
pub struct Registry(SqlitePool);

impl Registry {
    /// Opens the registry, makes it if it is not there, and brings it to this version's layout.
    pub async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = goldentime_sqlite::pool(2).connect_with(options).await?;
        schema::bring_up_to_date(&pool).await?;
        Ok(Self(pool))
    }
}

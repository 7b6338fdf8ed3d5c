//! Who may connect: join tokens, and the agents that were enrolled with them.
//!
//! Tokens are kept as hashes. An agent is known by the hash of its certificate, so that revoking it
//! works at once and needs no list of revoked certificates.

use std::path::Path;

use goldentime_model::UnixNanos;
use goldentime_transport::token::{CertificateHash, SecretHash};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Executor, Row};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS tokens (secret_hash BLOB PRIMARY KEY, project TEXT NOT NULL, \
     created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER) WITHOUT ROWID; \
     CREATE TABLE IF NOT EXISTS agents (certificate_hash BLOB PRIMARY KEY, agent TEXT NOT NULL UNIQUE, \
     project TEXT NOT NULL, host TEXT NOT NULL, environment TEXT NOT NULL DEFAULT 'default', \
     enrolled_at INTEGER NOT NULL, last_seen INTEGER NOT NULL, has_left INTEGER NOT NULL DEFAULT 0, \
     revoked_at INTEGER) WITHOUT ROWID; PRAGMA user_version = 1";

/// The columns that [`enrolled`] reads, with what follows them in the statement.
macro_rules! concat_select {
    ($rest:literal) => {
        concat!(
            "SELECT agent, project, host, environment, last_seen, has_left, revoked_at IS NOT NULL \
             FROM agents ",
            $rest
        )
    };
}

/// An enrolled agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Its id.
    pub agent: String,
    /// Its project, given by its token.
    pub project: String,
    /// Its host's name at its last hello.
    pub host: String,
    /// Its environment at its last hello.
    pub environment: String,
    /// When it was last connected.
    pub last_seen: UnixNanos,
    /// It said goodbye.
    pub has_left: bool,
    /// It may not connect any more.
    pub is_revoked: bool,
}

/// A join token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// First digits of its secret's hash: enough to tell tokens apart.
    pub id: String,
    /// Project that its agents join.
    pub project: String,
    /// When it was made.
    pub created_at: UnixNanos,
    /// When it ends, if ever.
    pub expires_at: Option<UnixNanos>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UnixNanos>,
}

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It does, into its project.
    Good,
    /// Nobody made it.
    Unknown,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Tokens and agents, in a file of their own.
#[derive(Clone, Debug)]
pub struct Registry(SqlitePool);

impl Registry {
    /// Opens the registry, or makes it.
    pub async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(std::time::Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        pool.execute(SCHEMA).await?;
        Ok(Self(pool))
    }

    /// Keeps a new token.
    pub async fn add_token(
        &self,
        secret: &SecretHash,
        project: &str,
        now: UnixNanos,
        expires_at: Option<UnixNanos>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO tokens (secret_hash, project, created_at, expires_at) VALUES (?, ?, ?, ?)")
            .bind(&secret.as_bytes()[..])
            .bind(project)
            .bind(now.0)
            .bind(expires_at.map(|at| at.0))
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// What a token is good for, and its project.
    pub async fn token(
        &self,
        secret: &SecretHash,
        now: UnixNanos,
    ) -> Result<(TokenState, String), sqlx::Error> {
        let rows = sqlx::query("SELECT secret_hash, project, expires_at, revoked_at FROM tokens");
        for row in rows.fetch_all(&self.0).await? {
            let known = SecretHash::from_bytes(&row.get::<Vec<u8>, _>(0));
            if !known.is_some_and(|known| known.matches(secret)) {
                continue;
            }
            let (expires_at, revoked_at) = (row.get::<Option<i64>, _>(2), row.get::<Option<i64>, _>(3));
            let state = if revoked_at.is_some() {
                TokenState::Revoked
            } else if expires_at.is_some_and(|at| at <= now.0) {
                TokenState::Expired
            } else {
                TokenState::Good
            };
            return Ok((state, row.get(1)));
        }
        Ok((TokenState::Unknown, String::new()))
    }

    /// All tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT secret_hash, project, created_at, expires_at, revoked_at FROM tokens ORDER BY created_at DESC",
        );
        let rows = rows.fetch_all(&self.0).await?;
        let tokens = rows.into_iter().map(|row| TokenInfo {
            id: row.get::<Vec<u8>, _>(0).iter().take(6).map(|byte| format!("{byte:02x}")).collect(),
            project: row.get(1),
            created_at: UnixNanos(row.get(2)),
            expires_at: row.get::<Option<i64>, _>(3).map(UnixNanos),
            revoked_at: row.get::<Option<i64>, _>(4).map(UnixNanos),
        });
        Ok(tokens.collect())
    }

    /// Revokes the tokens whose id begins so; gives how many.
    pub async fn revoke_token(&self, id: &str, now: UnixNanos) -> Result<u64, sqlx::Error> {
        let revoked = sqlx::query(
            "UPDATE tokens SET revoked_at = ? WHERE revoked_at IS NULL AND lower(hex(secret_hash)) LIKE ? || '%'",
        );
        Ok(revoked.bind(now.0).bind(id.to_ascii_lowercase()).execute(&self.0).await?.rows_affected())
    }

    /// Keeps a new agent.
    pub async fn add_agent(
        &self,
        certificate: CertificateHash,
        agent: &str,
        project: &str,
        host: &str,
        now: UnixNanos,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO agents (certificate_hash, agent, project, host, enrolled_at, last_seen, has_left) \
             VALUES (?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(&certificate.0[..])
        .bind(agent)
        .bind(project)
        .bind(host)
        .bind(now.0)
        .bind(now.0)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// The agent of a certificate.
    pub async fn agent(&self, certificate: CertificateHash) -> Result<Option<Enrolled>, sqlx::Error> {
        let row = sqlx::query(concat_select!("WHERE certificate_hash = ?"))
            .bind(&certificate.0[..])
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(enrolled))
    }

    /// Lets an agent in no more; its connection ends at its next ping. Gives whether there was such an
    /// agent that was not revoked yet.
    pub async fn revoke_agent(&self, agent: &str, now: UnixNanos) -> Result<bool, sqlx::Error> {
        let revoked = sqlx::query("UPDATE agents SET revoked_at = ? WHERE agent = ? AND revoked_at IS NULL");
        Ok(revoked.bind(now.0).bind(agent).execute(&self.0).await?.rows_affected() > 0)
    }

    /// Whether an agent was revoked.
    pub async fn is_revoked(&self, agent: &str) -> Result<bool, sqlx::Error> {
        let row = sqlx::query_scalar("SELECT revoked_at IS NOT NULL FROM agents WHERE agent = ?");
        Ok(row.bind(agent).fetch_optional(&self.0).await?.unwrap_or(false))
    }

    /// Every agent, by id.
    pub async fn agents(&self) -> Result<Vec<Enrolled>, sqlx::Error> {
        let rows = sqlx::query(concat_select!("ORDER BY agent")).fetch_all(&self.0).await?;
        Ok(rows.iter().map(enrolled).collect())
    }

    /// Notes what an agent said at its hello, or that it left.
    pub async fn seen(
        &self,
        agent: &str,
        host: &str,
        environment: &str,
        now: UnixNanos,
        has_left: bool,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE agents SET host = ?, environment = ?, last_seen = ?, has_left = ? WHERE agent = ?",
        )
        .bind(host)
        .bind(environment)
        .bind(now.0)
        .bind(has_left)
        .bind(agent)
        .execute(&self.0)
        .await?;
        Ok(())
    }
}

fn enrolled(row: &sqlx::sqlite::SqliteRow) -> Enrolled {
    Enrolled {
        agent: row.get(0),
        project: row.get(1),
        host: row.get(2),
        environment: row.get(3),
        last_seen: UnixNanos(row.get(4)),
        has_left: row.get(5),
        is_revoked: row.get(6),
    }
}

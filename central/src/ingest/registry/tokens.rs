//! Join tokens.

use goldentime_model::UnixNanos;
use goldentime_transport::token::SecretHash;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Registry;

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
    /// Agents that joined with it.
    pub uses: u32,
    /// Agents that may join with it in all, if there is a limit.
    pub uses_max: Option<u32>,
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
    /// As many agents as allowed have joined with it.
    UsedUp,
}

impl TokenInfo {
    /// Whether it lets agents in at `now`.
    #[must_use]
    pub fn state(&self, now: UnixNanos) -> TokenState {
        if self.revoked_at.is_some() {
            TokenState::Revoked
        } else if self.expires_at.is_some_and(|at| at <= now) {
            TokenState::Expired
        } else if self.uses_max.is_some_and(|max| self.uses >= max) {
            TokenState::UsedUp
        } else {
            TokenState::Good
        }
    }
}

impl Registry {
    /// Keeps a new token, good for `uses_max` agents if there is a limit.
    pub async fn add_token(
        &self,
        secret: &SecretHash,
        project: &str,
        now: UnixNanos,
        expires_at: Option<UnixNanos>,
        uses_max: Option<u32>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO tokens (secret_hash, project, created_at, expires_at, uses_max) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&secret.as_bytes()[..])
        .bind(project)
        .bind(now.0)
        .bind(expires_at.map(|at| at.0))
        .bind(uses_max)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// What a token is good for, and its project. It is looked up by its hash: whoever does not have the
    /// secret cannot choose the hash either, so how long that takes tells nothing.
    pub async fn token(
        &self,
        secret: &SecretHash,
        now: UnixNanos,
    ) -> Result<(TokenState, String), sqlx::Error> {
        let row = sqlx::query("SELECT * FROM tokens WHERE secret_hash = ?");
        let row = row.bind(&secret.as_bytes()[..]).fetch_optional(&self.0).await?;
        Ok(row
            .as_ref()
            .map(info)
            .map_or((TokenState::Unknown, String::new()), |token| (token.state(now), token.project)))
    }

    /// All tokens, newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, sqlx::Error> {
        let rows = sqlx::query("SELECT * FROM tokens ORDER BY created_at DESC").fetch_all(&self.0).await?;
        Ok(rows.iter().map(info).collect())
    }

    /// Revokes the tokens whose id begins so; gives how many.
    pub async fn revoke_token(&self, id: &str, now: UnixNanos) -> Result<u64, sqlx::Error> {
        let revoked = sqlx::query(
            "UPDATE tokens SET revoked_at = ? WHERE revoked_at IS NULL AND lower(hex(secret_hash)) LIKE ? || '%'",
        );
        Ok(revoked.bind(now.0).bind(id.to_ascii_lowercase()).execute(&self.0).await?.rows_affected())
    }
}

fn info(row: &SqliteRow) -> TokenInfo {
    let hash: Vec<u8> = row.get("secret_hash");
    TokenInfo {
        id: hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect(),
        project: row.get("project"),
        created_at: UnixNanos(row.get("created_at")),
        expires_at: row.get::<Option<i64>, _>("expires_at").map(UnixNanos),
        revoked_at: row.get::<Option<i64>, _>("revoked_at").map(UnixNanos),
        uses: row.get("uses"),
        uses_max: row.get("uses_max"),
    }
}

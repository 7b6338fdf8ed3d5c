//! Accounts, sessions, API tokens and set-up links.

use goldentime_model::UnixNanos;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use super::{BACKEND, failed};
use crate::access::key;
use crate::access::record::{Account, ApiToken, NewAccount, Removed, SecretHash, Session, SetupLink};
use crate::access::store::{AccessStore, SESSIONS_MAX};
use crate::sqlite::SqliteCatalogue;
use crate::store::{BoxFuture, CatalogueError, ROWS_MAX};

/// A commit of this file survives the end of the process. What ends access must survive a loss of power
/// as well, so the log is carried over into the file, which syncs both.
async fn make_durable(pool: &SqlitePool) -> Result<(), CatalogueError> {
    let done = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(pool).await;
    done.map(drop).map_err(|e| failed("sync the file", e))
}

impl AccessStore for SqliteCatalogue {
    fn has_accounts(&self) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(async move {
            let any = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM accounts)");
            any.fetch_one(&self.readers).await.map_err(|e| failed("look for accounts", e))
        })
    }

    fn accounts(&self) -> BoxFuture<'_, Result<Vec<Account>, CatalogueError>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT name, role, created_at FROM accounts ORDER BY key LIMIT ?");
            let rows = rows.bind(ROWS_MAX).fetch_all(&self.readers).await;
            rows.map_err(|e| failed("list accounts", e))?.iter().map(account).collect()
        })
    }

    fn account<'a>(
        &'a self,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Account, String)>, CatalogueError>> {
        const ACTION: &str = "read an account";
        Box::pin(async move {
            let row = sqlx::query("SELECT name, role, created_at, password_hash FROM accounts WHERE key = ?");
            let row = row.bind(key(name)).fetch_optional(&self.readers).await;
            let Some(row) = row.map_err(|e| failed(ACTION, e))? else { return Ok(None) };
            let hash = row.try_get("password_hash").map_err(|e| failed(ACTION, e))?;
            Ok(Some((account(&row)?, hash)))
        })
    }

    fn remove_account<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Removed, CatalogueError>> {
        const ACTION: &str = "remove an account";
        Box::pin(async move {
            // The last admin is looked for in the statement itself, so that two removals at once
            // cannot take the last two.
            let gone = sqlx::query(
                "DELETE FROM accounts WHERE key = ?1 AND (role <> 'admin' OR EXISTS \
                 (SELECT 1 FROM accounts AS other WHERE other.role = 'admin' AND other.key <> ?1))",
            );
            let gone = gone.bind(key(name)).execute(&self.writer).await.map_err(|e| failed(ACTION, e))?;
            if gone.rows_affected() > 0 {
                make_durable(&self.writer).await?;
                return Ok(Removed::Gone);
            }
            let there = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM accounts WHERE key = ?)");
            let there: bool =
                there.bind(key(name)).fetch_one(&self.writer).await.map_err(|e| failed(ACTION, e))?;
            Ok(if there { Removed::LastAdmin } else { Removed::Unknown })
        })
    }

    fn add_setup_link(&self, link: SetupLink) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move {
            let added = sqlx::query(
                "INSERT INTO setup_links (secret_hash, role, name, created_at, expires_at) \
                 VALUES (?, ?, ?, ?, ?) ON CONFLICT (secret_hash) DO NOTHING",
            )
            .bind(&link.secret.0[..])
            .bind(link.role.as_str())
            .bind(link.name)
            .bind(link.created_at.0)
            .bind(link.expires_at.0);
            added.execute(&self.writer).await.map(drop).map_err(|e| failed("keep a set-up link", e))
        })
    }

    fn setup_link(
        &self,
        secret: SecretHash,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<Option<SetupLink>, CatalogueError>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT * FROM setup_links WHERE secret_hash = ? AND expires_at > ?");
            let row = row.bind(&secret.0[..]).bind(now.0).fetch_optional(&self.readers).await;
            row.map_err(|e| failed("read a set-up link", e))?.as_ref().map(setup_link).transpose()
        })
    }

    fn setup_links(&self, now: UnixNanos) -> BoxFuture<'_, Result<Vec<SetupLink>, CatalogueError>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT * FROM setup_links WHERE expires_at > ? ORDER BY expires_at DESC LIMIT ?",
            );
            let rows = rows.bind(now.0).bind(ROWS_MAX).fetch_all(&self.readers).await;
            rows.map_err(|e| failed("list set-up links", e))?.iter().map(setup_link).collect()
        })
    }

    fn use_setup_link(
        &self,
        secret: SecretHash,
        now: UnixNanos,
        new: NewAccount,
    ) -> BoxFuture<'_, Result<Option<Account>, CatalogueError>> {
        Box::pin(async move {
            let made = use_setup_link(&self.writer, secret, now, &new).await?;
            if made.is_some() {
                make_durable(&self.writer).await?;
            }
            Ok(made)
        })
    }

    fn add_session(&self, session: Session) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        const ACTION: &str = "keep a session";
        Box::pin(async move {
            let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(|e| failed(ACTION, e))?;
            let added = sqlx::query(
                "INSERT INTO sessions (secret_hash, account, address, created_at, seen_at, ends_at) \
                 SELECT ?, key, ?, ?, ?, ? FROM accounts WHERE key = ? ON CONFLICT (secret_hash) DO NOTHING",
            )
            .bind(&session.secret.0[..])
            .bind(&session.address)
            .bind(session.created_at.0)
            .bind(session.seen_at.0)
            .bind(session.ends_at.0)
            .bind(key(&session.account))
            .execute(&mut *tx)
            .await
            .map_err(|e| failed(ACTION, e))?;
            sqlx::query(
                "DELETE FROM sessions WHERE account = ?1 AND secret_hash NOT IN (SELECT secret_hash \
                 FROM sessions WHERE account = ?1 ORDER BY created_at DESC, secret_hash LIMIT ?2)",
            )
            .bind(key(&session.account))
            .bind(SESSIONS_MAX)
            .execute(&mut *tx)
            .await
            .map_err(|e| failed(ACTION, e))?;
            tx.commit().await.map_err(|e| failed(ACTION, e))?;
            Ok(added.rows_affected() > 0)
        })
    }

    fn session(
        &self,
        secret: SecretHash,
    ) -> BoxFuture<'_, Result<Option<(Session, Account)>, CatalogueError>> {
        Box::pin(async move {
            let row = sqlx::query(
                "SELECT s.secret_hash, s.address, s.created_at AS began_at, s.seen_at, s.ends_at, \
                 a.name, a.role, a.created_at FROM sessions AS s JOIN accounts AS a ON a.key = s.account \
                 WHERE s.secret_hash = ?",
            );
            let row = row.bind(&secret.0[..]).fetch_optional(&self.readers).await;
            let Some(row) = row.map_err(|e| failed("read a session", e))? else { return Ok(None) };
            Ok(Some((session(&row)?, account(&row)?)))
        })
    }

    fn touch_session(&self, secret: SecretHash, now: UnixNanos) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move {
            let touched = sqlx::query("UPDATE sessions SET seen_at = ? WHERE secret_hash = ?");
            let touched = touched.bind(now.0).bind(&secret.0[..]).execute(&self.writer).await;
            touched.map(drop).map_err(|e| failed("note a session's use", e))
        })
    }

    fn sessions<'a>(&'a self, account: &'a str) -> BoxFuture<'a, Result<Vec<Session>, CatalogueError>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT s.secret_hash, s.address, s.created_at AS began_at, s.seen_at, s.ends_at, a.name \
                 FROM sessions AS s JOIN accounts AS a ON a.key = s.account WHERE s.account = ? \
                 ORDER BY s.created_at DESC, s.secret_hash LIMIT ?",
            );
            let rows = rows.bind(key(account)).bind(ROWS_MAX).fetch_all(&self.readers).await;
            rows.map_err(|e| failed("list sessions", e))?.iter().map(session).collect()
        })
    }

    fn end_session(&self, secret: SecretHash) -> BoxFuture<'_, Result<bool, CatalogueError>> {
        Box::pin(async move {
            let ended = sqlx::query("DELETE FROM sessions WHERE secret_hash = ?");
            let ended = ended.bind(&secret.0[..]).execute(&self.writer).await;
            let ended = ended.map_err(|e| failed("end a session", e))?.rows_affected() > 0;
            make_durable(&self.writer).await?;
            Ok(ended)
        })
    }

    fn add_api_token(&self, token: ApiToken) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move {
            let added = sqlx::query(
                "INSERT INTO api_tokens (secret_hash, id, name, role, created_by, created_at, expires_at, \
                 used_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (secret_hash) DO NOTHING",
            )
            .bind(&token.secret.0[..])
            .bind(token.secret.id())
            .bind(token.name)
            .bind(token.role.as_str())
            .bind(token.created_by)
            .bind(token.created_at.0)
            .bind(token.expires_at.map(|at| at.0))
            .bind(token.used_at.map(|at| at.0))
            .bind(token.revoked_at.map(|at| at.0));
            added.execute(&self.writer).await.map_err(|e| failed("keep an API token", e))?;
            make_durable(&self.writer).await
        })
    }

    fn api_token(&self, secret: SecretHash) -> BoxFuture<'_, Result<Option<ApiToken>, CatalogueError>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT * FROM api_tokens WHERE secret_hash = ?");
            let row = row.bind(&secret.0[..]).fetch_optional(&self.readers).await;
            row.map_err(|e| failed("read an API token", e))?.as_ref().map(api_token).transpose()
        })
    }

    fn api_tokens(&self) -> BoxFuture<'_, Result<Vec<ApiToken>, CatalogueError>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT * FROM api_tokens ORDER BY created_at DESC, id LIMIT ?");
            let rows = rows.bind(ROWS_MAX).fetch_all(&self.readers).await;
            rows.map_err(|e| failed("list API tokens", e))?.iter().map(api_token).collect()
        })
    }

    fn touch_api_token(
        &self,
        secret: SecretHash,
        now: UnixNanos,
    ) -> BoxFuture<'_, Result<(), CatalogueError>> {
        Box::pin(async move {
            let touched = sqlx::query("UPDATE api_tokens SET used_at = ? WHERE secret_hash = ?");
            let touched = touched.bind(now.0).bind(&secret.0[..]).execute(&self.writer).await;
            touched.map(drop).map_err(|e| failed("note an API token's use", e))
        })
    }

    fn revoke_api_token<'a>(
        &'a self,
        id: &'a str,
        now: UnixNanos,
    ) -> BoxFuture<'a, Result<bool, CatalogueError>> {
        Box::pin(async move {
            let revoked =
                sqlx::query("UPDATE api_tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL");
            let revoked = revoked.bind(now.0).bind(id).execute(&self.writer).await;
            let revoked = revoked.map_err(|e| failed("revoke an API token", e))?.rows_affected() > 0;
            make_durable(&self.writer).await?;
            Ok(revoked)
        })
    }

    fn prune_access(
        &self,
        now: UnixNanos,
        idle_since: UnixNanos,
        tokens_before: UnixNanos,
    ) -> BoxFuture<'_, Result<u64, CatalogueError>> {
        Box::pin(async move {
            let mut forgotten = 0;
            for statement in [
                sqlx::query("DELETE FROM sessions WHERE ends_at < ? OR seen_at < ?")
                    .bind(now.0)
                    .bind(idle_since.0),
                sqlx::query("DELETE FROM setup_links WHERE expires_at < ?").bind(now.0),
                sqlx::query("DELETE FROM api_tokens WHERE expires_at < ?1 OR revoked_at < ?1")
                    .bind(tokens_before.0),
            ] {
                let done = statement.execute(&self.writer).await;
                forgotten += done.map_err(|e| failed("forget who has no access", e))?.rows_affected();
            }
            Ok(forgotten)
        })
    }
}

async fn use_setup_link(
    pool: &SqlitePool,
    secret: SecretHash,
    now: UnixNanos,
    new: &NewAccount,
) -> Result<Option<Account>, CatalogueError> {
    const ACTION: &str = "use a set-up link";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|e| failed(ACTION, e))?;
    let row = sqlx::query("DELETE FROM setup_links WHERE secret_hash = ? AND expires_at > ? RETURNING *");
    let row = row.bind(&secret.0[..]).bind(now.0).fetch_optional(&mut *tx).await;
    let Some(row) = row.map_err(|e| failed(ACTION, e))? else { return Ok(None) };
    let link = setup_link(&row)?;
    let is_for = |name: &str| key(name) == key(&new.name);
    if link.name.as_deref().is_some_and(|name| !is_for(name)) {
        return Ok(None);
    }
    let sql = match link.name {
        Some(_) => {
            "INSERT INTO accounts (key, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (key) DO UPDATE SET password_hash = excluded.password_hash \
             RETURNING name, role, created_at"
        }
        None => {
            "INSERT INTO accounts (key, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (key) DO NOTHING RETURNING name, role, created_at"
        }
    };
    let made = sqlx::query(sql)
        .bind(key(&new.name))
        .bind(&new.name)
        .bind(link.role.as_str())
        .bind(&new.password_hash)
        .bind(now.0)
        .fetch_optional(&mut *tx)
        .await
        .map_err(|e| failed(ACTION, e))?;
    // Dropped without a commit, the transaction gives the link back.
    let Some(made) = made else { return Ok(None) };
    let ended = sqlx::query("DELETE FROM sessions WHERE account = ?").bind(key(&new.name));
    ended.execute(&mut *tx).await.map_err(|e| failed(ACTION, e))?;
    tx.commit().await.map_err(|e| failed(ACTION, e))?;
    account(&made).map(Some)
}

fn account(row: &SqliteRow) -> Result<Account, CatalogueError> {
    Ok(Account { name: get(row, "name")?, role: role(row)?, created_at: UnixNanos(get(row, "created_at")?) })
}

fn setup_link(row: &SqliteRow) -> Result<SetupLink, CatalogueError> {
    Ok(SetupLink {
        secret: secret(row)?,
        role: role(row)?,
        name: get(row, "name")?,
        created_at: UnixNanos(get(row, "created_at")?),
        expires_at: UnixNanos(get(row, "expires_at")?),
    })
}

fn session(row: &SqliteRow) -> Result<Session, CatalogueError> {
    Ok(Session {
        secret: secret(row)?,
        account: get(row, "name")?,
        address: get(row, "address")?,
        created_at: UnixNanos(get(row, "began_at")?),
        seen_at: UnixNanos(get(row, "seen_at")?),
        ends_at: UnixNanos(get(row, "ends_at")?),
    })
}

fn api_token(row: &SqliteRow) -> Result<ApiToken, CatalogueError> {
    let instant = |column| Ok::<_, CatalogueError>(get::<Option<i64>>(row, column)?.map(UnixNanos));
    Ok(ApiToken {
        secret: secret(row)?,
        name: get(row, "name")?,
        role: role(row)?,
        created_by: get(row, "created_by")?,
        created_at: UnixNanos(get(row, "created_at")?),
        expires_at: instant("expires_at")?,
        used_at: instant("used_at")?,
        revoked_at: instant("revoked_at")?,
    })
}

fn get<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T, CatalogueError>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(|e| failed("read who has access", e))
}

fn role(row: &SqliteRow) -> Result<crate::Role, CatalogueError> {
    let text: String = get(row, "role")?;
    text.parse().map_err(|error| corrupt("a role", &error))
}

fn secret(row: &SqliteRow) -> Result<SecretHash, CatalogueError> {
    let bytes: Vec<u8> = get(row, "secret_hash")?;
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| corrupt("a secret's hash", &"not 32 bytes"))?;
    Ok(SecretHash(bytes))
}

fn corrupt(what: &str, reason: &dyn std::fmt::Display) -> CatalogueError {
    CatalogueError::Corrupt { backend: BACKEND, what: what.to_owned(), reason: reason.to_string() }
}

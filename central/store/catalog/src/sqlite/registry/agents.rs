//! Agents.

use goldentime_model::UnixNanos;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use super::{failed, tokens};
use crate::access::SecretHash;
use crate::registry::{AGENTS_MAX, AgentNote, Enrolled, Enrolment, Fingerprint, Revocations, TokenInfo};
use crate::sqlite::BACKEND;
use crate::store::CatalogueError;

pub(super) async fn enrol(
    pool: &SqlitePool,
    secret: SecretHash,
    agent: Enrolment,
    now: UnixNanos,
) -> Result<bool, CatalogueError> {
    const ACTION: &str = "enrol an agent";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(ACTION, error))?;
    let used = sqlx::query(
        "UPDATE tokens SET uses = uses + 1 WHERE secret_hash = ? AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > ?) AND (uses_max IS NULL OR uses < uses_max)",
    );
    let used = used.bind(&secret.0[..]).bind(now.0).execute(&mut *tx).await;
    if used.map_err(|error| failed(ACTION, error))?.rows_affected() == 0 {
        return Ok(false);
    }
    let enrolled = Enrolled {
        certificate: agent.certificate,
        agent: agent.agent,
        project: agent.project,
        host: agent.host,
        environment: goldentime_model::identity::DEFAULT_PART.to_owned(),
        enrolled_at: now,
        last_seen: now,
        has_left: true,
        revoked_at: None,
    };
    insert(&mut tx, &enrolled).await?;
    tx.commit().await.map_err(|error| failed(ACTION, error))?;
    Ok(true)
}

async fn insert(tx: &mut Transaction<'_, Sqlite>, agent: &Enrolled) -> Result<(), CatalogueError> {
    sqlx::query(
        "INSERT INTO agents (certificate_hash, agent, project, host, environment, enrolled_at, last_seen, \
         has_left, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&agent.certificate.0[..])
    .bind(&agent.agent)
    .bind(&agent.project)
    .bind(&agent.host)
    .bind(&agent.environment)
    .bind(agent.enrolled_at.0)
    .bind(agent.last_seen.0)
    .bind(agent.has_left)
    .bind(agent.revoked_at.map(|at| at.0))
    .execute(&mut **tx)
    .await
    .map_err(|error| failed("keep an agent", error))?;
    Ok(())
}

pub(super) async fn one(
    pool: &SqlitePool,
    certificate: Fingerprint,
) -> Result<Option<Enrolled>, CatalogueError> {
    let row = sqlx::query("SELECT * FROM agents WHERE certificate_hash = ?")
        .bind(&certificate.0[..])
        .fetch_optional(pool)
        .await
        .map_err(|error| failed("read an agent", error))?;
    row.as_ref().map(enrolled).transpose()
}

pub(super) async fn all(pool: &SqlitePool, limit: i64) -> Result<Vec<Enrolled>, CatalogueError> {
    let rows = sqlx::query("SELECT * FROM agents ORDER BY last_seen DESC, agent LIMIT ?")
        .bind(limit)
        .fetch_all(pool)
        .await
        .map_err(|error| failed("list agents", error))?;
    rows.iter().map(enrolled).collect()
}

pub(super) async fn revoke(pool: &SqlitePool, agent: &str, now: UnixNanos) -> Result<bool, CatalogueError> {
    let revoked = sqlx::query("UPDATE agents SET revoked_at = ? WHERE agent = ? AND revoked_at IS NULL")
        .bind(now.0)
        .bind(agent)
        .execute(pool)
        .await
        .map_err(|error| failed("revoke an agent", error))?;
    Ok(revoked.rows_affected() > 0)
}

pub(super) async fn restore(pool: &SqlitePool, agent: &str) -> Result<bool, CatalogueError> {
    let restored =
        sqlx::query("UPDATE agents SET revoked_at = NULL WHERE agent = ? AND revoked_at IS NOT NULL")
            .bind(agent)
            .execute(pool)
            .await
            .map_err(|error| failed("restore an agent", error))?;
    Ok(restored.rows_affected() > 0)
}

pub(super) async fn revocations(pool: &SqlitePool) -> Result<Revocations, CatalogueError> {
    let row = sqlx::query_as::<_, (i64, i64)>(
        "SELECT count(*), coalesce(max(revoked_at), 0) FROM agents WHERE revoked_at IS NOT NULL",
    );
    let row = row.fetch_one(pool).await;
    let (count, last) = row.map_err(|error| failed("see whether agents were revoked", error))?;
    Ok(Revocations { count, last: UnixNanos(last) })
}

pub(super) async fn revoked(pool: &SqlitePool) -> Result<Vec<String>, CatalogueError> {
    sqlx::query_scalar("SELECT agent FROM agents WHERE revoked_at IS NOT NULL LIMIT ?")
        .bind(AGENTS_MAX)
        .fetch_all(pool)
        .await
        .map_err(|error| failed("see which agents were revoked", error))
}

pub(super) async fn note(pool: &SqlitePool, notes: Vec<AgentNote>) -> Result<(), CatalogueError> {
    const ACTION: &str = "note what agents said";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(ACTION, error))?;
    for note in notes {
        sqlx::query(
            "UPDATE agents SET host = ?1, environment = ?2, last_seen = ?3, has_left = ?4 \
             WHERE agent = ?5 AND last_seen <= ?3",
        )
        .bind(note.host)
        .bind(note.environment)
        .bind(note.at.0)
        .bind(note.has_left)
        .bind(note.agent)
        .execute(&mut *tx)
        .await
        .map_err(|error| failed(ACTION, error))?;
    }
    tx.commit().await.map_err(|error| failed(ACTION, error))
}

pub(super) async fn import(
    pool: &SqlitePool,
    tokens: Vec<TokenInfo>,
    agents: Vec<Enrolled>,
) -> Result<bool, CatalogueError> {
    const ACTION: &str = "take over a registry of agents";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failed(ACTION, error))?;
    let any = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM tokens) OR EXISTS (SELECT 1 FROM agents)");
    let is_used: bool = any.fetch_one(&mut *tx).await.map_err(|error| failed(ACTION, error))?;
    if is_used {
        return Ok(false);
    }
    for token in &tokens {
        tokens::add(&mut *tx, token).await?;
    }
    for agent in &agents {
        insert(&mut tx, agent).await?;
    }
    tx.commit().await.map_err(|error| failed(ACTION, error))?;
    Ok(true)
}

fn enrolled(row: &SqliteRow) -> Result<Enrolled, CatalogueError> {
    let read = || {
        let hash: Vec<u8> = row.try_get("certificate_hash")?;
        let hash = hash.try_into().map_err(|_| sqlx::Error::Decode("a hash that is not 32 bytes".into()))?;
        Ok::<_, sqlx::Error>(Enrolled {
            certificate: Fingerprint(hash),
            agent: row.try_get("agent")?,
            project: row.try_get("project")?,
            host: row.try_get("host")?,
            environment: row.try_get("environment")?,
            enrolled_at: UnixNanos(row.try_get("enrolled_at")?),
            last_seen: UnixNanos(row.try_get("last_seen")?),
            has_left: row.try_get("has_left")?,
            revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(UnixNanos),
        })
    };
    read().map_err(|error| {
        let (what, reason) = ("an agent".to_owned(), error.to_string());
        CatalogueError::Corrupt { backend: BACKEND, what, reason }
    })
}

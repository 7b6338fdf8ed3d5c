//! Enrolled agents.

use goldentime_model::UnixNanos;
use goldentime_transport::token::{CertificateHash, SecretHash};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Registry;

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
    /// When it was enrolled.
    pub enrolled_at: UnixNanos,
    /// When it was last connected.
    pub last_seen: UnixNanos,
    /// It said goodbye.
    pub has_left: bool,
    /// It may not connect any more.
    pub is_revoked: bool,
}

/// An agent that is to be enrolled.
#[derive(Clone, Copy, Debug)]
pub struct Enrolment<'a> {
    /// Hash of its certificate.
    pub certificate: CertificateHash,
    /// Its id.
    pub agent: &'a str,
    /// Its project.
    pub project: &'a str,
    /// Its host's name.
    pub host: &'a str,
}

impl Registry {
    /// Enrols an agent with a token, which is used up by one; gives `false` and keeps nothing if the
    /// token is not good any more.
    pub async fn enrol(
        &self,
        secret: &SecretHash,
        agent: Enrolment<'_>,
        now: UnixNanos,
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let used = sqlx::query(
            "UPDATE tokens SET uses = uses + 1 WHERE secret_hash = ? AND revoked_at IS NULL \
             AND (expires_at IS NULL OR expires_at > ?) AND (uses_max IS NULL OR uses < uses_max)",
        );
        let used = used.bind(&secret.as_bytes()[..]).bind(now.0).execute(&mut *tx).await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "INSERT INTO agents (certificate_hash, agent, project, host, enrolled_at, last_seen, has_left) \
             VALUES (?, ?, ?, ?, ?, ?, 1)",
        )
        .bind(&agent.certificate.0[..])
        .bind(agent.agent)
        .bind(agent.project)
        .bind(agent.host)
        .bind(now.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The agent of a certificate.
    pub async fn agent(&self, certificate: CertificateHash) -> Result<Option<Enrolled>, sqlx::Error> {
        let row = sqlx::query("SELECT * FROM agents WHERE certificate_hash = ?")
            .bind(&certificate.0[..])
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(enrolled))
    }

    /// Lets an agent in no more; the running central cuts its connection. Gives whether there was such
    /// an agent that was not revoked yet.
    pub async fn revoke_agent(&self, agent: &str, now: UnixNanos) -> Result<bool, sqlx::Error> {
        let revoked = sqlx::query("UPDATE agents SET revoked_at = ? WHERE agent = ? AND revoked_at IS NULL");
        Ok(revoked.bind(now.0).bind(agent).execute(&self.0).await?.rows_affected() > 0)
    }

    /// Lets a revoked agent in again. Gives whether there was such an agent.
    pub async fn restore_agent(&self, agent: &str) -> Result<bool, sqlx::Error> {
        let restored =
            sqlx::query("UPDATE agents SET revoked_at = NULL WHERE agent = ? AND revoked_at IS NOT NULL");
        Ok(restored.bind(agent).execute(&self.0).await?.rows_affected() > 0)
    }

    /// How many agents are revoked, and when the last one was: whoever compares it with an earlier answer
    /// sees whether anything changed.
    pub(super) async fn revocations(&self) -> Result<(i64, i64), sqlx::Error> {
        let row = sqlx::query(
            "SELECT count(*), coalesce(max(revoked_at), 0) FROM agents WHERE revoked_at IS NOT NULL",
        );
        let row = row.fetch_one(&self.0).await?;
        Ok((row.get(0), row.get(1)))
    }

    /// Ids of the agents that are revoked.
    pub(super) async fn revoked(&self) -> Result<Vec<String>, sqlx::Error> {
        let ids = sqlx::query_scalar("SELECT agent FROM agents WHERE revoked_at IS NOT NULL");
        ids.fetch_all(&self.0).await
    }

    /// Every agent, by id.
    pub async fn agents(&self) -> Result<Vec<Enrolled>, sqlx::Error> {
        let rows = sqlx::query("SELECT * FROM agents ORDER BY agent").fetch_all(&self.0).await?;
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

fn enrolled(row: &SqliteRow) -> Enrolled {
    Enrolled {
        agent: row.get("agent"),
        project: row.get("project"),
        host: row.get("host"),
        environment: row.get("environment"),
        enrolled_at: UnixNanos(row.get("enrolled_at")),
        last_seen: UnixNanos(row.get("last_seen")),
        has_left: row.get("has_left"),
        is_revoked: row.get::<Option<i64>, _>("revoked_at").is_some(),
    }
}

//! Rows read back.

use goldentime_model::UnixNanos;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::super::{BACKEND, Fault};
use crate::access::SecretHash;
use crate::registry::{Enrolled, Fingerprint, TokenInfo};
use crate::store::CatalogueError;

pub(super) fn token(row: &PgRow) -> Result<TokenInfo, Fault> {
    let count = |number: i64| u32::try_from(number).map_err(|_| corrupt("a join token", "a wild count"));
    let uses_max: Option<i64> = row.try_get("uses_max")?;
    Ok(TokenInfo {
        secret: SecretHash(hash(row, "secret_hash")?),
        project: row.try_get("project")?,
        created_at: UnixNanos(row.try_get("created_at")?),
        expires_at: maybe(row, "expires_at")?,
        revoked_at: maybe(row, "revoked_at")?,
        uses: count(row.try_get("uses")?)?,
        uses_max: uses_max.map(count).transpose()?,
    })
}

pub(super) fn agent(row: &PgRow) -> Result<Enrolled, Fault> {
    Ok(Enrolled {
        certificate: Fingerprint(hash(row, "certificate_hash")?),
        agent: row.try_get("agent")?,
        project: row.try_get("project")?,
        host: row.try_get("host")?,
        environment: row.try_get("environment")?,
        enrolled_at: UnixNanos(row.try_get("enrolled_at")?),
        last_seen: UnixNanos(row.try_get("last_seen")?),
        has_left: row.try_get("has_left")?,
        revoked_at: maybe(row, "revoked_at")?,
    })
}

fn maybe(row: &PgRow, column: &str) -> Result<Option<UnixNanos>, Fault> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(UnixNanos))
}

fn hash(row: &PgRow, column: &str) -> Result<[u8; 32], Fault> {
    let bytes: &[u8] = row.try_get(column)?;
    bytes.try_into().map_err(|_| corrupt("a hash", "not 32 bytes"))
}

fn corrupt(what: &str, reason: &str) -> Fault {
    let (what, reason) = (what.to_owned(), reason.to_owned());
    Fault::Catalogue(CatalogueError::Corrupt { backend: BACKEND, what, reason })
}

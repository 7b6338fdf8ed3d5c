//! Rows read back.

use goldentime_model::UnixNanos;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::super::{BACKEND, Fault};
use crate::access::record::{Account, ApiToken, Role, SecretHash, Session, SetupLink};
use crate::store::CatalogueError;

pub(super) fn account(row: &PgRow) -> Result<Account, Fault> {
    Ok(Account { name: row.try_get("name")?, role: role(row)?, created_at: instant(row, "created_at")? })
}

pub(super) fn setup_link(row: &PgRow) -> Result<SetupLink, Fault> {
    Ok(SetupLink {
        secret: secret(row)?,
        role: role(row)?,
        name: row.try_get("name")?,
        created_at: instant(row, "created_at")?,
        expires_at: instant(row, "expires_at")?,
    })
}

pub(super) fn session(row: &PgRow) -> Result<Session, Fault> {
    Ok(Session {
        secret: secret(row)?,
        account: row.try_get("name")?,
        address: row.try_get("address")?,
        created_at: instant(row, "began_at")?,
        seen_at: instant(row, "seen_at")?,
        ends_at: instant(row, "ends_at")?,
    })
}

pub(super) fn api_token(row: &PgRow) -> Result<ApiToken, Fault> {
    let maybe = |column: &str| Ok::<_, Fault>(row.try_get::<Option<i64>, _>(column)?.map(UnixNanos));
    Ok(ApiToken {
        secret: secret(row)?,
        name: row.try_get("name")?,
        role: role(row)?,
        created_by: row.try_get("created_by")?,
        created_at: instant(row, "created_at")?,
        expires_at: maybe("expires_at")?,
        used_at: maybe("used_at")?,
        revoked_at: maybe("revoked_at")?,
    })
}

fn instant(row: &PgRow, column: &str) -> Result<UnixNanos, Fault> {
    Ok(UnixNanos(row.try_get(column)?))
}

fn role(row: &PgRow) -> Result<Role, Fault> {
    let text: &str = row.try_get("role")?;
    text.parse().map_err(|error| corrupt("a role", &error))
}

fn secret(row: &PgRow) -> Result<SecretHash, Fault> {
    let bytes: &[u8] = row.try_get("secret_hash")?;
    let bytes = bytes.try_into().map_err(|_| corrupt("a secret's hash", &"not 32 bytes"))?;
    Ok(SecretHash(bytes))
}

fn corrupt(what: &str, reason: &dyn std::fmt::Display) -> Fault {
    let (what, reason) = (what.to_owned(), reason.to_string());
    Fault::Catalogue(CatalogueError::Corrupt { backend: BACKEND, what, reason })
}

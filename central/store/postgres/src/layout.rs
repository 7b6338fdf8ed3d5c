//! Brings a database to this version's layout, one numbered step after the other.
//!
//! Any number of centrals may start at once: one of them takes the steps, the others wait for it. Of a
//! database that is up to date nothing is asked that would write.

use sqlx::postgres::PgConnection;

use crate::error::Error;
use crate::pool::Session;

/// Tables that belong together, and the steps by which they came to be. Several layouts may share a
/// database.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Its name in the table `layout`.
    pub part: &'static str,
    /// Every step ever taken, in order; a step that has left the house is never edited.
    pub steps: &'static [&'static str],
}

/// The oldest server version that is known to do (`server_version_num`).
const VERSION_MIN: i32 = 150_000;

/// Key of the advisory lock under which layouts change: "goldenti" in ASCII.
const LOCK: i64 = 0x676f_6c64_656e_7469;

/// Takes the steps that the database lacks, all in one transaction.
pub(crate) async fn bring_up(mut session: Session<'_>, layout: Layout) -> Result<(), Error> {
    check_server(&mut session).await?;
    let known = i64::try_from(layout.steps.len()).unwrap_or(i64::MAX);
    if found(&mut session, layout).await? == known {
        session.release();
        return Ok(());
    }
    sqlx::raw_sql("BEGIN").execute(&mut *session).await?;
    // Another central may take a while over the same.
    sqlx::raw_sql("SET LOCAL lock_timeout = 0").execute(&mut *session).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *session).await?;
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS layout (part text, version bigint, PRIMARY KEY (part, version))",
    )
    .execute(&mut *session)
    .await?;
    let found = found(&mut session, layout).await?;
    for (version, step) in (1_i64..).zip(layout.steps).filter(|(version, _)| *version > found) {
        sqlx::raw_sql(*step).execute(&mut *session).await?;
        sqlx::query("INSERT INTO layout (part, version) VALUES ($1, $2)")
            .bind(layout.part)
            .bind(version)
            .execute(&mut *session)
            .await?;
    }
    session.commit().await
}

/// The layout that the database has.
async fn found(on: &mut PgConnection, layout: Layout) -> Result<i64, Error> {
    let there = sqlx::query_scalar::<_, bool>("SELECT to_regclass('layout') IS NOT NULL");
    if !there.fetch_one(&mut *on).await? {
        return Ok(0);
    }
    let found = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM layout WHERE part = $1");
    let found: i64 = found.bind(layout.part).fetch_one(on).await?;
    let known = i64::try_from(layout.steps.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Error::Newer { part: layout.part, found, known });
    }
    Ok(found)
}

async fn check_server(on: &mut PgConnection) -> Result<(), Error> {
    let asked = sqlx::query_as(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
         current_setting('server_encoding')",
    );
    let (version, name, encoding): (i32, String, String) = asked.fetch_one(on).await?;
    fits(version, &name, &encoding)
}

/// Whether a server of this version with a database in this encoding will do.
fn fits(version: i32, name: &str, encoding: &str) -> Result<(), Error> {
    if version < VERSION_MIN {
        let wanted = VERSION_MIN / 10_000;
        return Err(Error::Unfit(format!("it is version {name}; {wanted} or newer is needed, upgrade it")));
    }
    if encoding != "UTF8" {
        return Err(Error::Unfit(format!(
            "the database is in {encoding}; create one with `ENCODING 'UTF8' TEMPLATE template0`"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_refused_with_what_is_needed() {
        assert!(fits(150_018, "15.18", "UTF8").is_ok());
        let refused = fits(140_012, "14.12", "UTF8").expect_err("too old").to_string();
        assert!(refused.contains("14.12") && refused.contains("15 or newer"), "{refused}");
    }
}

//! What a log in segment files holds, seen from another process than the one that writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::{numbers, path};

/// How long a look waits for a lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// File names of the segments, oldest first. Only the last is written to: what is before it never
/// changes again.
pub fn segments(folder: &Path) -> io::Result<Vec<String>> {
    let names = numbers(folder)?.into_iter().filter_map(|number| {
        let path = path(folder, number);
        path.file_name().map(|name| name.to_string_lossy().into_owned())
    });
    Ok(names.collect())
}

/// The last offset of each partition on disk; 0 where there never was one.
///
/// A segment that is being made has no tables yet, or no note of where partitions stand: then the one
/// before it tells.
pub async fn ends(folder: &Path, partitions: u32) -> Result<BTreeMap<u32, u64>, sqlx::Error> {
    let mut ends = BTreeMap::new();
    for number in numbers(folder)?.into_iter().rev() {
        if ends.len() as u64 == u64::from(partitions) {
            break;
        }
        let path = path(folder, number);
        match ends_in(&path, partitions, &mut ends).await {
            // Retention dropped it meanwhile.
            Err(_) if !path.exists() => {}
            looked => looked?,
        }
    }
    for partition in 0..partitions {
        ends.entry(partition).or_insert(0);
    }
    Ok(ends)
}

/// Adds the ends that one segment knows and no newer one did.
async fn ends_in(path: &Path, partitions: u32, ends: &mut BTreeMap<u32, u64>) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name IN ('records', 'starts')")
            .fetch_one(&mut connection)
            .await?;
    for partition in (0..partitions).filter(|_| tables == 2) {
        if ends.contains_key(&partition) {
            continue;
        }
        // Where a partition stood when the segment began, unless it has records in it.
        let row = sqlx::query(
            "SELECT coalesce((SELECT max(offset) FROM records WHERE partition = ?1), \
             (SELECT next - 1 FROM starts WHERE partition = ?1))",
        );
        let last: Option<i64> = row.bind(i64::from(partition)).fetch_one(&mut connection).await?.get(0);
        if let Some(last) = last {
            ends.insert(partition, u64::try_from(last).unwrap_or(0));
        }
    }
    connection.close().await
}

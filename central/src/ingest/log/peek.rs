//! What a log in segment files holds, seen from another process than the one that writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use super::sqlite::{numbers, path};

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
pub async fn ends(folder: &Path, partitions: u32) -> Result<BTreeMap<u32, u64>, sqlx::Error> {
    let mut ends: BTreeMap<u32, u64> = (0..partitions).map(|partition| (partition, 0)).collect();
    let Some(newest) = numbers(folder)?.pop() else { return Ok(ends) };
    let options =
        SqliteConnectOptions::new().filename(path(folder, newest)).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    for (partition, end) in &mut ends {
        // Where a partition stood when the segment began, unless it has records in it.
        let row = sqlx::query(
            "SELECT coalesce((SELECT max(offset) FROM records WHERE partition = ?1), \
             (SELECT next - 1 FROM starts WHERE partition = ?1), 0)",
        );
        let last: i64 = row.bind(i64::from(*partition)).fetch_one(&mut connection).await?.get(0);
        *end = u64::try_from(last).unwrap_or(0);
    }
    connection.close().await?;
    Ok(ends)
}

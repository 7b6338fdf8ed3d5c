//! Three thousand series, written as they come: every five seconds a step.

use std::time::Instant;

use anyhow::{Context, Result};
use goldentime_series::Rows;
use goldentime_testkit::process::own_cpu_time;

use super::feed::{DAY_S, Feed, Shape, store};

/// Services, and what each has: 20 series.
const SERVICES: usize = 150;
const HOSTS: usize = 4;
const ENDPOINTS: usize = 15;
/// Requests of each route in ten seconds.
const REQUESTS: usize = 10;
/// Length of what is written, in seconds.
const LENGTH_S: i64 = 20 * 60;
const START: i64 = 1_800_000_000;

/// What a row costs.
pub struct Written {
    /// Changes of rows of ten seconds in a second of processor time.
    pub rows_per_core_s: f64,
    /// Bytes of the file for each row of ten seconds.
    pub row_bytes: f64,
    /// Bytes written to the disk for each change of a row.
    pub written_bytes_per_row: f64,
    /// Series whose ten minutes are rolled up in a second.
    pub rolled_series_per_s: f64,
    /// Bytes that ten minutes of a series take when they are rolled up.
    rolled_bytes: f64,
}

impl Written {
    /// Disk that 3,000 series take which have requests all the time, by the default retention, in GiB:
    /// the hours are a sixtieth of the minutes at four times their size.
    #[must_use]
    pub fn disk_3000_series_gib(&self) -> f64 {
        let days = |days: i64, width_s: i64| (days * DAY_S / width_s) as f64;
        let minute_bytes = self.rolled_bytes / 10.0;
        let series =
            days(2, 10) * self.row_bytes + days(8, 60) * minute_bytes + days(31, 3600) * 4.0 * minute_bytes;
        3000.0 * series / f64::from(1 << 30)
    }
}

/// Writes and rolls up.
pub async fn measure() -> Result<Written> {
    let folder = tempfile::Builder::new().prefix("goldentime-bench-series-").tempdir()?;
    let shapes: Result<Vec<_>> =
        (0..SERVICES).map(|number| Shape::new(number, HOSTS, ENDPOINTS, REQUESTS)).collect();
    let shapes = shapes?;
    let series: usize = shapes.iter().map(Shape::series).sum();
    let mut feed = Feed::new(store(folder.path()));
    let mut rng = rand::rng();
    // Rows are made beforehand a step at a time, and not counted.
    let (mut changes, mut cpu_s, before_bytes) = (0, 0.0, written_bytes()?);
    for at in (START..START + LENGTH_S).step_by(5) {
        let mut rows = Rows::default();
        shapes.iter().for_each(|shape| shape.add(&mut rows, at, 2, &mut rng));
        let before = own_cpu_time().as_secs_f64();
        changes += feed.commit(&rows, at + 5).await?;
        cpu_s += own_cpu_time().as_secs_f64() - before;
    }
    let written = written_bytes()? - before_bytes;
    let fine = feed.store().usage().await?.bytes as f64;
    let began = Instant::now();
    feed.tend(START + LENGTH_S).await?;
    let tended_s = began.elapsed().as_secs_f64();
    let rolled = feed.store().usage().await?.bytes as f64 - fine;
    let buckets = series as f64 * LENGTH_S as f64 / 10.0;
    // The last ten seconds are not over yet, so one stretch of ten minutes is left out.
    let stretches = series as f64 * (LENGTH_S as f64 / 600.0 - 1.0);
    feed.store().close().await;
    Ok(Written {
        rows_per_core_s: changes as f64 / cpu_s,
        row_bytes: fine / buckets,
        written_bytes_per_row: written as f64 / changes as f64,
        rolled_series_per_s: stretches / tended_s,
        rolled_bytes: rolled / stretches,
    })
}

/// Bytes that this process has sent to the disk.
fn written_bytes() -> Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).context("no write_bytes in /proc/self/io")
}

//! An access log in nginx's manner, for machines without nginx.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_model::UnixNanos;

/// A log file that whole lines are appended to.
pub struct AccessLog(Mutex<std::fs::File>);

impl AccessLog {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> Result<Self> {
        let file = std::fs::File::options().create(true).append(true).open(path);
        file.map(|file| Self(Mutex::new(file))).with_context(|| format!("access log {}", path.display()))
    }

    /// Writes one line with one call, so that a reader never sees half of it.
    pub fn write(&self, at: UnixNanos, method: &str, path: &str, status: u16, took: Duration) -> Result<()> {
        let stamp = jiff::Timestamp::from_nanosecond(i128::from(at.0))?.strftime("%d/%b/%Y:%H:%M:%S +0000");
        let millis = at.as_millis();
        let line = format!(
            "127.0.0.1 - - [{stamp}] \"{method} {path} HTTP/1.1\" {status} 0 \"-\" \"-\" rt={:.3} msec={}.{:03}\n",
            took.as_secs_f64(),
            millis.div_euclid(1000),
            millis.rem_euclid(1000),
        );
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).context("access log")
    }
}

//! Access logs that the test itself writes, in the format of the test's nginx.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_runtime::{Clock, SystemClock};

/// An access log that is appended to.
pub struct AccessLog {
    /// Where it is.
    pub path: PathBuf,
    file: File,
    ahead: Duration,
}

impl AccessLog {
    /// A new log whose writer's clock is `ahead` of ours.
    pub fn create(path: &Path, ahead: Duration) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("log {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, ahead })
    }

    /// Appends a request to each of `paths` that ends now, answered with 200 after 12 ms.
    pub fn requests(&mut self, paths: impl IntoIterator<Item = String>) -> Result<()> {
        let now_ms = SystemClock.now().as_millis() + i64::try_from(self.ahead.as_millis())?;
        let msec = format!("{}.{:03}", now_ms / 1000, now_ms % 1000);
        let mut text = String::new();
        for path in paths {
            text.push_str(&format!(
                "127.0.0.1 - - [22/Nov/2026:15:14:42 +0000] \"GET {path} HTTP/1.1\" 200 157 \"-\" \"test\" \
                 rt=0.012 msec={msec}\n"
            ));
        }
        self.bytes(text.as_bytes())
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).context("append to the log")
    }
}

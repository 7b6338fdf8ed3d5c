//! What an earlier version left on disk: a central's and an agent's state, with what is in them.
//!
//! The archive is made by the programs of that version and kept in the tree; today's programs are started over a copy,
//! at the time when it was made.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::programs::{AgentConfig, CentralConfig};
use goldentime_testkit::{http_client, wait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ask::PATIENCE;
use crate::rules;

/// Name of the one rule, more than 30% of the requests of five seconds failed.
pub const RULE: &str = "errors";
/// The service that is counted.
pub const SERVICE: &str = "order-api";
/// Name of the one account.
pub const ACCOUNT: &str = "operator";
/// Its password.
pub const PASSWORD: &str = "correct horse battery staple";

/// Requests, and how many of them failed.
pub type Requests = (u64, u64);

/// What is in an archive.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The version that left it, as the programs and the repository name it.
    pub version: String,
    /// When it was left, in milliseconds since 1970.
    pub left_ms: i64,
    /// What the central had counted, and stored as log lines.
    pub counted: Requests,
    /// What waits in the agent's spool.
    pub spooled: Requests,
    /// Episode of an alert that had fired and ended.
    pub ended: String,
    /// Episode of one that was firing.
    pub firing: String,
    /// A token of the API.
    pub token: String,
}

/// An archive that was unpacked, or what is to become one.
pub struct Left {
    folder: tempfile::TempDir,
}

impl Left {
    /// Nothing yet.
    pub fn nothing() -> Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("goldentime-previous-").tempdir()? })
    }

    /// A copy of what an archive holds.
    pub fn unpacked(archive: &Path) -> Result<(Self, Manifest)> {
        let left = Self::nothing()?;
        let unpacked = Command::new("tar")
            .args(["-I", "zstd", "-xf"])
            .arg(archive)
            .arg("-C")
            .arg(left.folder())
            .status()?;
        ensure!(unpacked.success(), "{} cannot be unpacked: {unpacked}", archive.display());
        let manifest = std::fs::read(left.folder().join("manifest.json"))?;
        Ok((left, serde_json::from_slice(&manifest)?))
    }

    /// Packs it.
    pub fn pack(&self, manifest: &Manifest, archive: &Path) -> Result<()> {
        std::fs::write(self.folder().join("manifest.json"), serde_json::to_vec_pretty(manifest)?)?;
        let parts = ["manifest.json", "central/state", "central/slo", "agent/state"];
        let mut tar = Command::new("tar");
        tar.args(["--owner=0", "--group=0", "--exclude=*.sock", "-I", "zstd -19 -q", "-cf"]).arg(archive);
        let packed = tar.arg("-C").arg(self.folder()).args(parts).status()?;
        ensure!(packed.success(), "{} cannot be packed: {packed}", archive.display());
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its central, which has not been started yet.
    pub fn central(&self, webhook: &str) -> Result<CentralConfig> {
        let mut config = CentralConfig::new(&self.folder().join("central"), Some(webhook))?;
        config.extra_yaml.push_str("series:\n  fold_for: 200ms\n");
        config.notify_yaml.push_str("  debounce: 0s\n  group_interval: 0s\n");
        rules::write(&config.slo_dir, RULE, SERVICE, 0.3, None)?;
        Ok(config)
    }

    /// Its agent, which has not been started yet and reads `log`.
    pub fn agent(&self, central: &CentralConfig, token: &str, log: &AccessLog) -> Result<AgentConfig> {
        let address = format!("127.0.0.1:{}", central.agents_port);
        let config = AgentConfig::new(&self.folder().join("agent"), &address, token, "web-1")?;
        let mut config = config.tail("nginx", &log.path, SERVICE);
        config.inputs_yaml.push_str("      ship_logs: true\n");
        Ok(config)
    }
}

/// A log that a test writes, in nginx's form, at its own time.
pub struct AccessLog {
    path: PathBuf,
    file: File,
    /// How far its time is behind ours.
    behind: Duration,
    /// What was written.
    pub written: Requests,
}

impl AccessLog {
    /// An empty one.
    pub fn create(path: PathBuf, behind: Duration) -> Result<Self> {
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, file, behind, written: (0, 0) })
    }

    /// Its present, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        SystemClock.now().as_millis() - i64::try_from(self.behind.as_millis()).unwrap_or(i64::MAX)
    }

    /// Writes ten requests a second for so long.
    pub async fn write_for(&mut self, seconds: u64, status: u16) -> Result<()> {
        for _ in 0..seconds * 10 {
            self.write(status)?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Writes until something is so, and gives it.
    pub async fn write_until<T>(
        &mut self,
        what: &str,
        status: u16,
        is_so: impl Fn() -> Option<T>,
    ) -> Result<T> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            self.write_for(1, status).await?;
            if let Some(found) = is_so() {
                return Ok(found);
            }
            ensure!(tokio::time::Instant::now() < until, "waited for {what}");
        }
    }

    fn write(&mut self, status: u16) -> Result<()> {
        let at = jiff::Timestamp::from_millisecond(self.now_ms())?;
        let (local, ms) = (at.strftime("%d/%b/%Y:%H:%M:%S +0000"), at.as_millisecond());
        let (route, took) = (self.written.0 % 50, 1 + self.written.0 % 90);
        writeln!(
            self.file,
            r#"127.0.0.1 - - [{local}] "GET /orders/{route} HTTP/1.1" {status} 5 "-" "test" rt=0.{took:03} msec={}.{:03}"#,
            ms / 1000,
            ms % 1000
        )?;
        self.written.0 += 1;
        self.written.1 += u64::from(status >= 500);
        Ok(())
    }
}

/// Asks a central with a token of its API.
pub async fn ask(central: &str, token: &str, path: &str) -> Result<Value> {
    let asked = http_client().get(format!("{central}{path}")).bearer_auth(token).send().await?;
    asked.error_for_status()?.json().await.with_context(|| path.to_owned())
}

/// Whether the account may sign in with this password.
pub async fn signs_in(central: &str, password: &str) -> Result<bool> {
    let body = json!({"name": ACCOUNT, "password": password});
    let answer = http_client().post(format!("{central}/api/v1/session")).json(&body).send().await?;
    Ok(answer.status().is_success())
}

/// What a central has counted, by live windows, by history, and as log lines.
pub async fn counted(central: &str, token: &str) -> Result<[Requests; 3]> {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let service = format!("default/default/{SERVICE}");
    let window = ask(central, token, &format!("/api/v1/windows?service={service}&seconds=1200")).await?;
    let window = (number(&window["total"]["requests"]), number(&window["total"]["bad"]));
    let history = ask(central, token, &format!("/api/v1/services/{service}/history?step=10")).await?;
    let points = history["points"].as_array().map_or(&[][..], Vec::as_slice);
    let history = points.iter().fold((0, 0), |sum: Requests, point| {
        (sum.0 + number(&point["requests"]), sum.1 + number(&point["bad"]))
    });
    let (mut lines, mut before) = ((0, 0), String::new());
    loop {
        let page = ask(central, token, &format!("/api/v1/logs?limit=1000&service={service}{before}")).await?;
        let found = page["lines"].as_array().context("lines")?;
        let bad = found.iter().filter(|line| {
            line["message"].as_str().is_some_and(|message| message.contains("HTTP/1.1\" 503"))
        });
        lines = (lines.0 + found.len() as u64, lines.1 + bad.count() as u64);
        let Some(next) = page["next"].as_str() else { return Ok([window, history, lines]) };
        before = format!("&before={next}");
    }
}

/// Waits until a central has counted this everywhere, and still has a while later.
pub async fn until_counted(central: &str, token: &str, expected: Requests) -> Result<()> {
    let all = |counted: &[Requests; 3]| counted.iter().all(|requests| requests.0 >= expected.0);
    let reached = wait::until("every request to be counted", PATIENCE, || async {
        counted(central, token).await.ok().filter(all)
    });
    let reached = reached.await;
    // Something counted twice may arrive late as well.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let counted = counted(central, token).await?;
    ensure!(counted == [expected; 3], "{counted:?}, not {expected:?}: {reached:?}");
    Ok(())
}

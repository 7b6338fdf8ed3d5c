//! A real redis-server in a temporary folder ([`Redis`]), and three of them as a Redis Cluster
//! ([`RedisCluster`]).

mod cluster;

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::ports;
use crate::process::{Process, Program, find};
use crate::wait;

pub use cluster::RedisCluster;

/// However busy the machine: a guard against hanging, no bound that is tested.
const READY_MAX: Duration = Duration::from_secs(60);

/// Password of every server: one without would not show that it is sent.
pub const PASSWORD: &str = "correct horse battery staple";

/// How a server differs from the default, which keeps what it holds in its append-only file.
#[derive(Clone, Debug, Default)]
pub struct RedisProps {
    /// Speaks TLS only, with a certificate of its own ([`Redis::certificate`]).
    pub tls: bool,
    /// Further lines of its configuration.
    pub lines: Vec<String>,
}

/// A redis-server on a free port of loopback. Killed when dropped.
pub struct Redis {
    process: Process,
    folder: PathBuf,
    port: u16,
    tls: bool,
}

impl Redis {
    /// Starts a server, its files under `folder`.
    pub async fn start(folder: &Path, props: &RedisProps) -> Result<Self> {
        Self::start_on(folder, ports::free_tcp(), props).await
    }

    async fn start_on(folder: &Path, port: u16, props: &RedisProps) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
        if props.tls {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
            std::fs::write(folder.join("certificate.pem"), made.cert.pem())?;
            std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
        }
        std::fs::write(folder.join("redis.conf"), configuration(folder, port, props))?;
        let mut redis = Self { process: launch(folder)?, folder: folder.to_owned(), port, tls: props.tls };
        redis.ready().await?;
        Ok(redis)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::loopback(self.port)
    }

    /// Its certificate in PEM, when it speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// Sends a command by redis-cli and gives what it prints, without the last line feed.
    pub fn cli<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        let mut command = Command::new(find("redis-cli")?);
        command.env("REDISCLI_AUTH", PASSWORD).args(["-p", &self.port.to_string()]);
        if self.tls {
            command.args(["--tls", "--cacert"]).arg(self.certificate());
        }
        let output = command.args(arguments).output().context("redis-cli")?;
        ensure!(output.status.success(), "redis-cli: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned())
    }

    /// Kills it without a chance to write anything more (SIGKILL).
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts it again, on its port, with what the disk holds.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill9();
        self.process = launch(&self.folder)?;
        self.ready().await
    }

    /// Starts it again, on its port, with nothing. A node of a cluster knows the cluster still.
    pub async fn restart_empty(&mut self) -> Result<()> {
        self.process.kill9();
        let _ = std::fs::remove_dir_all(self.folder.join("appendonlydir"));
        self.process = launch(&self.folder)?;
        self.ready().await
    }

    /// Stops it in its tracks (SIGSTOP): connections stay open and nothing is answered.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on after [`Redis::pause`].
    pub fn go_on(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Waits until it answers, its data loaded.
    async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_MAX;
        let port = self.port;
        self.process
            .ready(
                READY_MAX,
                || async move { wait::until_listening("redis", port, Duration::ZERO).await.is_ok() },
            )
            .await?;
        while !self.cli(["PING"]).is_ok_and(|answer| answer == "PONG") {
            ensure!(Instant::now() < deadline, "redis listens and does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn launch(folder: &Path) -> Result<Process> {
    Program::new("redis", find("redis-server")?, folder).args([folder.join("redis.conf")]).start()
}

fn configuration(folder: &Path, port: u16, props: &RedisProps) -> String {
    let (root, mut lines) = (folder.display(), Vec::new());
    if props.tls {
        lines.push(format!("port 0\ntls-port {port}\ntls-auth-clients no"));
        lines.push(format!("tls-cert-file {root}/certificate.pem\ntls-key-file {root}/key.pem"));
    } else {
        lines.push(format!("port {port}"));
    }
    lines.push(format!("bind 127.0.0.1\ndir {root}\nrequirepass \"{PASSWORD}\"\nsave \"\""));
    lines.push("appendonly yes\nappendfsync everysec\ndaemonize no\nsupervised no".to_owned());
    lines.extend(props.lines.iter().cloned());
    lines.push(String::new());
    lines.join("\n")
}

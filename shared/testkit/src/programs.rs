//! Goldentime's own programs, started from the build folder with configurations of their own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::http_client;
use crate::ports;
use crate::process::{Process, Program};

/// How long a program may take to start, with a debug build on a busy machine.
const START_MAX: Duration = Duration::from_secs(30);

/// The folder with the programs: `GOLDENTIME_BIN_DIR`, else where the running test was built.
pub fn bin_dir() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("GOLDENTIME_BIN_DIR") {
        return Ok(PathBuf::from(folder));
    }
    let own = std::env::current_exe().context("path of the running program")?;
    let folder = own.parent().context("a program stands in a folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}

/// The path of one of the project's programs; says how to build it when it is not there.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = bin_dir()?.join(name);
    anyhow::ensure!(path.is_file(), "{} is not built: run `cargo build --workspace --bins`", path.display());
    Ok(path)
}

/// How a central is to be started.
pub struct CentralConfig {
    /// Its folder: configuration, state, rules and output.
    pub folder: PathBuf,
    /// Dashboard and API.
    pub http_port: u16,
    /// Agents.
    pub agents_port: u16,
    /// Rule files.
    pub slo_dir: PathBuf,
    /// What else stands under `agents:`, indented by two spaces.
    pub agents_yaml: String,
    /// What stands under `notify:`, indented by two spaces.
    pub notify_yaml: String,
    /// Further top-level YAML.
    pub extra_yaml: String,
    /// Further arguments of `serve`.
    pub serve_arguments: Vec<String>,
    /// How far its clock is behind ours.
    pub clock_behind: Duration,
}

/// A running central.
pub struct Central {
    /// How it was started; another start with it is a restart.
    pub config: CentralConfig,
    process: Process,
}

impl CentralConfig {
    /// A central on free ports that sends its alerts to `webhook`.
    pub fn new(folder: &Path, webhook: Option<&str>) -> Result<Self> {
        let slo_dir = folder.join("slo");
        std::fs::create_dir_all(&slo_dir).with_context(|| format!("folder {}", slo_dir.display()))?;
        let notify_yaml = webhook.map_or_else(String::new, |url| {
            format!("  channels:\n    - name: test\n      webhook: {{url: '{url}'}}\n")
        });
        Ok(Self {
            folder: folder.to_owned(),
            http_port: ports::free_tcp(),
            agents_port: ports::free_udp(),
            slo_dir,
            agents_yaml: String::new(),
            notify_yaml,
            extra_yaml: String::new(),
            serve_arguments: Vec::new(),
            clock_behind: Duration::ZERO,
        })
    }

    /// The configuration file's path.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("central.yaml")
    }

    fn write(&self) -> Result<()> {
        let mut text = format!(
            "http:\n  listen: 127.0.0.1:{}\nagents:\n  listen: 127.0.0.1:{}\n{}state_dir: {}\nslo_dir: {}\n{}",
            self.http_port,
            self.agents_port,
            self.agents_yaml,
            self.folder.join("state").display(),
            self.slo_dir.display(),
            self.extra_yaml,
        );
        if !self.notify_yaml.is_empty() {
            text.push_str("notify:\n");
            text.push_str(&self.notify_yaml);
        }
        std::fs::write(self.file(), text).with_context(|| format!("{}", self.file().display()))
    }

    /// Starts it and waits until it is ready to take data.
    pub async fn start(self) -> Result<Central> {
        let process = self.launch().await?;
        Ok(Central { config: self, process })
    }

    async fn launch(&self) -> Result<Process> {
        self.write()?;
        let central = program("goldentime-central")?;
        let mut process = with_clock("central", central, &self.folder, Duration::ZERO, self.clock_behind)
            .args(["serve".into(), "--config".into(), self.file().into_os_string()])
            .args(&self.serve_arguments)
            .start()?;
        let url = format!("http://127.0.0.1:{}/readyz", self.http_port);
        let client = http_client();
        process
            .ready(START_MAX, || async {
                matches!(client.get(&url).send().await, Ok(answer) if answer.status().is_success())
            })
            .await?;
        Ok(process)
    }
}

impl Central {
    /// Base URL of dashboard and API.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.config.http_port)
    }

    /// The process.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// Gets JSON from the API.
    pub async fn get(&self, path: &str) -> Result<serde_json::Value> {
        let url = format!("{}{path}", self.url());
        let answer = http_client().get(&url).send().await.with_context(|| url.clone())?;
        answer.error_for_status()?.json().await.with_context(|| url)
    }

    /// Gets text, as of `/metrics`.
    pub async fn text(&self, path: &str) -> Result<String> {
        let url = format!("{}{path}", self.url());
        let answer = http_client().get(&url).send().await.with_context(|| url.clone())?;
        answer.error_for_status()?.text().await.with_context(|| url)
    }

    /// A new join token for `project`.
    pub fn join_token(&self, project: &str) -> Result<String> {
        let output = std::process::Command::new(program("goldentime-central")?)
            .args(["token", "create", "--project", project, "--config"])
            .arg(self.config.file())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let token = text.split_whitespace().find(|word| word.starts_with("gt1."));
        token.map(str::to_owned).with_context(|| {
            format!("`token create` printed no token: {text}{}", String::from_utf8_lossy(&output.stderr))
        })
    }

    /// Stops it in its tracks, or lets it go on.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.process.signal(if paused { Signal::STOP } else { Signal::CONT })
    }

    /// Kills it with SIGKILL and gives its configuration back for another start.
    #[must_use]
    pub fn kill9(mut self) -> CentralConfig {
        self.process.kill9();
        self.config
    }

    /// Kills it with SIGKILL; [`Central::revive`] starts it again.
    pub fn crash(&mut self) {
        self.process.kill9();
    }

    /// Starts it again and waits until it is ready to take data.
    pub async fn revive(&mut self) -> Result<()> {
        self.process = self.config.launch().await?;
        Ok(())
    }

    /// Asks it to stop and fails unless it ends by itself with success.
    pub async fn stop(mut self) -> Result<CentralConfig> {
        let status = self.process.stop(START_MAX).await?;
        anyhow::ensure!(status.success(), "central ended with {status}:\n{}", self.process.output());
        Ok(self.config)
    }
}

/// How an agent is to be started.
#[derive(Clone)]
pub struct AgentConfig {
    /// Its folder: configuration, state and output.
    pub folder: PathBuf,
    /// Where the central listens, or a proxy before it; empty for an agent that has no central.
    pub central: String,
    /// Where further centrals listen that share their work with that one.
    pub other_centrals: Vec<String>,
    /// Join token.
    pub token: String,
    /// Name of the host that it says it is.
    pub host: String,
    /// What stands under `inputs:`, indented by two spaces.
    pub inputs_yaml: String,
    /// Further top-level YAML.
    pub extra_yaml: String,
    /// How far its clock is ahead of ours.
    pub clock_ahead: Duration,
    /// How far it is behind.
    pub clock_behind: Duration,
}

/// Becomes the program that it is given, under libfaketime, which does not start where a killed process of the same
/// id left its shared memory. The loader fills in `$LIB`.
const WITH_FAKETIME: &str = r#"rm -f "/dev/shm/faketime_shm_$$" "/dev/shm/sem.faketime_sem_$$"
LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1' exec "$0" "$@""#;

/// A program whose wall clock is ahead of ours, or behind.
fn with_clock(name: &str, executable: PathBuf, folder: &Path, ahead: Duration, behind: Duration) -> Program {
    let (sign, shift) = match ahead.checked_sub(behind) {
        Some(ahead) => ('+', ahead),
        None => ('-', behind.saturating_sub(ahead)),
    };
    if shift.is_zero() {
        return Program::new(name, executable, folder);
    }
    Program::new(name, "sh", folder)
        .env("FAKETIME", format!("{sign}{}s", shift.as_secs()))
        // What is waited for takes as long as it takes.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .args(["-c", WITH_FAKETIME])
        .args([executable])
}

/// A running agent.
pub struct Agent {
    /// How it was started; another start with it is a restart.
    pub config: AgentConfig,
    process: Process,
}

impl AgentConfig {
    /// An agent that says it is `host` and reads nothing yet.
    pub fn new(folder: &Path, central: &str, token: &str, host: &str) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            central: central.to_owned(),
            other_centrals: Vec::new(),
            token: token.to_owned(),
            host: host.to_owned(),
            inputs_yaml: String::new(),
            extra_yaml: String::new(),
            clock_ahead: Duration::ZERO,
            clock_behind: Duration::ZERO,
        })
    }

    /// Tails an access log in [`crate::nginx::LOG_FORMAT`] as the service `service`.
    #[must_use]
    pub fn tail(mut self, name: &str, log: &Path, service: &str) -> Self {
        use std::fmt::Write as _;
        if self.inputs_yaml.is_empty() {
            self.inputs_yaml.push_str("  tail:\n");
        }
        let (log, format) = (log.display(), crate::nginx::LOG_FORMAT);
        let _ = write!(
            self.inputs_yaml,
            "    - name: {name}\n      paths: ['{log}']\n      service: {service}\n      start_at: beginning\n      \
             format:\n        type: nginx\n        log_format: '{format}'\n"
        );
        self
    }

    /// The configuration file's path.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("agent.yaml")
    }

    /// The state folder.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn write(&self) -> Result<()> {
        let (central, others) = (&self.central, self.other_centrals.join(", "));
        let address = match others.is_empty() {
            true => format!("address: {central}"),
            false => format!("addresses: [{central}, {others}]"),
        };
        let central = match central.is_empty() {
            true => String::new(),
            false => format!("central:\n  {address}\n  join_token: {}\n", self.token),
        };
        let text = format!(
            "{central}host: {}\nstate_dir: {}\ninputs:\n{}\n{}",
            self.host,
            self.state_dir().display(),
            self.inputs_yaml,
            self.extra_yaml,
        );
        std::fs::write(self.file(), text).with_context(|| format!("{}", self.file().display()))
    }

    /// Starts it. Whether it reaches its central is the test's matter.
    pub fn start(self) -> Result<Agent> {
        let process = self.launch()?;
        Ok(Agent { config: self, process })
    }

    fn launch(&self) -> Result<Process> {
        self.write()?;
        let (name, agent) = (format!("agent-{}", self.host), program("goldentime-agent")?);
        let program = with_clock(&name, agent, &self.folder, self.clock_ahead, self.clock_behind);
        program.args(["run", "--config"]).args([self.file()]).start()
    }
}

impl Agent {
    /// The process.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// Kills it with SIGKILL and gives its configuration back for another start.
    #[must_use]
    pub fn kill9(mut self) -> AgentConfig {
        self.process.kill9();
        self.config
    }

    /// Stops it from running without ending it, or lets it go on.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.process.signal(if paused { Signal::STOP } else { Signal::CONT })
    }

    /// Kills it with SIGKILL; [`Agent::revive`] starts it again.
    pub fn crash(&mut self) {
        self.process.kill9();
    }

    /// Starts it again.
    pub fn revive(&mut self) -> Result<()> {
        self.process = self.config.launch()?;
        Ok(())
    }

    /// Asks it to stop and fails unless it ends by itself with success.
    pub async fn stop(mut self) -> Result<AgentConfig> {
        let status = self.process.stop(START_MAX).await?;
        anyhow::ensure!(status.success(), "agent ended with {status}:\n{}", self.process.output());
        Ok(self.config)
    }
}

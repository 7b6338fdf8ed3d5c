//! A host with the agent's program: its configuration, its log, its state.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use goldentime_runtime::{Clock, SystemClock};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::{HANG_MAX, Log};

const PROGRAM: &str = env!("CARGO_BIN_EXE_goldentime-agent");

/// Services that the log speaks of, so that every partition has some.
const SERVICES: u64 = 12;

/// One host.
pub(crate) struct Host {
    folder: tempfile::TempDir,
    /// Lines written so far.
    pub(crate) lines: u64,
}

impl Host {
    /// A host that sends to these topics; `more` stands below `kafka`.
    pub(crate) fn new(log: &Log, more: &str) -> Self {
        let brokers = log.config.connection.brokers.join("', '");
        let prefix = &log.config.topic_prefix;
        Self::with(&format!(
            "kafka:\n  connection:\n    brokers: ['{brokers}']\n    request_timeout: 2s\n  topic_prefix: {prefix}\n{more}"
        ))
    }

    /// A host whose configuration begins like this.
    pub(crate) fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "{config}host: web-1\nenvironment: prod\nstate_dir: {}\ninputs:\n  host: {{enabled: false}}\n  tail:\n    - \
             name: app\n      paths: ['{}']\n      start_at: beginning\n      ship_logs: true\n      format: {{type: \
             json}}\n",
            at("state"),
            at("app.log"),
        );
        std::fs::write(folder.path().join("agent.yaml"), config).expect("written");
        Self { folder, lines: 0 }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn start(&self) -> Child {
        let output = std::fs::File::options().create(true).append(true).open(self.path("agent.out"));
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--config"]).arg(self.path("agent.yaml"));
        command.stderr(output.expect("made")).stdout(Stdio::null()).spawn().expect("starts")
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--config").arg(self.path("agent.yaml"));
        command.output().expect("runs")
    }

    /// What `status` prints.
    pub(crate) fn page(&self) -> String {
        String::from_utf8(self.ask(&["status"]).stdout).expect("text")
    }

    /// What `check` advises about Kafka; nothing of it keeps the agent from starting.
    pub(crate) fn advice(&self) -> String {
        let checked = self.ask(&["check"]);
        let text = String::from_utf8(checked.stdout).expect("text");
        assert!(checked.status.success(), "{text}");
        let advice = text.lines().filter(|line| line.starts_with("advice: nothing can be sent to Kafka now"));
        advice.collect()
    }

    /// Everything that may explain a failure.
    pub(crate) fn explain(&self) -> String {
        let output = std::fs::read_to_string(self.path("agent.out")).unwrap_or_default();
        format!("{output}\n{}", self.page())
    }

    /// Requests, each a line.
    pub(crate) fn write_lines(&mut self, count: u64) {
        let mut text = String::new();
        for line in self.lines..self.lines + count {
            let (service, status) = (line % SERVICES, if line % 50 == 0 { 502 } else { 200 });
            let now = SystemClock.now().0 as f64 / 1e9;
            text.push_str(&format!(
                "{{\"time\": {now:.3}, \"service\": \"s{service}\", \"method\": \"GET\", \"path\": \"/orders/{line}\", \
                 \"status\": {status}, \"duration\": 0.0{}, \"msg\": \"order {line}\"}}\n",
                10 + line % 80
            ));
        }
        self.append(&text);
        self.lines += count;
    }

    /// As it stands.
    pub(crate) fn append(&self, text: &str) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("app.log"));
        log.expect("opened").write_all(text.as_bytes()).expect("written");
    }

    /// The agent's status, as soon as it is as wanted.
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let seen = async {
            loop {
                let asked = self.ask(&["status", "--json"]);
                if asked.status.success() {
                    let status = serde_json::from_slice(&asked.stdout).expect("JSON");
                    if wanted(&status) {
                        return status;
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let seen = tokio::time::timeout(HANG_MAX, seen).await;
        seen.unwrap_or_else(|_| panic!("never came: {what}\n{}", self.explain()))
    }

    /// What the status says is wrong with Kafka, as soon as it says this.
    pub(crate) async fn trouble(&self, told: &str) -> String {
        let text = |status: &serde_json::Value| {
            status["uplink"]["kafka"]["trouble"].as_str().unwrap_or_default().to_owned()
        };
        let status = self.until(told, |status| text(status).contains(told)).await;
        text(&status)
    }
}

/// Asks an agent to end, and waits.
pub(crate) fn stop(mut agent: Child) -> ExitStatus {
    kill_process(Pid::from_child(&agent), Signal::TERM).expect("runs");
    agent.wait().expect("ends")
}

/// Ends it without a chance to clean up.
pub(crate) fn kill9(mut agent: Child) {
    agent.kill().expect("runs");
    agent.wait().expect("ends");
}

/// A file that only its owner reads.
pub(crate) fn write_secret(path: &Path, secret: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, secret).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("set");
}

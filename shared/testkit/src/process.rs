//! A child process that dies with its guard.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait;

/// What to start.
pub struct Program {
    name: String,
    command: Command,
    log: PathBuf,
}

/// A started program. Dropping it kills its whole process group.
pub struct Process {
    name: String,
    child: std::process::Child,
    log: PathBuf,
}

impl Program {
    /// `executable`, whose output goes to `<folder>/<name>.log`.
    pub fn new(name: &str, executable: impl AsRef<OsStr>, folder: &Path) -> Self {
        let mut command = Command::new(executable);
        command.current_dir(folder).stdin(Stdio::null()).process_group(0);
        Self { name: name.to_owned(), command, log: folder.join(format!("{name}.log")) }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I, S>(mut self, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it as this user and group, which only root may ask for.
    #[must_use]
    pub fn user(mut self, user: u32, group: u32) -> Self {
        self.command.uid(user).gid(group);
        self
    }

    /// Starts it. Its output is appended to what an earlier run left.
    pub fn start(mut self) -> Result<Process> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("log file {}", self.log.display()))?;
        self.command.stdout(log.try_clone()?).stderr(log);
        let child = self
            .command
            .spawn()
            .with_context(|| format!("cannot start {} ({:?})", self.name, self.command.get_program()))?;
        Ok(Process { name: self.name, child, log: self.log })
    }
}

impl Process {
    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything that it wrote to standard output and error.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Kills it without a chance to clean up (SIGKILL) and reaps it.
    pub fn kill9(&mut self) {
        // Its group first: a server's workers must not outlive their master.
        let _ = kill_process_group(self.raw_pid(), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.raw_pid(), signal).with_context(|| format!("signal {signal:?} to {}", self.name))
    }

    /// Stops it and whatever it started in their tracks (SIGSTOP), or lets them go on: connections stay open
    /// and nothing is answered.
    pub fn pause(&self, paused: bool) -> Result<()> {
        let signal = if paused { Signal::STOP } else { Signal::CONT };
        // From the top: what is stopped starts nothing more.
        let mut family = vec![self.raw_pid()];
        while let Some(one) = family.pop() {
            // A child may have ended since it was listed.
            if let Err(error) = kill_process(one, signal)
                && one == self.raw_pid()
            {
                return Err(error).with_context(|| format!("signal {signal:?} to {}", self.name));
            }
            family.extend(children(one));
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits up to `limit`.
    pub async fn stop(&mut self, limit: Duration) -> Result<ExitStatus> {
        if let Some(ended) = self.child.try_wait()? {
            return Ok(ended);
        }
        self.signal(Signal::TERM)?;
        self.ended(limit).await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if tokio::time::Instant::now() > deadline {
                bail!(
                    "{} did not end in {:.1} s; its output:\n{}",
                    self.name,
                    limit.as_secs_f64(),
                    self.tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until `ready`, or fails at once, with its output, when it has ended.
    pub async fn ready<F, Fut>(&mut self, limit: Duration, ready: F) -> Result<()>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = bool>,
    {
        let deadline = tokio::time::Instant::now() + limit;
        while !ready().await {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended before it was ready ({status}); its output:\n{}", self.name, self.tail());
            }
            if tokio::time::Instant::now() > deadline {
                bail!(
                    "{} not ready in {:.1} s; its output:\n{}",
                    self.name,
                    limit.as_secs_f64(),
                    self.tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until its output holds `text`.
    pub async fn printed(&self, text: &str, limit: Duration) -> Result<()> {
        wait::until(&format!("{} to print {text:?}", self.name), limit, || async {
            self.output().contains(text).then_some(())
        })
        .await
    }

    /// Resident memory in bytes, 0 when it has ended.
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib =
            line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// Processor time used so far, user and system.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        cpu_time_of(&self.pid().to_string())
    }

    fn tail(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The full path of a Debian program, also from the folders that are not on everyone's PATH.
pub fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from));
    for folder in folders {
        let candidate = folder.join(program);
        if candidate.is_file() {
            return Ok(candidate);
        }
    }
    bail!("{program} is not installed; `scripts/setup` installs it")
}

/// Processor time that this process has used so far, user and system.
#[must_use]
pub fn own_cpu_time() -> Duration {
    cpu_time_of("self")
}

/// Processes whose parent this one is.
fn children(parent: Pid) -> Vec<Pid> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |id: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // After the command name, which may hold spaces: state, then parent.
        let parent_of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        parent_of.and_then(|id| id.parse().ok()) == Some(parent.as_raw_nonzero().get())
    };
    ids.filter(is_child).filter_map(Pid::from_raw).collect()
}

fn cpu_time_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Fields after the command name, which may hold spaces: utime and stime are the 12th and 13th.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

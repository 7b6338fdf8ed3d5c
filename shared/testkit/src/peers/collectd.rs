//! collectd with the plugins that see what our host input sees, each second.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::process::{Process, Program, find};
use crate::wait;

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(20);

/// A running collectd that writes nowhere.
pub struct Collectd(Process);

impl Collectd {
    /// Starts it in the foreground.
    pub fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let root = folder.display();
        let plugins = ["cpu", "memory", "swap", "disk", "df", "interface", "load", "vmem", "processes"];
        let mut text = format!(
            "Hostname \"bench\"\nFQDNLookup false\nInterval 1\nBaseDir \"{root}\"\nPIDFile \"{root}/collectd.pid\"\n"
        );
        for plugin in plugins {
            text.push_str(&format!("LoadPlugin {plugin}\n"));
        }
        let file = folder.join("collectd.conf");
        std::fs::write(&file, text)?;
        let arguments = ["-f".into(), "-C".into(), file.into_os_string()];
        Program::new("collectd", find("collectd")?, folder).args(arguments).start().map(Self)
    }

    /// Starts it as a StatsD server that has as much room in its socket as it may have.
    pub async fn start_statsd(folder: &Path, port: u16) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let root = folder.display();
        let text = format!(
            "Hostname \"bench\"\nFQDNLookup false\nInterval 1\nBaseDir \"{root}\"\nPIDFile \"{root}/collectd.pid\"\n\
             LoadPlugin statsd\n<Plugin statsd>\n  Host \"127.0.0.1\"\n  Port \"{port}\"\n  TimerPercentile 50.0\n  \
             TimerPercentile 95.0\n  TimerPercentile 99.0\n</Plugin>\n"
        );
        let file = folder.join("collectd.conf");
        std::fs::write(&file, text)?;
        let arguments = ["-f".into(), "-C".into(), file.into_os_string()];
        let process = Program::new("collectd", find("collectd")?, folder).args(arguments).start()?;
        let listening = format!(":{port:04X} ");
        wait::until("collectd to listen", START_MAX, || async {
            std::fs::read_to_string("/proc/net/udp").ok()?.contains(&listening).then_some(())
        })
        .await?;
        Ok(Self(process))
    }

    /// The process.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.0
    }
}

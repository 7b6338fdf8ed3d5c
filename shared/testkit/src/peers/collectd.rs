//! collectd with the plugins that see what our host input sees, each second.

use std::path::Path;

use anyhow::Result;

use crate::process::{Process, Program, find};

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

    /// The process.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.0
    }
}

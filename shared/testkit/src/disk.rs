//! A small disk that a test can fill.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A tmpfs of its own. Unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of `mib` at `folder`, which is made; `None`, with a word on why, for lack of rights.
    pub fn mount(folder: &Path, mib: u32) -> Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new("mount");
        let options = format!("size={mib}m,mode=0700");
        let output = command.args(["-t", "tmpfs", "-o", &options, "goldentime-test"]).arg(folder).output()?;
        if !output.status.success() {
            println!("skipped: cannot mount a tmpfs: {}", String::from_utf8_lossy(&output.stderr).trim());
            return Ok(None);
        }
        Ok(Some(Self(folder.to_owned())))
    }

    /// Gives it another size.
    pub fn resize(&self, mib: u32) -> Result<()> {
        let options = format!("remount,size={mib}m");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).status()?;
        ensure!(done.success(), "mount -o {options}: {done}");
        Ok(())
    }

    /// Takes all room that is left.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast()).context("ballast")?;
        let block = vec![0; 64 << 10];
        while ballast.write_all(&block).is_ok() {}
        let byte = [0];
        while ballast.write_all(&byte).is_ok() {}
        Ok(())
    }

    /// Gives the room back.
    pub fn free(&self) -> Result<()> {
        std::fs::remove_file(self.ballast()).context("ballast")
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: programs of a failed test may still hold files on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

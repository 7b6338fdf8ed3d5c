//! Servers that do not run as root: there they run as `nobody` of `nogroup`.

use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::geteuid;

use crate::process::Program;

const NOBODY: u32 = 65534;

/// The program, as an unprivileged user.
pub(super) fn unprivileged(program: Program) -> Program {
    if geteuid().is_root() { program.user(NOBODY, NOBODY) } else { program }
}

/// Makes a file that of the user that the server runs as.
pub(super) fn give_away(path: &Path) -> Result<()> {
    if geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))
            .with_context(|| format!("cannot give {} to nobody", path.display()))?;
    }
    Ok(())
}

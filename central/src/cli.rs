//! The commands of `goldentime-central`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use goldentime_model::units::HumanDuration;
use goldentime_runtime::manual::Shell;

/// Where the configuration is read from unless told otherwise.
const CONFIG_FILE: &str = "/etc/goldentime/central.yaml";

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
    /// Runs the central until SIGTERM or SIGINT.
    Serve(ConfigArgs),
    /// Rules: OpenSLO files.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Join tokens, with which agents are enrolled.
    #[command(subcommand)]
    Token(TokenCommand),
    /// About the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prints what a shell needs to complete this program's commands.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Writes manual pages and completions, for packages.
    #[command(hide = true)]
    Manual {
        /// Stands for /usr/share.
        folder: PathBuf,
    },
}

/// About the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Prints the manual page of `central.yaml` in Markdown.
    Reference,
    /// Checks the configuration as `serve` would load it, and its rules. Exit code 2 when the
    /// configuration is wrong; wrong rules are told, but keep no central from starting.
    Check(ConfigArgs),
}

/// Which configuration.
#[derive(Clone, Debug, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file. Without this flag the default file may be absent: then every setting has
    /// its default.
    #[arg(long, value_name = "FILE", env = "GOLDENTIME_CENTRAL_CONFIG")]
    pub config: Option<PathBuf>,
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

/// Join tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Makes a token and prints it, this once: only its hash is kept.
    Create {
        /// Project of the agents that join with it.
        #[arg(long, default_value = "default")]
        project: String,
        /// How long agents may join with it, such as `24h`; for ever unless given.
        #[arg(long, value_name = "DURATION")]
        expires_in: Option<HumanDuration>,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Ends a token. Agents that joined with it stay.
    Revoke {
        /// Its id, or the first digits of it.
        id: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Lists tokens by id, without their secrets.
    List {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

impl ConfigArgs {
    /// How the configuration is to be loaded.
    #[must_use]
    pub fn load_options(&self) -> goldentime_model::config::LoadOptions {
        match &self.config {
            Some(file) => goldentime_model::config::LoadOptions::new("central", file),
            None => goldentime_model::config::LoadOptions::new("central", CONFIG_FILE).optional(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_belongs_to_the_default_project_unless_told_otherwise() {
        let cli = Cli::parse_from(["goldentime-central", "token", "create"]);
        let Command::Token(TokenCommand::Create { project, config, .. }) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!((project.as_str(), config.config), ("default", None));
    }
}

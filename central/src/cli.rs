//! The commands of `goldentime-central`.

mod alerts;
mod deadletter;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use goldentime_catalog::Role as AccountRole;
use goldentime_model::config::{Flag, LoadOptions};
use goldentime_model::units::HumanDuration;
use goldentime_runtime::manual::Shell;

use crate::roles::Role;

pub use alerts::{AlertArgs, AlertsCommand, AlertsListArgs, CareArgs, NoteArgs, SendTestArgs};
pub use deadletter::{DeadletterCommand, FilterArgs, ListArgs, ReplayArgs, ShowArgs};

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
    Serve(ServeArgs),
    /// Asks the central of this configuration, on this machine, whether it is ready. Exit code 1 when it is not,
    /// and why: a health check.
    Ready(ConfigArgs),
    /// Rules: OpenSLO files.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Join tokens, with which agents are enrolled.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Agents that were enrolled.
    #[command(subcommand)]
    Agents(AgentsCommand),
    /// Alerts: what fires, who takes care of it, and what was done.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Dead letters: what agents sent and could not be taken, and log lines that no store took.
    #[command(subcommand)]
    Deadletter(DeadletterCommand),
    /// Makes a link by which somebody sets name and password of an account, once, and prints it. Also
    /// for who lost their password.
    SetupLink {
        /// What a new account may do: viewer, editor or admin.
        #[arg(long, default_value = "admin")]
        role: AccountRole,
        /// The account that is to be made or, if it is there, gets a new password; its holder chooses a
        /// new name unless given.
        #[arg(long)]
        name: Option<String>,
        /// How long it can be used, `1m` to `7d`; `24h` unless given.
        #[arg(long, value_name = "DURATION")]
        expires: Option<HumanDuration>,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Accounts of people. `setup-link` makes them.
    #[command(subcommand)]
    Account(AccountCommand),
    /// API tokens, with which programs ask.
    #[command(subcommand)]
    ApiToken(ApiTokenCommand),
    /// Prints the certificate of the central's own authority, which signs HTTP's certificate with
    /// `http.tls.mode: self_made`; `create` makes one for several centrals.
    #[command(args_conflicts_with_subcommands = true)]
    Authority {
        /// What to do instead.
        #[command(subcommand)]
        command: Option<AuthorityCommand>,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Brings the databases of `cluster` to this version's layout, as their first use does. For those who let
    /// only this command make tables.
    Migrate(ConfigArgs),
    /// Copies the whole state into a new folder, while the central runs or not.
    Backup {
        /// The folder to make. It appears once the copy is whole.
        folder: PathBuf,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Returns a backup into the state folder of a central that does not run.
    Restore {
        /// The backup's folder.
        folder: PathBuf,
        /// Moves a state that is there aside instead of refusing to restore over it.
        #[arg(long)]
        replace: bool,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
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

/// Agents.
#[derive(Debug, Subcommand)]
pub enum AgentsCommand {
    /// Lists every agent that was ever enrolled.
    List {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Cuts an agent off within a second and lets it in no more. What it has not shipped stays on its host.
    Revoke {
        /// Its id.
        id: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Lets a revoked agent in again.
    Restore {
        /// Its id.
        id: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// Accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Lists accounts.
    List {
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Removes an account; its sessions end at once.
    Remove {
        /// Its name.
        name: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// API tokens.
#[derive(Debug, Subcommand)]
pub enum ApiTokenCommand {
    /// Makes a token and prints it, this once: only its hash is kept.
    Create {
        /// What it is for.
        #[arg(long)]
        name: String,
        /// What it may do: viewer, editor or admin.
        #[arg(long, default_value = "viewer")]
        role: AccountRole,
        /// How long it is good, such as `90d`; for ever unless given.
        #[arg(long, value_name = "DURATION")]
        expires: Option<HumanDuration>,
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
    /// Ends a token at once.
    Revoke {
        /// Its id.
        id: String,
        /// Which configuration.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// About the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Prints the manual page of `central.yaml` in Markdown.
    Reference,
    /// Checks the configuration as `serve` would load it, and its rules. Exit code 2 when the
    /// configuration is wrong; wrong rules are told, but keep no central from starting.
    Check(ServeArgs),
}

/// How a central runs.
#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// What it does of what several centrals share, such as `gateway` or `process,notify`, whatever the
    /// configuration says.
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    pub roles: Option<Vec<Role>>,
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
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
    /// Prints the rules that come with the program, to copy and adapt. `starter_rules` in
    /// `central.yaml` switches them on as they are.
    Starter,
}

/// The authority that agents trust.
#[derive(Debug, Subcommand)]
pub enum AuthorityCommand {
    /// Makes one in a folder, to be placed on every central and named there in `agents.authority_dir`.
    Create {
        /// The folder; it must hold none yet.
        #[arg(long)]
        dir: PathBuf,
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
        #[arg(long, value_name = "DURATION", alias = "expires-in")]
        expires: Option<HumanDuration>,
        /// How many agents may join with it; any number unless given.
        #[arg(long, value_name = "AGENTS", value_parser = clap::value_parser!(u32).range(1..))]
        uses: Option<u32>,
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

impl ServeArgs {
    /// How the configuration is to be loaded.
    #[must_use]
    pub fn load_options(&self) -> LoadOptions {
        let options = self.config.load_options();
        let Some(roles) = &self.roles else { return options };
        let items = roles.iter().map(ToString::to_string).collect();
        options.with_flag(Flag { name: "--roles", setting: "roles", items })
    }
}

impl ConfigArgs {
    /// How the configuration is to be loaded.
    #[must_use]
    pub fn load_options(&self) -> LoadOptions {
        match &self.config {
            Some(file) => LoadOptions::new("central", file),
            None => LoadOptions::new("central", CONFIG_FILE).optional(),
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

    #[test]
    fn roles_are_named_with_commas_and_one_that_is_not_known_is_refused_with_those_that_are() {
        let cli = Cli::parse_from(["goldentime-central", "serve", "--roles", "process,notify"]);
        let Command::Serve(args) = cli.command else { panic!("{cli:?}") };
        assert_eq!(args.load_options().flags[0].items, ["process", "notify"]);
        let refused = Cli::try_parse_from(["goldentime-central", "serve", "--roles", "pager"]);
        let refused = refused.expect_err("no such role").to_string();
        assert!(refused.contains("pager") && refused.contains("gateway, process, notify, api"), "{refused}");
    }
}

//! The program `goldentime-central`.

use anyhow::Context;
use clap::{CommandFactory, Parser};
use goldentime_central::cli::{
    AccountCommand, AgentsCommand, AlertsCommand, ApiTokenCommand, AuthorityCommand, Cli, Command,
    ConfigArgs, ConfigCommand, DeadletterCommand, RulesCommand, TokenCommand,
};
use goldentime_central::commands::{
    access, agents, alerts, authority, backup, check, deadletter, migrate, ready, serve, token,
};
use goldentime_central::config::{Config, reference};
use goldentime_central::evaluate::openslo::{report, starter};
use goldentime_model::config::LoadOptions;
use goldentime_model::exit::ExitCode;
use goldentime_runtime::manual;

fn main() -> ExitCode {
    goldentime_runtime::make_files_private();
    match Cli::parse().command {
        Command::Serve(args) => with_options(&args.load_options(), serve::main),
        Command::Ready(args) => with_config(&args, |config| wait_for(ready::run(&config))),
        Command::Rules(RulesCommand::Check { paths }) => {
            let reports: Vec<_> = paths.iter().map(|path| report::check(path)).collect();
            reports.iter().for_each(|report| print!("{}", report.text));
            if reports.iter().all(|report| report.valid) { ExitCode::Ok } else { ExitCode::Usage }
        }
        Command::Rules(RulesCommand::Starter) => {
            print!("{}", starter::text());
            ExitCode::Ok
        }
        Command::Token(TokenCommand::Create { project, expires, uses, config }) => {
            with_config(&config, |config| wait_for(token::create(&config, &project, expires, uses)))
        }
        Command::Token(TokenCommand::Revoke { id, config }) => {
            with_config(&config, |config| wait_for(token::revoke(&config, &id)))
        }
        Command::Token(TokenCommand::List { config }) => {
            with_config(&config, |config| wait_for(token::list(&config)))
        }
        Command::Agents(AgentsCommand::List { config }) => {
            with_config(&config, |config| wait_for(agents::list(&config)))
        }
        Command::Agents(AgentsCommand::Revoke { id, config }) => {
            with_config(&config, |config| wait_for(agents::revoke(&config, &id)))
        }
        Command::Agents(AgentsCommand::Restore { id, config }) => {
            with_config(&config, |config| wait_for(agents::restore(&config, &id)))
        }
        Command::Alerts(AlertsCommand::List(args)) => {
            with_config(&args.config, |config| wait_for(alerts::list(&config, &args)))
        }
        Command::Alerts(AlertsCommand::Show(args)) => {
            with_config(&args.config, |config| wait_for(alerts::show(&config, &args)))
        }
        Command::Alerts(AlertsCommand::Ack(args)) => {
            with_config(&args.config, |config| wait_for(alerts::ack(&config, &args)))
        }
        Command::Alerts(AlertsCommand::Unack(args)) => {
            with_config(&args.config, |config| wait_for(alerts::unack(&config, &args)))
        }
        Command::Alerts(AlertsCommand::SendTest(args)) => {
            with_config(&args.config, |config| wait_for(alerts::send_test(&config, &args)))
        }
        Command::Alerts(AlertsCommand::Note(args)) => {
            with_config(&args.config, |config| wait_for(alerts::note(&config, &args)))
        }
        Command::Deadletter(DeadletterCommand::List(args)) => {
            with_config(&args.config, |config| wait_for(deadletter::list(&config, &args)))
        }
        Command::Deadletter(DeadletterCommand::Show(args)) => {
            with_config(&args.config, |config| wait_for(deadletter::show(&config, &args)))
        }
        Command::Deadletter(DeadletterCommand::Replay(args)) => {
            with_config(&args.config, |config| wait_for(deadletter::replay(&config, &args)))
        }
        Command::SetupLink { role, name, expires, config } => {
            with_config(&config, |config| wait_for(access::setup_link(&config, role, name, expires)))
        }
        Command::Account(AccountCommand::List { config }) => {
            with_config(&config, |config| wait_for(access::accounts(&config)))
        }
        Command::Account(AccountCommand::Remove { name, config }) => {
            with_config(&config, |config| wait_for(access::remove_account(&config, &name)))
        }
        Command::ApiToken(ApiTokenCommand::Create { name, role, expires, config }) => {
            with_config(&config, |config| wait_for(access::create_token(&config, &name, role, expires)))
        }
        Command::ApiToken(ApiTokenCommand::List { config }) => {
            with_config(&config, |config| wait_for(access::list_tokens(&config)))
        }
        Command::ApiToken(ApiTokenCommand::Revoke { id, config }) => {
            with_config(&config, |config| wait_for(access::revoke_token(&config, &id)))
        }
        Command::Authority { command: None, config } => {
            with_config(&config, |config| authority::print(&config))
        }
        Command::Authority { command: Some(AuthorityCommand::Create { dir }), .. } => {
            ended(authority::create(&dir))
        }
        Command::Migrate(config) => with_config(&config, |config| wait_for(migrate::run(&config))),
        Command::Backup { folder, config } => {
            with_config(&config, |config| wait_for(backup::take(&config, &folder)))
        }
        Command::Restore { folder, replace, config } => {
            with_config(&config, |config| backup::put_back(&config, &folder, replace))
        }
        Command::Config(ConfigCommand::Reference) => {
            print!("{}", reference());
            ExitCode::Ok
        }
        Command::Config(ConfigCommand::Check(args)) => match load(&args.load_options()) {
            Ok(config) => check::main(&config),
            Err(code) => code,
        },
        Command::Completions { shell } => {
            let written = manual::completions(Cli::command(), shell, &mut std::io::stdout().lock());
            ended(written.map_err(anyhow::Error::from))
        }
        Command::Manual { folder } => {
            let written = manual::write_all(&Cli::command(), &folder);
            ended(written.with_context(|| format!("{}", folder.display())))
        }
    }
}

/// Loads the configuration and does the rest with it; a wrong one is told with its places.
fn with_config(args: &ConfigArgs, command: impl FnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    with_options(&args.load_options(), command)
}

fn with_options(options: &LoadOptions, command: impl FnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    match load(options) {
        Ok(config) => ended(command(config)),
        Err(code) => code,
    }
}

fn load(options: &LoadOptions) -> Result<Config, ExitCode> {
    goldentime_model::config::load(options).map_err(|faults| {
        eprintln!("{faults}");
        ExitCode::Usage
    })
}

fn ended(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::Ok,
        Err(error) => {
            eprintln!("goldentime-central: {error:#}");
            ExitCode::Failed
        }
    }
}

fn wait_for(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

//! The program `goldentime-central`.

use anyhow::Context;
use clap::{CommandFactory, Parser};
use goldentime_central::cli::{Cli, Command, ConfigArgs, ConfigCommand, RulesCommand, TokenCommand};
use goldentime_central::commands::{check, serve, token};
use goldentime_central::config::{Config, reference};
use goldentime_central::evaluate::openslo::report;
use goldentime_model::exit::ExitCode;
use goldentime_runtime::manual;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => with_config(&args, serve::main),
        Command::Rules(RulesCommand::Check { paths }) => {
            let reports: Vec<_> = paths.iter().map(|path| report::check(path)).collect();
            reports.iter().for_each(|report| print!("{}", report.text));
            if reports.iter().all(|report| report.valid) { ExitCode::Ok } else { ExitCode::Usage }
        }
        Command::Token(TokenCommand::Create { project, expires_in, config }) => {
            with_config(&config, |config| wait_for(token::create(&config, &project, expires_in)))
        }
        Command::Token(TokenCommand::Revoke { id, config }) => {
            with_config(&config, |config| wait_for(token::revoke(&config, &id)))
        }
        Command::Token(TokenCommand::List { config }) => {
            with_config(&config, |config| wait_for(token::list(&config)))
        }
        Command::Config(ConfigCommand::Reference) => {
            print!("{}", reference());
            ExitCode::Ok
        }
        Command::Config(ConfigCommand::Check(args)) => match load(&args) {
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
    match load(args) {
        Ok(config) => ended(command(config)),
        Err(code) => code,
    }
}

fn load(args: &ConfigArgs) -> Result<Config, ExitCode> {
    goldentime_model::config::load(&args.load_options()).map_err(|faults| {
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

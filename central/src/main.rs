//! The program `goldentime-central`.

use clap::Parser;
use goldentime_central::cli::{Cli, Command, ConfigArgs, ConfigCommand, RulesCommand, TokenCommand};
use goldentime_central::commands::{serve, token};
use goldentime_central::config::{Config, reference};
use goldentime_central::evaluate::openslo::report;
use goldentime_model::exit::ExitCode;

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
    }
}

/// Loads the configuration and does the rest with it; a wrong one is told with its places.
fn with_config(args: &ConfigArgs, command: impl FnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    let config = match goldentime_model::config::load(&args.load_options()) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::Usage;
        }
    };
    match command(config) {
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

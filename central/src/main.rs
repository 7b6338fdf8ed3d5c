//! The program `goldentime-central`.

use clap::Parser;
use goldentime_central::cli::{Cli, Command, RulesCommand};
use goldentime_central::evaluate::openslo::report;
use goldentime_model::exit::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Rules(RulesCommand::Check { paths }) => {
            let reports: Vec<_> = paths.iter().map(|path| report::check(path)).collect();
            reports.iter().for_each(|report| print!("{}", report.text));
            if reports.iter().all(|report| report.valid) { ExitCode::Ok } else { ExitCode::Usage }
        }
    }
}

//! `goldentime-central config check`: what `serve` would refuse, without starting anything. The
//! systemd unit asks this before each start.

use goldentime_model::exit::ExitCode;
use goldentime_transport::authority::Authority;

use crate::api::Certificate;
use crate::config::Config;
use crate::evaluate::openslo::report;

/// Says whether the loaded configuration would start. Rules that are wrong are told, and do not count:
/// the central starts without them, since stopping would also stop the collecting of data.
#[must_use]
pub fn main(config: &Config) -> ExitCode {
    if let Err(error) = Certificate::check(&config.http) {
        eprintln!("{:#}", anyhow::Error::new(error));
        return ExitCode::Usage;
    }
    if let Some(folder) = &config.agents.authority_dir
        && let Err(error) = Authority::load(folder)
    {
        eprintln!("agents.authority_dir: {:#}", anyhow::Error::new(error));
        return ExitCode::Usage;
    }
    if config.slo_dir.is_dir() {
        let rules = report::check(&config.slo_dir);
        if !rules.valid {
            eprint!("{}", rules.text);
            eprintln!("the central starts all the same, without rules, and says that it is not ready");
        }
    } else {
        let others = if config.starter_rules.is_empty() { "" } else { " but the starter rules" };
        eprintln!(
            "slo_dir: {} does not exist; there are no rules{others} until it does",
            config.slo_dir.display()
        );
    }
    println!("the configuration is valid");
    ExitCode::Ok
}

//! The services whose saturation is read: what each entry finds now.

use std::io::{self, Write};

use goldentime_model::config::Check;
use goldentime_runtime::{Clock, SystemClock};

use crate::config::Config;
use crate::inputs::service::Services;
use crate::status::services::Standing;

/// Writes what would be read of each service, and refuses what keeps one from being read whole. A
/// service that does not run now is no problem.
pub(super) fn check(
    config: &Config,
    project: &str,
    check: &mut Check,
    out: &mut impl Write,
) -> io::Result<()> {
    let (entries, saturation) = (&config.inputs.services, &config.inputs.saturation);
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nservices: saturation every {}", saturation.interval)?;
    let mut services = match Services::new(saturation.clone(), entries, project, &config.environment) {
        Ok(services) => services,
        Err(error) => {
            check.refuse("services", error.to_string());
            return Ok(());
        }
    };
    services.read(SystemClock.now());
    for (at, status) in services.status().iter().enumerate() {
        write!(out, "{}", Standing(status))?;
        for problem in &status.problems {
            check.refuse(&format!("services[{at}]"), problem);
        }
    }
    Ok(())
}

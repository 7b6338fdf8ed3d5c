//! The host input: what can be read on this machine.

use std::collections::BTreeSet;
use std::io::{self, Write};

use goldentime_runtime::{Clock, SystemClock};

use crate::config::Config;
use crate::inputs::host::Host;

/// Names in one line.
const NAMES_A_LINE: usize = 4;

/// Writes what the input would ship. What is not there on this machine is no problem: the rest is read.
pub(super) fn check(config: &Config, out: &mut impl Write) -> io::Result<()> {
    let input = &config.inputs.host;
    writeln!(
        out,
        "\nhost: saturation every {}, as the service `host:{}`",
        input.interval,
        config.host_name()
    )?;
    let mut host = Host::new(input.clone());
    // Rates have a value from the second reading on.
    host.read(SystemClock.now());
    let samples = host.read(SystemClock.now());
    let names: BTreeSet<&str> = samples.iter().map(|sample| sample.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    for (at, names) in names.chunks(NAMES_A_LINE).enumerate() {
        let lead = if at == 0 { "ships:" } else { "      " };
        writeln!(out, "  {lead} {}", names.join(", "))?;
    }
    for (what, why) in host.unavailable() {
        writeln!(out, "  not available here: {what} ({why})")?;
    }
    if names.is_empty() {
        writeln!(out, "  advice: nothing can be read; is `inputs.host.proc_root` the host's /proc?")?;
    }
    Ok(())
}

//! `goldentime-central authority`: the certificate that agents trust, and browsers and programs where HTTP is
//! served with `http.tls.mode: self_made`; and an authority for several centrals.

use std::path::Path;

use goldentime_runtime::{Clock, SystemClock};
use goldentime_transport::authority::Authority;

use crate::config::Config;
use crate::ingest::start::open_authority;
use crate::serve::make_private_dir;

/// Prints the authority's certificate in PEM, without its key.
pub fn print(config: &Config) -> anyhow::Result<()> {
    make_private_dir(&config.state_dir)?;
    let authority = open_authority(&config.agents, &config.state_dir, SystemClock.now())?;
    print!("{}", authority.certificate_pem());
    Ok(())
}

/// Makes an authority, to be placed on every central.
pub fn create(folder: &Path) -> anyhow::Result<()> {
    let file = Authority::create(folder, SystemClock.now())?;
    println!(
        "{}: place it on every central, readable by its user alone, and name its folder in \
         agents.authority_dir there",
        file.display()
    );
    Ok(())
}

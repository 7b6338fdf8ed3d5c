//! `goldentime-central authority`: the certificate that browsers and programs are to trust when HTTP is
//! served with `http.tls.mode: self_made`.

use goldentime_runtime::{Clock, SystemClock};
use goldentime_transport::authority::Authority;

use crate::config::Config;
use crate::serve::make_private_dir;

/// Prints the authority's certificate in PEM, without its key.
pub fn print(config: &Config) -> anyhow::Result<()> {
    make_private_dir(&config.state_dir)?;
    let authority = Authority::open(&config.state_dir, SystemClock.now())?;
    print!("{}", authority.certificate_pem());
    Ok(())
}

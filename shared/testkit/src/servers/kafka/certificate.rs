//! How the brokers show themselves: one certificate for `localhost`, and the authority that made it.

use std::path::Path;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// What clients are to trust.
pub(super) const AUTHORITY: &str = "authority.pem";
/// Key and certificate, as Kafka wants them in one file.
pub(super) const KEYS: &str = "keys.pem";

/// Makes both files.
pub(super) fn write(folder: &Path) -> Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Not the name that the brokers have: who certifies itself is not believed.
    authority.distinguished_name.push(DnType::CommonName, "Authority of the tests");
    let trusted = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let issuer = Issuer::new(authority, authority_key);
    let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &issuer)?;
    std::fs::write(folder.join(AUTHORITY), trusted.pem())?;
    std::fs::write(folder.join(KEYS), key.serialize_pem() + &certificate.pem())?;
    Ok(())
}

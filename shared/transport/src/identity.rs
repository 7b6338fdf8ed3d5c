//! What enrolment gave an agent, kept in its state folder.

use std::io;
use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use crate::private_file;
use crate::token::CertificateHash;

/// File name within the state folder.
const FILE: &str = "identity.json";
/// Version of the file's layout.
const VERSION: u32 = 1;
/// A file above this many bytes is no identity.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Who an agent is to its central, with the key that proves it. `Debug` hides the key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    version: u32,
    /// Id that the central gave.
    pub agent: String,
    /// Project that the join token gave.
    pub project: String,
    authority_der: Vec<u8>,
    certificate_der: Vec<u8>,
    key_der: Vec<u8>,
}

/// Why no identity can be loaded or saved.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file cannot be read or written.
    #[error("cannot {action} the agent's identity in {folder}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The state folder.
        folder: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file is there but holds no identity.
    #[error(
        "{folder}/{FILE} holds no identity ({detail}); remove it and enrol the agent anew with a join token"
    )]
    Corrupt {
        /// The state folder.
        folder: String,
        /// What is wrong.
        detail: String,
    },
}

impl Identity {
    pub(crate) fn new(
        agent: String,
        project: String,
        authority: &CertificateDer<'_>,
        certificate: &[u8],
        key_der: Vec<u8>,
    ) -> Self {
        Self {
            version: VERSION,
            agent,
            project,
            authority_der: authority.to_vec(),
            certificate_der: certificate.to_vec(),
            key_der,
        }
    }

    /// Loads the identity from an agent's state folder; `None` when it was never enrolled.
    pub fn load(folder: &Path) -> Result<Option<Self>, IdentityError> {
        let path = folder.join(FILE);
        let shown = || folder.display().to_string();
        let bytes = match std::fs::metadata(&path).and_then(|file| {
            if file.len() > FILE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too large"));
            }
            std::fs::read(&path)
        }) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(IdentityError::File { action: "read", folder: shown(), source }),
        };
        let identity: Self = serde_json::from_slice(&bytes)
            .map_err(|error| IdentityError::Corrupt { folder: shown(), detail: error.to_string() })?;
        if identity.version != VERSION {
            let detail = format!("its version {} is not {VERSION}", identity.version);
            return Err(IdentityError::Corrupt { folder: shown(), detail });
        }
        Ok(Some(identity))
    }

    /// Saves it, readable by its owner only.
    pub fn save(&self, folder: &Path) -> Result<(), IdentityError> {
        serde_json::to_vec(self)
            .map_err(io::Error::other)
            .and_then(|bytes| private_file::write(&folder.join(FILE), &bytes))
            .map_err(|source| IdentityError::File {
                action: "write",
                folder: folder.display().to_string(),
                source,
            })
    }

    /// The fingerprint of the authority that enrolled it: a token of another means another central.
    #[must_use]
    pub fn authority_fingerprint(&self) -> CertificateHash {
        CertificateHash::of(&self.authority_der)
    }

    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.authority_der.clone())
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from(self.certificate_der.clone())]
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key_der.clone()))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("agent", &self.agent)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_loaded_as_it_was_saved_and_its_absence_is_no_error() {
        let folder = tempfile::tempdir().expect("tempdir");
        assert!(Identity::load(folder.path()).expect("absent").is_none());
        let authority = CertificateDer::from(vec![1, 2, 3]);
        let identity = Identity::new("a1".into(), "shop".into(), &authority, &[4], vec![5]);
        identity.save(folder.path()).expect("saved");
        let loaded = Identity::load(folder.path()).expect("read").expect("there");
        assert_eq!((loaded.agent.as_str(), loaded.project.as_str()), ("a1", "shop"));
        assert_eq!(loaded.authority_fingerprint(), CertificateHash::of(&[1, 2, 3]));
        assert!(!format!("{loaded:?}").contains("key"));
    }

    #[test]
    fn a_damaged_identity_says_how_to_go_on() {
        let folder = tempfile::tempdir().expect("tempdir");
        std::fs::write(folder.path().join(FILE), b"{}").expect("written");
        let error = Identity::load(folder.path()).expect_err("damaged");
        assert!(error.to_string().contains("enrol the agent anew"), "{error}");
    }
}

//! The central's own certificate authority: made on its first start and kept in its state folder, or made for
//! several centrals and placed on each.
//!
//! It signs two kinds of certificate: the central's own, for servers only, short-lived and never on
//! disk; and the agents', for clients only. So an enrolled agent can never pass for a central. Agents'
//! certificates live as long as the authority: who may connect is decided by the central's registry
//! each time, where an agent is revoked at once.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use goldentime_model::UnixNanos;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::private_file;
use crate::token::CertificateHash;

/// The name that every central's certificate bears and every agent asks for. The authority signs no
/// other server, so the address by which an agent reaches its central need not stand in it.
pub const SERVER_NAME: &str = "goldentime-central";

/// Certificate and key in one file, so that there is never one without the other.
const FILE: &str = "authority.pem";

/// Bits of a file's mode that let other users than its owner and group in.
const OTHERS: u32 = 0o007;

const DAY_S: u64 = 24 * 60 * 60;
/// How long the authority and what it signs for agents are valid.
const AUTHORITY_LIFE: Duration = Duration::from_secs(20 * 365 * DAY_S);
/// How long the central's own certificate is valid.
const SERVER_LIFE: Duration = Duration::from_secs(90 * DAY_S);
/// A certificate is valid from this long before it was made: clocks of agents may be behind.
const BACKDATED: Duration = Duration::from_secs(DAY_S);

/// Why the authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A folder that is to hold an authority holds none.
    #[error(
        "there is no {}: make one with `goldentime-central authority create --dir <folder>` and place it on \
         every central, or take the one of a central that runs from its state_dir", .0.display()
    )]
    Absent(PathBuf),
    /// An authority is never written over.
    #[error("{} is there already, and agents may be enrolled with it; name another folder", .0.display())]
    Present(PathBuf),
    /// Anybody on the machine can sign agents.
    #[error("{} can be read by every user of this machine; run `chmod 600` on it", .0.display())]
    WorldReadable(PathBuf),
    /// What stands in the file is no authority.
    #[error(
        "{} holds no authority ({detail}); restore it from a backup, or remove it to make a new one \
         (every agent must then be enrolled anew)", path.display()
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A key or certificate cannot be made.
    #[error("cannot make the {what}")]
    Make {
        /// Which.
        what: &'static str,
        /// What the certificate library says.
        #[source]
        source: rcgen::Error,
    },
    /// The TLS library does not take the certificate.
    #[error("the central's certificate is not accepted")]
    Tls(#[source] rustls::Error),
    /// An agent's signing request is malformed or not signed by its own key.
    #[error("the certificate signing request is not valid")]
    Request(#[source] rcgen::Error),
}

/// The authority with its key.
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `folder`, or makes it there when its file does not exist.
    pub fn open(folder: &Path, now: UnixNanos) -> Result<Self, AuthorityError> {
        match Self::load(folder) {
            Err(AuthorityError::Absent(path)) => Self::make(&path, now),
            opened => opened,
        }
    }

    /// Opens the authority that was placed in `folder`.
    pub fn load(folder: &Path) -> Result<Self, AuthorityError> {
        let path = folder.join(FILE);
        let unreadable = |source| AuthorityError::File { action: "read", path: path.clone(), source };
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().mode() & OTHERS != 0 => {
                return Err(AuthorityError::WorldReadable(path));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(AuthorityError::Absent(path));
            }
            Err(source) => return Err(unreadable(source)),
        }
        let pem = std::fs::read(&path).map_err(unreadable)?;
        Self::parse(&pem).map_err(|detail| AuthorityError::Unreadable { path, detail })
    }

    /// Makes an authority in a folder that holds none; gives its file.
    pub fn create(folder: &Path, now: UnixNanos) -> Result<PathBuf, AuthorityError> {
        let path = folder.join(FILE);
        if path.symlink_metadata().is_ok() {
            return Err(AuthorityError::Present(path));
        }
        Self::make(&path, now)?;
        Ok(path)
    }

    fn parse(pem: &[u8]) -> Result<Self, String> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let key = KeyPair::try_from(&key).map_err(|error| error.to_string())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| error.to_string())?;
        // Its own file has it in PEM, with the key after it.
        let text = String::from_utf8_lossy(pem);
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        let from = text.find(begin).ok_or("no certificate")?;
        let until = text[from..].find(end).ok_or("no end of the certificate")? + from + end.len();
        Ok(Self { certificate, certificate_pem: format!("{}\n", &text[from..until]), issuer })
    }

    fn make(path: &Path, now: UnixNanos) -> Result<Self, AuthorityError> {
        let failed = |source| AuthorityError::Make { what: "authority", source };
        let pair = KeyPair::generate().map_err(failed)?;
        let mut params = params("Goldentime central authority", AUTHORITY_LIFE, now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let made = params.self_signed(&pair).map_err(failed)?;
        private_file::write(path, format!("{}{}", made.pem(), pair.serialize_pem()).as_bytes())
            .map_err(|source| AuthorityError::File { action: "write", path: path.into(), source })?;
        let certificate = made.der().clone();
        Ok(Self { certificate, certificate_pem: made.pem(), issuer: Issuer::new(params, pair) })
    }

    /// The authority's certificate, in DER.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's certificate in PEM, without its key: what others are to trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's key in DER: secret.
    pub(crate) fn key_der(&self) -> &[u8] {
        self.issuer.key().serialized_der()
    }

    /// What join tokens carry.
    #[must_use]
    pub fn fingerprint(&self) -> CertificateHash {
        CertificateHash::of(&self.certificate)
    }

    /// Signs an agent's request. Only the key is taken from it: names and rights are ours to give.
    pub fn sign_agent(
        &self,
        request_der: &[u8],
        agent: &str,
        project: &str,
        now: UnixNanos,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request_der))
                .map_err(AuthorityError::Request)?;
        let mut params = params(agent, AUTHORITY_LIFE, now);
        params.distinguished_name.push(DnType::OrganizationName, project);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let signed = params
            .signed_by(&request.public_key, &self.issuer)
            .map_err(|source| AuthorityError::Make { what: "agent's certificate", source })?;
        Ok(signed.der().clone())
    }

    fn sign_server(&self, names: &[String], now: UnixNanos) -> Result<CertifiedKey, AuthorityError> {
        let failed = |source| AuthorityError::Make { what: "central's certificate", source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut all = vec![SERVER_NAME.to_owned()];
        all.extend_from_slice(names);
        let alternatives = CertificateParams::new(all).map_err(failed)?.subject_alt_names;
        let mut params = params(SERVER_NAME, SERVER_LIFE, now);
        params.subject_alt_names = alternatives;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let signed = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let chain = vec![signed.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        CertifiedKey::from_der(chain, key, &provider()).map_err(AuthorityError::Tls)
    }
}

/// The central's own certificate, renewed in place while connections go on.
pub struct ServerCertificate {
    authority: Arc<Authority>,
    names: Vec<String>,
    current: RwLock<(Arc<CertifiedKey>, UnixNanos)>,
}

impl ServerCertificate {
    /// Makes a certificate for [`SERVER_NAME`] and `names` (DNS names or addresses).
    pub fn new(
        authority: Arc<Authority>,
        names: Vec<String>,
        now: UnixNanos,
    ) -> Result<Arc<Self>, AuthorityError> {
        let key = Arc::new(authority.sign_server(&names, now)?);
        Ok(Arc::new(Self { authority, names, current: RwLock::new((key, now)) }))
    }

    /// Makes a new one when less than a third of its life is left, and tells whether it did. Call it
    /// now and then.
    pub fn renew_if_due(&self, now: UnixNanos) -> Result<bool, AuthorityError> {
        let made = self.current.read().unwrap_or_else(PoisonError::into_inner).1;
        let life_ns = i64::try_from(SERVER_LIFE.as_nanos()).unwrap_or(i64::MAX);
        if now.since(made) < life_ns / 3 * 2 {
            return Ok(false);
        }
        let key = Arc::new(self.authority.sign_server(&self.names, now)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (key, now);
        Ok(true)
    }

    /// The authority that signs it.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The cryptography that both programs use.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn params(common_name: &str, life: Duration, now: UnixNanos) -> CertificateParams {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_nanos(u64::try_from(now.0).unwrap_or(0));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + now + life;
    params.use_authority_key_identifier_extension = true;
    params
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

    #[test]
    fn the_authority_survives_a_restart_and_its_file_is_private() {
        let folder = tempfile::tempdir().expect("tempdir");
        let first = Authority::open(folder.path(), NOW).expect("made");
        let second = Authority::open(folder.path(), NOW).expect("opened");
        assert_eq!(first.fingerprint(), second.fingerprint());
        for authority in [first, second] {
            let pem = authority.certificate_pem();
            let shown = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
            assert_eq!(CertificateHash::of(&shown), authority.fingerprint());
            assert!(!pem.contains("PRIVATE KEY"));
        }
        let mode = std::fs::metadata(folder.path().join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_placed_authority_is_taken_as_it_is_and_its_absence_says_how_to_make_one() {
        let folder = tempfile::tempdir().expect("tempdir");
        let absent = Authority::load(folder.path()).err().expect("absent").to_string();
        assert!(absent.contains(FILE) && absent.contains("authority create --dir"), "{absent}");
        let file = Authority::create(folder.path(), NOW).expect("made");
        let placed = Authority::load(folder.path()).expect("there");
        let refused = Authority::create(folder.path(), NOW).expect_err("never written over");
        assert!(matches!(refused, AuthorityError::Present(_)), "{refused}");
        let same = Authority::load(folder.path()).expect("there");
        assert_eq!(placed.fingerprint(), same.fingerprint());
        for (mode, is_taken) in [(0o640, true), (0o644, false), (0o602, false)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
            let loaded = Authority::load(folder.path());
            let is_refused = matches!(loaded, Err(AuthorityError::WorldReadable(_)));
            assert_eq!((loaded.is_ok(), is_refused), (is_taken, !is_taken), "{mode:o}");
        }
    }

    #[test]
    fn a_damaged_authority_is_not_silently_replaced() {
        let folder = tempfile::tempdir().expect("tempdir");
        let file = folder.path().join(FILE);
        std::fs::write(&file, b"garbage").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
        assert!(matches!(Authority::open(folder.path(), NOW), Err(AuthorityError::Unreadable { .. })));
    }

    #[test]
    fn the_servers_certificate_is_renewed_when_a_third_of_its_life_is_left() {
        let folder = tempfile::tempdir().expect("tempdir");
        let authority = Arc::new(Authority::open(folder.path(), NOW).expect("made"));
        let certificate =
            ServerCertificate::new(authority, vec!["central.example".into(), "10.0.0.1".into()], NOW)
                .expect("signed");
        let day = i64::try_from(DAY_S).expect("small") * 1_000_000_000;
        assert!(!certificate.renew_if_due(NOW.saturating_add(59 * day)).expect("not due"));
        assert!(certificate.renew_if_due(NOW.saturating_add(61 * day)).expect("renewed"));
        assert!(!certificate.renew_if_due(NOW.saturating_add(62 * day)).expect("not due"));
    }

    #[test]
    fn garbage_is_no_signing_request() {
        let folder = tempfile::tempdir().expect("tempdir");
        let authority = Authority::open(folder.path(), NOW).expect("made");
        let error = authority.sign_agent(b"garbage", "a", "p", NOW).expect_err("refused");
        assert!(matches!(error, AuthorityError::Request(_)));
    }
}

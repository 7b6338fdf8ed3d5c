//! The certificate with which HTTP is served: read from files, or signed by the central's own authority.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use goldentime_model::UnixNanos;
use goldentime_runtime::{SharedClock, TaskKind, Tasks};
use goldentime_transport::authority::{Authority, AuthorityError, ServerCertificate};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::{SignalKind, signal};

use super::config::{HttpConfig, TlsMode, machine_name};

/// Whether the files have changed is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Whether the own certificate is due is looked at this often.
const RENEW_EVERY: Duration = Duration::from_secs(60 * 60);
/// Largest file: a chain has some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Certificates of a chain.
const CHAIN_MAX: usize = 16;

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{setting}: cannot read {}", path.display())]
    Read {
        /// Which setting names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{setting}: {} {detail}", path.display())]
    Content {
        /// Which setting names it.
        setting: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        detail: String,
    },
    /// The two do not go together.
    #[error(
        "http.tls: the key in {} is not that of the first certificate in {} ({reason}); put the server's own \
         certificate first, those that signed it after it", key_file.display(), cert_file.display()
    )]
    Pair {
        /// The certificate's file.
        cert_file: PathBuf,
        /// The key's file.
        key_file: PathBuf,
        /// What the TLS library says.
        reason: rustls::Error,
    },
    /// The central's authority cannot sign it.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Where the certificate comes from, and how it is kept fresh.
#[derive(Clone)]
pub enum Certificate {
    /// From files.
    Files(Arc<FileCertificate>),
    /// From the own authority.
    Own(Arc<ServerCertificate>),
}

impl Certificate {
    /// The certificate that the configuration asks for; `None` without TLS.
    pub fn open(
        config: &HttpConfig,
        authority: &Arc<Authority>,
        now: UnixNanos,
    ) -> Result<Option<Self>, CertificateError> {
        match (config.tls.mode, &config.tls.cert_file, &config.tls.key_file) {
            (TlsMode::Files, Some(cert_file), Some(key_file)) => {
                let certificate = FileCertificate::open(cert_file.clone(), key_file.clone())?;
                Ok(Some(Self::Files(Arc::new(certificate))))
            }
            (TlsMode::SelfMade, ..) => {
                let certificate = ServerCertificate::new(Arc::clone(authority), own_names(config), now)?;
                Ok(Some(Self::Own(certificate)))
            }
            (TlsMode::Off | TlsMode::Files, ..) => Ok(None),
        }
    }

    /// Whether the configured files, if any, hold a certificate and its key.
    pub fn check(config: &HttpConfig) -> Result<(), CertificateError> {
        match (config.tls.mode, &config.tls.cert_file, &config.tls.key_file) {
            (TlsMode::Files, Some(cert_file), Some(key_file)) => read(cert_file, key_file).map(drop),
            _ => Ok(()),
        }
    }

    /// How connections are to be encrypted.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CertificateError> {
        let resolver: Arc<dyn ResolvesServerCert> = match self {
            Self::Files(certificate) => Arc::clone(certificate) as _,
            Self::Own(certificate) => Arc::clone(certificate) as _,
        };
        let versions = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = versions.map_err(CertificateError::Tls)?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Keeps it fresh while the program runs.
    pub fn keep(&self, tasks: &Tasks, clock: SharedClock) {
        match self.clone() {
            Self::Files(certificate) => tasks.spawn(TaskKind::Upkeep, "http certificate", async move {
                // Without the signal, the files are still looked at.
                let mut hangup = signal(SignalKind::hangup()).ok();
                loop {
                    let asked = async {
                        match &mut hangup {
                            Some(hangup) => hangup.recv().await,
                            None => std::future::pending().await,
                        }
                    };
                    let is_asked = tokio::select! {
                        Some(()) = asked => true,
                        () = tokio::time::sleep(LOOK_EVERY) => false,
                    };
                    certificate.read_again(is_asked);
                }
            }),
            Self::Own(certificate) => tasks.spawn(TaskKind::Upkeep, "http certificate", async move {
                loop {
                    tokio::time::sleep(RENEW_EVERY).await;
                    if let Err(error) = certificate.renew_if_due(clock.now()) {
                        tracing::error!(%error, "the certificate of HTTP cannot be renewed");
                    }
                }
            }),
        }
    }
}

/// Names in the own certificate: those configured, the address listened on, this machine's.
fn own_names(config: &HttpConfig) -> Vec<String> {
    let listen = config.listen.ip();
    let address = (!listen.is_unspecified()).then(|| listen.to_string());
    let here = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names = config.names.clone();
    for name in address.into_iter().chain(machine_name()).chain(here) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A certificate that is read again when its files change. What cannot be read keeps the one before.
#[derive(Debug)]
pub struct FileCertificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<(Arc<CertifiedKey>, [Stamp; 2])>,
}

/// By what a file is seen to have changed.
type Stamp = Option<(SystemTime, u64, u64)>;

impl FileCertificate {
    fn open(cert_file: PathBuf, key_file: PathBuf) -> Result<Self, CertificateError> {
        // Stamped before they are read: a change meanwhile is seen the next time.
        let stamps = [stamp(&cert_file), stamp(&key_file)];
        let key = Arc::new(read(&cert_file, &key_file)?);
        Ok(Self { cert_file, key_file, current: RwLock::new((key, stamps)) })
    }

    /// Reads the files again if they have changed, or if `is_asked`.
    fn read_again(&self, is_asked: bool) {
        let stamps = [stamp(&self.cert_file), stamp(&self.key_file)];
        if !is_asked && self.current.read().unwrap_or_else(PoisonError::into_inner).1 == stamps {
            return;
        }
        let read = read(&self.cert_file, &self.key_file);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.1 = stamps;
        match read {
            Ok(key) => {
                current.0 = Arc::new(key);
                tracing::info!(file = %self.cert_file.display(), "the certificate of HTTP was read again");
            }
            Err(error) => {
                metrics::counter!("goldentime_http_certificate_refused_total").increment(1);
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::error!(
                    error,
                    "the new certificate of HTTP is not used; the one before stays in force"
                );
            }
        }
    }
}

impl ResolvesServerCert for FileCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

fn read(cert_file: &Path, key_file: &Path) -> Result<CertifiedKey, CertificateError> {
    let pem = read_file("http.tls.cert_file", cert_file, false)?;
    let content = |detail: String| CertificateError::Content {
        setting: "http.tls.cert_file",
        path: cert_file.to_owned(),
        detail,
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).take(CHAIN_MAX + 1).collect();
    let chain = chain.map_err(|error| content(format!("is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(content("holds no certificate (no `-----BEGIN CERTIFICATE-----`)".into()));
    }
    if chain.len() > CHAIN_MAX {
        return Err(content(format!("holds more than {CHAIN_MAX} certificates; is it the right file?")));
    }
    let pem = read_file("http.tls.key_file", key_file, true)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| CertificateError::Content {
        setting: "http.tls.key_file",
        path: key_file.to_owned(),
        detail: format!("holds no key in PEM that is not encrypted ({error})"),
    })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|reason| CertificateError::Pair {
        cert_file: cert_file.to_owned(),
        key_file: key_file.to_owned(),
        reason,
    })
}

fn read_file(setting: &'static str, path: &Path, is_secret: bool) -> Result<Vec<u8>, CertificateError> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |source| CertificateError::Read { setting, path: path.to_owned(), source };
    let content = |detail: String| CertificateError::Content { setting, path: path.to_owned(), detail };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(content(format!("has {} bytes; is it the right file?", metadata.len())));
    }
    if is_secret && metadata.permissions().mode() & 0o004 != 0 {
        let detail =
            "can be read by every user of this machine; run `chmod o-r` on it, and consider a new key";
        return Err(content(detail.into()));
    }
    std::fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Certificate and key that belong together, in one text.
    fn pem(folder: &Path) -> String {
        Authority::open(folder, UnixNanos(1_800_000_000_000_000_000)).expect("made");
        std::fs::read_to_string(folder.join("authority.pem")).expect("read")
    }

    #[test]
    fn a_new_certificate_is_taken_up_and_a_broken_one_keeps_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("both.pem");
        // As certbot does: a new file takes the old one's name.
        let put = |text: &str| {
            let fresh = folder.path().join("fresh");
            std::fs::write(&fresh, text).expect("written");
            std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).expect("private");
            std::fs::rename(&fresh, &file).expect("renamed");
        };
        put(&pem(&folder.path().join("first")));
        let certificate = FileCertificate::open(file.clone(), file.clone()).expect("good");
        let shown = || certificate.current.read().expect("whole").0.cert[0].clone();
        let first = shown();
        put(&pem(&folder.path().join("second")));
        certificate.read_again(false);
        let second = shown();
        assert_ne!(first, second);
        put("-----BEGIN CERTIFICATE-----");
        certificate.read_again(false);
        assert_eq!(shown(), second);
        certificate.read_again(true);
        assert_eq!(shown(), second);
    }
}

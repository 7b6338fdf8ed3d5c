//! HTTP over TLS: the certificate of the central's own authority, and files.

mod stage;

use std::path::Path;
use std::sync::Arc;

use goldentime_catalog::Role;
use goldentime_central::access::set_up::LINK_LIFETIME;
use goldentime_central::api::config::{TlsConfig, TlsMode};
use goldentime_central::api::{Certificate, HttpConfig};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_transport::authority::Authority;
use rustls::pki_types::ServerName;
use serde_json::json;
use stage::{Props, Stage};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

struct Central {
    stage: Stage,
    authority: Arc<Authority>,
}

impl Central {
    /// One whose certificate its own authority has signed.
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Arc::new(Authority::open(folder.path(), SystemClock.now()).expect("made"));
        let tls = TlsConfig { mode: TlsMode::SelfMade, ..TlsConfig::default() };
        let http = HttpConfig { tls, names: vec!["goldentime.example".into()], ..HttpConfig::default() };
        let certificate = Certificate::open(&http, &authority, SystemClock.now()).expect("signed");
        let stage = Stage::start(Props { http, certificate, ..Props::default() }).await;
        Self { stage, authority }
    }

    /// A client that trusts the authority alone, and finds `goldentime.example` here.
    fn client(&self) -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusted = reqwest::Certificate::from_pem(self.authority.certificate_pem().as_bytes());
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([trusted.expect("a certificate")])
            .resolve("goldentime.example", self.stage.address)
            .build()
            .expect("valid settings")
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.stage.address.port())
    }
}

#[tokio::test]
async fn browsers_that_trust_the_authority_reach_every_name_of_the_central() {
    let central = Central::start().await;
    for host in ["localhost", "127.0.0.1", "goldentime.example"] {
        let answer = central.client().get(central.url(host, "/healthz")).send().await.expect("trusted");
        assert_eq!(answer.status(), 200, "{host}");
        // By name alone: on `localhost` it would break every other server there.
        let is_strict = answer.headers().contains_key("strict-transport-security");
        assert_eq!(is_strict, host == "goldentime.example", "{host}");
    }
    let stranger = goldentime_testkit::http_client();
    let refused = stranger.get(central.url("localhost", "/healthz")).send().await;
    assert!(refused.is_err(), "nobody trusts it without its authority");
    let plain = stranger.get(format!("http://{}/healthz", central.stage.address)).send().await;
    assert!(plain.is_err(), "there is no plain HTTP beside it");
}

#[tokio::test]
async fn the_cookie_is_bound_to_the_host_and_the_live_page_works_over_tls() {
    let central = Central::start().await;
    let link = central.stage.access.make_link(Role::Viewer, None, LINK_LIFETIME).await.expect("made");
    let body = json!({"token": link.to_string(), "name": "kim", "password": "correct horse battery"});
    let url = central.url("localhost", "/api/v1/setup");
    let answer = central.client().post(url).json(&body).send().await.expect("trusted");
    let set = answer.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(set.starts_with("__Host-goldentime-7700=") && set.ends_with("; Secure"), "{set}");
    let cookie = set.split(';').next().expect("a pair");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(central.authority.certificate().clone()).expect("an authority");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(central.stage.address).await.expect("connects");
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("trusted");
    let request = tokio_tungstenite::tungstenite::http::Request::builder()
        .uri("wss://localhost/api/v1/live")
        .header("host", "localhost")
        .header("origin", "https://localhost")
        .header("cookie", cookie)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", tokio_tungstenite::tungstenite::handshake::client::generate_key())
        .body(())
        .expect("valid");
    let (_, answer) = tokio_tungstenite::client_async(request, tls).await.expect("upgraded");
    assert_eq!(answer.status(), 101);
}

/// Why a certificate of these files is refused.
fn refusal(cert_file: &Path, key_file: &Path) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Arc::new(Authority::open(folder.path(), SystemClock.now()).expect("made"));
    let (cert_file, key_file) = (Some(cert_file.to_owned()), Some(key_file.to_owned()));
    let tls = TlsConfig { mode: TlsMode::Files, cert_file, key_file };
    let http = HttpConfig { tls, ..HttpConfig::default() };
    match Certificate::open(&http, &authority, SystemClock.now()) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn files_that_are_no_certificate_are_refused_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        path
    };
    // An authority's file holds certificate and key that belong together.
    let pem = |name: &str| {
        let state = folder.path().join(name);
        Authority::open(&state, SystemClock.now()).expect("made");
        std::fs::read_to_string(state.join("authority.pem")).expect("read")
    };
    let (ours, other) = (pem("ours"), pem("other"));
    let (cert, key) = (write("cert.pem", &ours, 0o644), write("key.pem", &ours, 0o600));
    let absent = folder.path().join("absent.pem");
    for (cert_file, key_file, says) in [
        (&absent, &key, ["http.tls.cert_file: cannot read", "absent.pem"]),
        (&cert, &absent, ["http.tls.key_file: cannot read", "absent.pem"]),
        (&write("empty.pem", "", 0o644), &key, ["http.tls.cert_file", "empty.pem holds no certificate"]),
        (&cert, &write("none.pem", "x", 0o600), ["http.tls.key_file", "none.pem holds no key"]),
        (&cert, &write("open.pem", &ours, 0o644), ["open.pem can be read by every user", "chmod o-r"]),
        (&cert, &write("other.pem", &other, 0o600), ["other.pem is not that of", "cert.pem"]),
    ] {
        let refused = refusal(cert_file, key_file);
        assert!(says.iter().all(|words| refused.contains(words)), "{says:?} not in: {refused}");
    }
}

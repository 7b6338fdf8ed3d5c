//! A real Elasticsearch with TLS and a password, on a free port, with few modules: it has neither data
//! streams nor lifecycles. It takes requests of 8 MB and writes of 6 MB at a time.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Certificate, Client, Method};
use serde_json::Value;
use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, Program, find};
use crate::servers::nobody::{give_away, unprivileged};
use crate::wait;

/// Who may do everything.
pub const USER: &str = "goldentime";
/// Who is known and may do nothing.
pub const STRANGER: &str = "stranger";
/// The password of both.
pub const PASSWORD: &str = "secret-pw";
/// [`PASSWORD`] as the server's file of users holds it (bcrypt).
const PASSWORD_HASH: &str = "$2a$10$0srPoVHd6NQGy6rO4KgWUuaNGQQx70DQp/6aj7aN1mMQp3UFRHMym";

/// How long it may take until it looks at its disk again: it does so every ten seconds at best.
const WATERMARK_SEEN_MAX: Duration = Duration::from_secs(60);
/// How long a start may take on a busy machine.
const READY_MAX: Duration = Duration::from_secs(240);

/// A running Elasticsearch. Dropping it kills it and removes its folder.
pub struct Elasticsearch {
    process: Process,
    folder: TempDir,
    port: u16,
    client: Client,
}

impl Elasticsearch {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("goldentime-elasticsearch-").tempdir()?;
        let (port, transport) = (ports::free_tcp(), ports::free_tcp());
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let certificate = made.cert.pem();
        let roles = format!("superuser:{USER}\n");
        let users = format!("{USER}:{PASSWORD_HASH}\n{STRANGER}:{PASSWORD_HASH}\n");
        let files = [
            ("elasticsearch.yml", settings(folder.path(), port, transport)),
            ("jvm.options", "-Djava.io.tmpdir=${ES_TMPDIR}\n-Xms256m\n-Xmx448m\n-XX:+UseSerialGC\n".into()),
            ("log4j2.properties", LOGGING.to_owned()),
            ("key.pem", made.signing_key.serialize_pem()),
            ("certificate.pem", certificate.clone()),
            ("users", users),
            ("users_roles", roles),
            ("roles.yml", String::new()),
        ];
        let config = folder.path().join("config");
        for place in ["config", "data", "logs", "tmp"].map(|name| folder.path().join(name)) {
            std::fs::create_dir(&place)?;
            give_away(&place)?;
        }
        for (name, text) in files {
            std::fs::write(config.join(name), text)?;
            give_away(&config.join(name))?;
        }
        give_away(folder.path())?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .timeout(crate::ANSWER_MAX)
            // Tests that share a server have runtimes of their own, which connections do not outlive.
            .pool_max_idle_per_host(0)
            .tls_certs_merge([Certificate::from_pem(certificate.as_bytes())?])
            .build()?;
        let process = launch(folder.path())?;
        let mut server = Self { process, folder, port, client };
        server.ready().await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::loopback(self.port)
    }

    /// Its address for clients, or that of a proxy before it.
    #[must_use]
    pub fn url(at: SocketAddr) -> String {
        format!("https://{at}")
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("config").join("certificate.pem")
    }

    /// Asks it for something as [`USER`]; an answer other than 2xx is an error.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}{path}", Self::url(self.address()));
        let mut request = self.client.request(method, &url).basic_auth(USER, Some(PASSWORD));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| url.clone())?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{url} answered {text}"))
    }

    /// Kills it without a chance to clean up (SIGKILL).
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Stops it in its tracks, or lets it go on.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.process.pause(paused)
    }

    /// Wants more of its disk to be free than there is, or next to nothing, and waits until it has seen that and
    /// made its indices read-only, or writable again.
    pub async fn fill_disk(&self, is_full: bool) -> Result<()> {
        let free = if is_full { "1000tb" } else { "1b" };
        let disk = "cluster.routing.allocation.disk";
        let settings = serde_json::json!({ "transient": {
            format!("{disk}.threshold_enabled"): true,
            format!("{disk}.watermark.low"): free,
            format!("{disk}.watermark.high"): free,
            format!("{disk}.watermark.flood_stage"): free,
        } });
        self.ask(Method::PUT, "/_cluster/settings", Some(settings)).await?;
        let what = if is_full { "indices to be read-only" } else { "indices to be writable" };
        let is_seen = wait::until(what, WATERMARK_SEEN_MAX, async || {
            let indices = self.ask(Method::GET, "/_all/_settings/index.blocks.*", None).await.ok()?;
            let mut indices = indices.as_object()?.values();
            let is_blocked =
                |index: &Value| index["settings"]["index"]["blocks"]["read_only_allow_delete"] == "true";
            let is_seen = if is_full { indices.any(is_blocked) } else { !indices.any(is_blocked) };
            is_seen.then_some(())
        });
        is_seen.await
    }

    /// Starts it again after a kill, on the same port and with its data.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill9();
        self.process = launch(self.folder.path())?;
        self.ready().await
    }

    async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/_cluster/health?wait_for_status=yellow", Self::url(self.address()));
        let client = self.client.clone();
        let asked = || async {
            let answer = client.get(&url).basic_auth(USER, Some(PASSWORD)).send().await;
            matches!(answer, Ok(answer) if answer.status().is_success())
        };
        self.process.ready(READY_MAX, asked).await
    }
}

const LOGGING: &str = "rootLogger.level = warn\n\
    appender.out.type = Console\n\
    appender.out.name = out\n\
    appender.out.layout.type = PatternLayout\n\
    appender.out.layout.pattern = %d %p %c{1.} %m%n\n\
    rootLogger.appenderRef.out.ref = out\n";

fn settings(folder: &Path, port: u16, transport: u16) -> String {
    let folder = folder.display();
    // Whether this machine's own disk is full is no matter of the tests, unless one says so.
    format!(
        "discovery.type: single-node\n\
         network.host: 127.0.0.1\n\
         http.port: {port}\n\
         transport.port: {transport}\n\
         http.max_content_length: 8mb\n\
         indexing_pressure.memory.limit: 6mb\n\
         path.data: {folder}/data\n\
         path.logs: {folder}/logs\n\
         cluster.routing.allocation.disk.threshold_enabled: false\n\
         cluster.info.update.interval: 10s\n\
         xpack.security.enabled: true\n\
         xpack.security.http.ssl.enabled: true\n\
         xpack.security.http.ssl.key: key.pem\n\
         xpack.security.http.ssl.certificate: certificate.pem\n\
         xpack.security.transport.ssl.enabled: false\n"
    )
}

fn launch(folder: &Path) -> Result<Process> {
    let home = home()?;
    let java = std::fs::canonicalize(find("java")?)?;
    let java_home = java.parent().and_then(Path::parent).context("java stands in bin/ of its home")?;
    let program = Program::new("elasticsearch", home.join("bin/elasticsearch"), folder)
        .env("ES_JAVA_HOME", java_home)
        .env("ES_PATH_CONF", folder.join("config"))
        .env("ES_TMPDIR", folder.join("tmp"));
    unprivileged(program).start()
}

/// Where `scripts/setup` put it.
fn home() -> Result<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/services/elasticsearch");
    let found = std::fs::read_dir(&place).into_iter().flatten().filter_map(Result::ok);
    let home = found.map(|entry| entry.path()).find(|path| path.join("bin/elasticsearch").is_file());
    match home {
        Some(home) => Ok(std::fs::canonicalize(home)?),
        None => bail!("no Elasticsearch in {}; `scripts/setup test` fetches it", place.display()),
    }
}

//! A real OpenSearch without TLS and password, on a free port. It has data streams.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::http_client;
use crate::ports;
use crate::process::{Process, Program, find};
use crate::servers::nobody::{give_away, unprivileged};

/// How long a start may take on a busy machine.
const READY_MAX: Duration = Duration::from_secs(240);

/// A running OpenSearch. Dropping it kills it and removes its folder.
pub struct OpenSearch {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl OpenSearch {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/services/opensearch");
        ensure!(
            libraries.join(".installed").is_file(),
            "no OpenSearch in {}; `scripts/setup test` fetches it",
            libraries.display()
        );
        let folder = tempfile::Builder::new().prefix("goldentime-opensearch-").tempdir()?;
        let config = folder.path().join("config");
        std::fs::create_dir(&config)?;
        // Whether this machine's own disk is full is no matter of the tests.
        let settings = format!(
            "network.host: 127.0.0.1\ntransport.port: {}\n\
             cluster.routing.allocation.disk.threshold_enabled: false\n",
            ports::free_tcp()
        );
        for (name, text) in [("opensearch.yml", settings.as_str()), ("log4j2.properties", LOGGING)] {
            std::fs::write(config.join(name), text)?;
            give_away(&config.join(name))?;
        }
        give_away(&config)?;
        give_away(folder.path())?;
        let port = free_port()?;
        let program = Program::new("opensearch", find("java")?, folder.path())
            .args(["-Xmx384m", "-XX:+UseSerialGC", "-cp"])
            .args([std::fs::canonicalize(libraries)?.join("*")])
            .args(["org.codelibs.opensearch.runner.OpenSearchRunner", "-numOfNode", "1"])
            .args(["-baseHttpPort".to_owned(), (port - 1).to_string(), "-basePath".to_owned()])
            .args([folder.path()])
            .args(["-confPath"])
            .args([&config])
            .env("HOME", folder.path());
        let mut process = unprivileged(program).start()?;
        let url = format!("http://{}/_cluster/health?wait_for_status=yellow", ports::loopback(port));
        let client = http_client();
        let ready =
            || async { matches!(client.get(&url).send().await, Ok(answer) if answer.status().is_success()) };
        process.ready(READY_MAX, ready).await?;
        Ok(Self { _process: process, _folder: folder, port })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::loopback(self.port)
    }

    /// Asks it for something; an answer other than 2xx is an error.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("http://{}{path}", self.address());
        let mut request = http_client().request(method, &url);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| url.clone())?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{url} answered {text}"))
    }
}

const LOGGING: &str = "rootLogger.level = warn\n\
    appender.out.type = Console\n\
    appender.out.name = out\n\
    appender.out.layout.type = PatternLayout\n\
    appender.out.layout.pattern = %d %p %c{1.} %m%n\n\
    rootLogger.appenderRef.out.ref = out\n";

/// Its launcher looks for no port above these, whatever it is told.
fn free_port() -> Result<u16> {
    let is_free = |port: &u16| TcpListener::bind(ports::loopback(*port)).is_ok();
    (9201..=9299).find(is_free).context("no port from 9201 to 9299 is free for OpenSearch")
}

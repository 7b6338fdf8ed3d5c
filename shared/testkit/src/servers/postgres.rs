//! A real PostgreSQL with passwords (SCRAM) and TLS.
//!
//! It refuses to run as root, so it runs as Debian's user `postgres` where the test is root. Nothing is
//! synced to the disk: what it commits survives the end of its process, not a loss of power.

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, Program};
use crate::wait;

/// Who owns the databases of the tests: a role with no other rights.
pub const USER: &str = "goldentime";

/// Its password.
pub const PASSWORD: &str = "right-and-long";

/// Where Debian keeps a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// How long it may take to be made, or to start again and bring its data into order.
const READY_MAX: Duration = Duration::from_secs(120);

/// What a test needs of a server that is as small as it goes.
const SETTINGS: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "ssl=on",
    "ssl_cert_file=server.crt",
    "ssl_key_file=server.key",
    "log_min_messages=warning",
];

/// A running server. Dropping it kills it and removes its folder.
pub struct Postgres {
    process: Process,
    folder: TempDir,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// Makes a server and starts it.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("goldentime-postgres-").tempdir()?;
        give(folder.path())?;
        // The server reads one and the client the other; they may be different users.
        for name in ["password", "server-password"] {
            write(&folder.path().join(name), PASSWORD, 0o600)?;
        }
        give(&folder.path().join("server-password"))?;
        let mut initdb = program("initdb", folder.path())?
            .args(["--pgdata=data", "--username=postgres", "--pwfile=server-password"])
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .start()?;
        let made = initdb.ended(READY_MAX).await?;
        ensure!(made.success(), "initdb: {made}; its output:\n{}", initdb.output());
        certify(folder.path())?;
        let port = ports::free_tcp();
        let process = run(folder.path(), port).await?;
        let server = Self { process, folder, port, databases: AtomicU32::new(0) };
        let role = format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'");
        server.execute("postgres", &role).await?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::loopback(self.port)
    }

    /// A file with the password of [`USER`].
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// The certificate of the authority that its own, for `localhost`, is signed by.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.crt")
    }

    /// A file with another password than the one of [`USER`].
    pub fn wrong_password_file(&self) -> Result<PathBuf> {
        let path = self.folder.path().join("wrong-password");
        write(&path, "wr0ng", 0o600)?;
        Ok(path)
    }

    /// Makes an empty database that belongs to [`USER`]; gives its name.
    pub async fn create_database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name} OWNER {USER}")).await?;
        Ok(name)
    }

    /// A connection to a database as the server's superuser.
    pub async fn connect(&self, database: &str) -> Result<PgConnection> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .password(PASSWORD)
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        Ok(PgConnection::connect_with(&options).await?)
    }

    /// Runs statements in a database as the server's superuser.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        let mut connection = self.connect(database).await?;
        // The statements are the test's own.
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.with_context(|| sql.to_owned())?;
        Ok(connection.close().await?)
    }

    /// Kills it without a chance to clean up.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Stops it in its tracks with all who serve connections, or lets it go on.
    pub fn pause(&self, paused: bool) -> Result<()> {
        self.process.pause(paused)
    }

    /// Starts it again over the data that it was killed with.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill9();
        self.process = run(self.folder.path(), self.port).await?;
        Ok(())
    }
}

/// Starts the server and waits until it takes connections.
async fn run(folder: &Path, port: u16) -> Result<Process> {
    // After a kill its children need a moment to notice, and hold its memory until then.
    wait::until("the memory of the server that was killed", READY_MAX, || async {
        let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
        let started = program("postgres", folder).and_then(|program| {
            let place = [format!("--port={port}"), "--unix_socket_directories=".to_owned()];
            program.args(["-D", "data"]).args(place).args(settings).start()
        });
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return Some(Err(error)),
        };
        let ready = process.ready(READY_MAX, || async move { answers(port).await }).await;
        match ready {
            Ok(()) => Some(Ok(process)),
            Err(error) if format!("{error:#}").contains("shared memory block") => None,
            Err(error) => Some(Err(error)),
        }
    })
    .await?
}

/// Whether it lets somebody in: while it starts it listens, and refuses.
async fn answers(port: u16) -> bool {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("postgres")
        .password(PASSWORD)
        .database("postgres")
        .ssl_mode(PgSslMode::Disable);
    match PgConnection::connect_with(&options).await {
        Ok(connection) => connection.close().await.is_ok(),
        Err(_) => false,
    }
}

/// One of the server's programs, to be run as who may run it.
fn program(name: &str, folder: &Path) -> Result<Program> {
    let program = Program::new(name, newest()?.join("bin").join(name), folder);
    Ok(match unprivileged()? {
        Some((user, group)) => program.user(user, group),
        None => program,
    })
}

/// The newest version that is installed.
fn newest() -> Result<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter(|path| path.join("bin/postgres").is_file()).max_by_key(number);
    newest.context("PostgreSQL is not installed; `scripts/setup` installs it")
}

/// User and group that the server runs as, where this process is root.
fn unprivileged() -> Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    let fields = passwd.lines().find_map(|line| line.strip_prefix("postgres:"));
    let mut numbers = fields.into_iter().flat_map(|line| line.split(':').skip(1).take(2));
    let mut next = || numbers.next().and_then(|number| number.parse().ok());
    let found = next().zip(next());
    Ok(Some(found.context("there is no user `postgres`; `scripts/setup` installs PostgreSQL with it")?))
}

fn give(path: &Path) -> Result<()> {
    if let Some((user, group)) = unprivileged()? {
        chown(path, Some(user), Some(group)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn write(path: &Path, content: &str, mode: u32) -> Result<()> {
    std::fs::write(path, content).with_context(|| path.display().to_string())?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?)
}

/// An authority of its own, and a certificate for `localhost` that it signed.
fn certify(folder: &Path) -> Result<()> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate()?;
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate()?;
    let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &issuer)?;
    write(&folder.join("authority.crt"), &certificate.pem(), 0o644)?;
    for (name, pem) in [("server.crt", server.pem()), ("server.key", key.serialize_pem())] {
        let path = folder.join("data").join(name);
        write(&path, &pem, 0o600)?;
        give(&path)?;
    }
    Ok(())
}

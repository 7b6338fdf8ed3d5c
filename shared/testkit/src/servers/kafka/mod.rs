//! A real Kafka of one broker or three (KRaft), with proxies before its brokers, with passwords (SCRAM
//! and PLAIN), TLS and rights where a test asks for them.
//!
//! [`properties`] is what a broker is told, [`certificate`] how it shows itself.

mod certificate;
mod properties;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::ports;
use crate::process::{Process, Program, find};
use crate::proxy::{Link, Proxy};
use properties::Ports;

/// Who may do everything on the secure listener.
pub const USER: &str = "goldentime";
/// Who may do nothing there.
pub const STRANGER: &str = "stranger";
/// The password of both.
pub const PASSWORD: &str = "right-and-long";

/// What a broker writes when it serves.
const READY: &str = "Kafka Server started";
/// How long a start may take, with three virtual machines on a busy machine.
const READY_MAX: Duration = Duration::from_secs(180);
/// Its process's name, and with it that of its log file.
const NAME: &str = "kafka";

/// Ways in for clients without a password. With proxies each has its own: what befalls one way leaves the
/// other alone.
pub const WAYS: usize = 2;

/// How a Kafka is to be.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Brokers: 1, or 3.
    pub brokers: usize,
    /// Whether clients reach each broker through a proxy.
    pub is_proxied: bool,
    /// Whether there is a listener with passwords, TLS and rights as well.
    pub is_secured: bool,
}

/// A running Kafka. Dropping it kills it and removes its folder.
pub struct Kafka {
    folder: TempDir,
    brokers: Vec<Broker>,
}

struct Broker {
    folder: PathBuf,
    ports: Ports,
    /// One a way, or none.
    proxies: Vec<Proxy>,
    process: Option<Process>,
}

impl Shape {
    /// One broker, or three, and nothing else.
    #[must_use]
    pub const fn brokers(brokers: usize) -> Self {
        Self { brokers, is_proxied: false, is_secured: false }
    }
}

impl Kafka {
    /// Makes a Kafka and starts it.
    pub async fn start(shape: Shape) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("goldentime-kafka-").tempdir()?;
        if shape.is_secured {
            certificate::write(folder.path())?;
        }
        let ports: Vec<Ports> = (0..shape.brokers).map(|_| Ports::free(shape.is_secured)).collect();
        let mut brokers = Vec::new();
        for (index, own) in ports.iter().enumerate() {
            let (mut proxies, mut advertised) = (Vec::new(), own.clients.map(ports::loopback));
            if shape.is_proxied {
                for address in &mut advertised {
                    let proxy = Proxy::tcp(*address, index as u64 + 1).await?;
                    *address = proxy.address();
                    proxies.push(proxy);
                }
            }
            let at = folder.path().join(format!("broker-{}", index + 1));
            std::fs::create_dir_all(&at)?;
            let text = properties::of(index, &ports, advertised, folder.path());
            std::fs::write(at.join("server.properties"), text)?;
            format(&at, shape.is_secured).await?;
            brokers.push(Broker { folder: at, ports: *own, proxies, process: None });
        }
        let mut kafka = Self { folder, brokers };
        kafka.restart_all().await?;
        Ok(kafka)
    }

    /// Where clients begin: all brokers, through their proxies where there are some.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.addresses_by(0)
    }

    /// Where clients of one of the [`WAYS`] begin.
    #[must_use]
    pub fn addresses_by(&self, way: usize) -> Vec<String> {
        self.brokers.iter().map(|broker| broker.address(way).to_string()).collect()
    }

    /// Where clients with a password begin.
    #[must_use]
    pub fn secure_addresses(&self) -> Vec<String> {
        self.brokers.iter().filter_map(|broker| Some(format!("localhost:{}", broker.ports.secure?))).collect()
    }

    /// The authority that certifies the brokers, as PEM.
    #[must_use]
    pub fn authority_file(&self) -> PathBuf {
        self.folder.path().join(certificate::AUTHORITY)
    }

    /// The switch of what is before a broker.
    ///
    /// # Panics
    /// Where there are no proxies.
    #[must_use]
    pub fn link(&self, broker: usize) -> &Link {
        self.brokers[broker].proxies[0].link()
    }

    /// The switches of one of the [`WAYS`], a broker each; none where there are no proxies.
    pub fn links_of(&self, way: usize) -> impl Iterator<Item = &Link> {
        self.brokers.iter().filter_map(move |broker| broker.proxies.get(way)).map(Proxy::link)
    }

    /// Stops a broker in its tracks, or lets it go on.
    pub fn pause(&self, broker: usize, paused: bool) -> Result<()> {
        self.brokers[broker].process.as_ref().context("the broker does not run")?.pause(paused)
    }

    /// Kills a broker without a chance to clean up (SIGKILL).
    pub fn kill9(&mut self, broker: usize) {
        self.brokers[broker].process = None;
    }

    /// Kills all of them.
    pub fn kill9_all(&mut self) {
        for broker in &mut self.brokers {
            broker.process = None;
        }
    }

    /// Starts the brokers that do not run, on what they have on disk, and waits until they serve.
    pub async fn restart_all(&mut self) -> Result<()> {
        let mut started = Vec::new();
        for broker in self.brokers.iter_mut().filter(|broker| broker.process.is_none()) {
            // What an earlier run wrote would say that this one is ready.
            let _ = std::fs::remove_file(broker.folder.join(format!("{NAME}.log")));
            broker.process =
                Some(java(NAME, &broker.folder)?.args(["kafka.Kafka", "server.properties"]).start()?);
            started.push(broker);
        }
        for broker in started {
            let Some(process) = &mut broker.process else { continue };
            let log = process.log_path().to_owned();
            let is_ready = || async { std::fs::read_to_string(&log).is_ok_and(|text| text.contains(READY)) };
            process.ready(READY_MAX, is_ready).await?;
        }
        Ok(())
    }
}

impl Broker {
    fn address(&self, way: usize) -> SocketAddr {
        self.proxies.get(way).map_or_else(|| ports::loopback(self.ports.clients[way]), Proxy::address)
    }
}

/// Makes a broker's folders, and its users where it has some.
async fn format(folder: &Path, is_secured: bool) -> Result<()> {
    let mut arguments: Vec<String> =
        ["format", "-t", properties::CLUSTER, "-c", "server.properties"].map(String::from).into();
    for user in [USER, STRANGER].iter().filter(|_| is_secured) {
        arguments
            .extend(["--add-scram".to_owned(), format!("SCRAM-SHA-256=[name={user},password={PASSWORD}]")]);
    }
    let mut tool = java("format", folder)?.args(["kafka.tools.StorageTool"]).args(arguments).start()?;
    let made = tool.ended(READY_MAX).await?;
    ensure!(made.success(), "kafka.tools.StorageTool: {made}; its output:\n{}", tool.output());
    Ok(())
}

/// A Java program of Kafka's jars.
fn java(name: &str, folder: &Path) -> Result<Program> {
    let jars = jars()?;
    Ok(Program::new(name, find("java")?, folder)
        .args(["-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"])
        .args(["-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info"])
        .args([std::ffi::OsStr::new("-cp"), jars.join("*").as_os_str()]))
}

/// Where `scripts/setup` put Kafka: below the folder that the running test was built in.
fn jars() -> Result<PathBuf> {
    let own = std::env::current_exe().context("path of the running program")?;
    let found = own.ancestors().map(|folder| folder.join("services/kafka/libs")).find(|libs| libs.is_dir());
    found.context("Kafka is not there; `scripts/setup test` fetches it")
}

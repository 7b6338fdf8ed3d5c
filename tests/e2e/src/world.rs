//! A small company on loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::load::{Steady, Wrk};
use goldentime_testkit::nginx::{Nginx, Site};
use goldentime_testkit::ports;
use goldentime_testkit::programs::{Agent, AgentConfig, Central, CentralConfig};
use goldentime_testkit::receivers::WebhookReceiver;

use crate::ask::make_authority;

/// A host: one nginx site with its log, and where its agent lives.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its nginx's port.
    pub port: u16,
    /// Its access log.
    pub log: PathBuf,
}

/// Hosts behind one nginx process, each with a log of its own.
pub struct World {
    folder: tempfile::TempDir,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The nginx that serves them all.
    pub nginx: Nginx,
    /// The service that every host serves.
    pub service: &'static str,
}

/// What a healthy site answers: two routes, one of which fails for ids that end in 7.
pub const HEALTHY: &str = "location ~ ^/orders/\\d*7$ { return 503; } location / { return 200 'fine'; }";

/// What a site answers whose every request is good.
pub const FINE: &str = "location / { return 200 'fine'; }";

/// What a site answers whose every request fails.
pub const BAD: &str = "location / { return 503; }";

impl World {
    /// Starts `hosts` sites that answer with `body`.
    pub async fn start(hosts: usize, body: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("goldentime-e2e-").tempdir()?;
        let hosts: Vec<Host> = (1..=hosts)
            .map(|number| Host {
                name: format!("web-{number}"),
                port: ports::free_tcp(),
                log: folder.path().join(format!("web-{number}.access.log")),
            })
            .collect();
        let sites: Vec<Site> = hosts.iter().map(|host| site(host, body)).collect();
        let nginx = Nginx::start(&folder.path().join("nginx"), &sites).await?;
        Ok(Self { folder, hosts, nginx, service: "order-api" })
    }

    /// Makes one host answer with another body from now on.
    pub fn change(&self, host: usize, healthy: &str, body: &str) -> Result<()> {
        let bodies = (0..self.hosts.len()).map(|number| if number == host { body } else { healthy });
        let sites: Vec<Site> = self.hosts.iter().zip(bodies).map(|(host, body)| site(host, body)).collect();
        self.nginx.reload(&sites)
    }

    /// The folder of everything.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A central that has not been started yet; alerts go to `webhook`.
    pub fn central(&self, webhook: Option<&str>) -> Result<CentralConfig> {
        self.named_central("central", webhook)
    }

    /// The same, with files of its own below a folder of this name.
    pub fn named_central(&self, name: &str, webhook: Option<&str>) -> Result<CentralConfig> {
        let mut config = CentralConfig::new(&self.folder().join(name), webhook)?;
        // Many steps between two kills, and nobody waits for the last.
        config.extra_yaml.push_str("series:\n  fold_for: 200ms\n");
        Ok(config)
    }

    /// Two that share an authority and these engines; none is started yet.
    pub fn two_centrals(&self, engines: &Engines, webhook: &WebhookReceiver) -> Result<Vec<CentralConfig>> {
        let authority = self.folder().join("authority");
        make_authority(&authority)?;
        let config = |name| {
            let mut config = self.named_central(name, Some(&webhook.url()))?;
            engines.give_to(&mut config, name)?;
            config.agents_yaml.push_str(&format!("  authority_dir: {}\n", authority.display()));
            Ok(config)
        };
        ["central-1", "central-2"].into_iter().map(config).collect()
    }

    /// An agent of one host that has not been started yet and speaks to `address`.
    pub fn agent(&self, host: usize, address: &str, token: &str) -> Result<AgentConfig> {
        let host = &self.hosts[host];
        let config = AgentConfig::new(&self.folder().join(&host.name), address, token, &host.name)?;
        Ok(config.tail("nginx", &host.log, self.service))
    }

    /// Starts the agents of all hosts, straight to the central.
    pub fn start_agents(&self, central: &Central) -> Result<Vec<Agent>> {
        let address = format!("127.0.0.1:{}", central.config.agents_port);
        let token = central.join_token("default")?;
        (0..self.hosts.len()).map(|host| self.agent(host, &address, &token)?.start()).collect()
    }

    /// As much traffic as wrk makes over `connections`, on one host.
    pub fn wrk(&self, host: usize, connections: u32, length: Duration) -> Result<Wrk> {
        let url = format!("http://127.0.0.1:{}/orders/1", self.hosts[host].port);
        Wrk::start(self.folder(), &url, connections, length)
    }

    /// A steady rate over all hosts, ids from 0 to 99: one in ten fails.
    #[must_use]
    pub fn steady(&self, per_second: f64) -> Steady {
        let urls = (0..100).flat_map(|id| {
            self.hosts.iter().map(move |host| match id % 4 {
                0 => format!("http://127.0.0.1:{}/health-page", host.port),
                _ => format!("http://127.0.0.1:{}/orders/{id}", host.port),
            })
        });
        Steady::start(urls.collect(), per_second)
    }

    /// Keeps the folder for a look and says where it is.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

fn site(host: &Host, body: &str) -> Site {
    Site { port: host.port, access_log: host.log.clone(), body: body.to_owned() }
}

/// Restarts a killed central and waits until it is ready.
pub async fn restart(config: CentralConfig) -> Result<Central> {
    config.start().await.context("restart of the central")
}

//! What a trial is played on: nginx before an application that turns bad, an agent that reads its logs,
//! a central that pages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use goldentime_testkit::engines::Engines;
use goldentime_testkit::load::Steady;
use goldentime_testkit::nginx::{Nginx, Site};
use goldentime_testkit::oracle::{AccessLine, read_access_log};
use goldentime_testkit::ports;
use goldentime_testkit::programs::{Agent, AgentConfig, Central, CentralConfig};
use tokio::task::JoinSet;

use super::receiver::Receiver;
use super::rules::openslo;
use super::trial::{Sides, Trial, run};
use super::upstream::{Services, Upstream, service_name};

/// Services that are broken in turn, side by side.
pub const SERVICES: usize = 10;
/// Requests per second to each.
const PER_SERVICE_S: f64 = 60.0;

/// nginx before an upstream that turns bad, our programs, the load.
pub struct Stage {
    /// The application.
    pub upstream: Upstream,
    /// Who evaluates and pages.
    pub central: Central,
    root: PathBuf,
    nginx: Nginx,
    ours: Receiver,
    agent: Agent,
    load: Steady,
}

impl Stage {
    /// Starts everything below `root`. The central keeps its state in `central/state` there, or in the engines.
    pub async fn start(root: &Path, engines: Option<&Engines>) -> Result<Self> {
        let upstream = Upstream::start(SERVICES).await?;
        let sites: Vec<Site> = (0..SERVICES)
            .map(|number| Site {
                port: ports::free_tcp(),
                access_log: log(root, number),
                body: format!("location / {{ proxy_pass http://{}/{number}/; }}", upstream.address),
            })
            .collect();
        let nginx = Nginx::start(&root.join("nginx"), &sites).await?;
        let ours = Receiver::start().await?;
        let mut config = CentralConfig::new(&root.join("central"), Some(&ours.url))?;
        // As the peer: every alert is told at once.
        config.notify_yaml.push_str("  debounce: 0s\n  group_interval: 0s\n");
        std::fs::write(config.slo_dir.join("bench.yaml"), openslo())?;
        if let Some(engines) = engines {
            engines.give_to(&mut config, "central-1")?;
        }
        let central = config.start().await?;
        let address = format!("127.0.0.1:{}", central.config.agents_port);
        let token = central.join_token("default")?;
        let mut agent = AgentConfig::new(&root.join("agent"), &address, &token, "bench-1")?;
        for number in 0..SERVICES {
            let name = service_name(number);
            agent = agent.tail(&name, &log(root, number), &name);
        }
        let agent = agent.start()?;
        // The same requests for both sides; the load goes on through all trials.
        let urls = sites.iter().map(|site| format!("http://127.0.0.1:{}/items/1", site.port)).collect();
        let load = Steady::start(urls, PER_SERVICE_S * SERVICES as f64);
        Ok(Self { root: root.to_owned(), upstream, nginx, ours, central, agent, load })
    }

    /// Where agents connect.
    #[must_use]
    pub fn agents_address(&self) -> String {
        format!("127.0.0.1:{}", self.central.config.agents_port)
    }

    /// `runs` trials of each kind over all services, side by side; the next one begins when the `peer`
    /// has spoken too, where there is one.
    pub async fn trials(&self, runs: usize, peer: Option<&Receiver>) -> Vec<Trial> {
        let mut running = JoinSet::new();
        for number in 0..SERVICES {
            let sides = Sides { ours: self.ours.words(), peer: peer.map(Receiver::words) };
            let services: Services = self.upstream.services.clone();
            running.spawn(run(number, (2 * runs).div_ceil(SERVICES), services, sides));
        }
        running.join_all().await.into_iter().flatten().collect()
    }

    /// Ends everything and reads each service's log, in order of the requests' ends.
    pub async fn stop(self) -> Result<BTreeMap<String, Vec<AccessLine>>> {
        drop(self.load);
        self.agent.stop().await?;
        self.central.stop().await?;
        self.nginx.stop().await?;
        let mut logs = BTreeMap::new();
        for number in 0..SERVICES {
            let mut lines = read_access_log(&log(&self.root, number))?;
            lines.sort_by(|a, b| a.at.total_cmp(&b.at));
            logs.insert(service_name(number), lines);
        }
        Ok(logs)
    }
}

fn log(root: &Path, number: usize) -> PathBuf {
    root.join(format!("{}.access.log", service_name(number)))
}

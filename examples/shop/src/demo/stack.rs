//! Starts the shop, nginx before it when it is there, the central and an agent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::load::Steady;
use goldentime_testkit::nginx::{Nginx, Site};
use goldentime_testkit::ports;
use goldentime_testkit::process::{Process, Program, find};
use goldentime_testkit::programs::{Agent, AgentConfig, Central, CentralConfig, program};
use goldentime_testkit::wait::until_listening;

use crate::catalog::{SERVICES, Service};

/// Requests per second that the demo's customers send.
const REQUESTS_PER_SECOND: f64 = 60.0;
/// How long one part may take to start.
const START_MAX: Duration = Duration::from_secs(20);

/// Everything that runs.
pub struct Stack {
    /// The central, or all of them: agents join the first.
    pub centrals: Vec<Central>,
    /// What they share, where there are several.
    pub engines: Option<Engines>,
    /// The agent.
    pub agent: Agent,
    /// Whether nginx stands before the services.
    pub nginx: Option<Nginx>,
    /// Own port of each service, where its fault switch is.
    pub service_ports: BTreeMap<&'static str, u16>,
    services: Vec<Process>,
    load: Option<Steady>,
}

/// What is started.
pub struct Plan<'a> {
    /// Where everything writes.
    pub folder: &'a Path,
    /// Rules.
    pub slo_dir: &'a Path,
    /// Where alerts go.
    pub webhook: &'a str,
    /// Port of the first dashboard.
    pub http_port: u16,
    /// Two centrals over real engines instead of one with its own files.
    pub as_cluster: bool,
}

/// Starts everything.
pub async fn start(plan: Plan<'_>) -> Result<Stack> {
    let folder = plan.folder;
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs)?;
    let with_nginx = find("nginx").is_ok();
    let own: BTreeMap<_, _> = SERVICES.iter().map(|service| (service.name, ports::free_tcp())).collect();
    let front: BTreeMap<_, _> = if with_nginx {
        SERVICES.iter().map(|service| (service.name, ports::free_tcp())).collect()
    } else {
        own.clone()
    };

    let mut services = Vec::new();
    for service in &SERVICES {
        services.push(start_service(service, folder, &logs, &own, &front, with_nginx).await?);
    }
    let nginx = if with_nginx {
        let sites: Vec<Site> = SERVICES
            .iter()
            .map(|service| Site {
                port: front[service.name],
                access_log: access_log(&logs, service),
                body: format!("location / {{ proxy_pass http://127.0.0.1:{}; }}", own[service.name]),
            })
            .collect();
        Some(Nginx::start(&folder.join("nginx"), &sites).await?)
    } else {
        None
    };

    let engines = match plan.as_cluster {
        true => Some(Engines::start(folder, 1).await?.and_search().await?),
        false => None,
    };
    let members: &[&str] = if plan.as_cluster { &["central-1", "central-2"] } else { &["central"] };
    let mut centrals = Vec::new();
    for member in members {
        let mut config = CentralConfig::new(&folder.join(member), Some(plan.webhook))?;
        if centrals.is_empty() {
            config.http_port = plan.http_port;
        }
        config.slo_dir = plan.slo_dir.to_owned();
        if let Some(engines) = &engines {
            engines.give_to(&mut config, member)?;
        }
        centrals.push(config.start().await.with_context(|| (*member).to_owned())?);
    }
    let central = &centrals[0];
    let token = central.join_token("default")?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut agent = AgentConfig::new(&folder.join("agent"), &address, &token, "shop-1")?;
    for service in &SERVICES {
        agent = agent.tail(service.name, &access_log(&logs, service), service.name);
    }
    agent.inputs_yaml.push_str("  host: {}\n");
    let agent = agent.start().context("the agent")?;

    let base = format!("http://127.0.0.1:{}", front["storefront"]);
    let urls = ["/", "/products/4", "/checkout", "/products/17", "/", "/checkout"];
    let load = Steady::start(urls.iter().map(|path| format!("{base}{path}")).collect(), REQUESTS_PER_SECOND);
    Ok(Stack { centrals, engines, agent, nginx, service_ports: own, services, load: Some(load) })
}

fn access_log(logs: &Path, service: &Service) -> PathBuf {
    logs.join(format!("{}.access.log", service.name))
}

async fn start_service(
    service: &Service,
    folder: &Path,
    logs: &Path,
    own: &BTreeMap<&str, u16>,
    front: &BTreeMap<&str, u16>,
    with_nginx: bool,
) -> Result<Process> {
    let mut arguments = vec![service.name.to_owned(), "--port".into(), own[service.name].to_string()];
    for (name, port) in front {
        arguments.extend(["--neighbour".to_owned(), format!("{name}=http://127.0.0.1:{port}")]);
    }
    if !with_nginx {
        arguments.extend(["--access-log".to_owned(), access_log(logs, service).display().to_string()]);
    }
    let process = Program::new(service.name, program("goldentime-shop")?, folder).args(arguments).start()?;
    until_listening(service.name, own[service.name], START_MAX).await?;
    Ok(process)
}

impl Stack {
    /// Sets the fault of one service.
    pub async fn inject(&self, service: &str, fault: crate::fault::Fault) -> Result<()> {
        let port = self.service_ports.get(service).with_context(|| format!("no service {service}"))?;
        let url = format!("http://127.0.0.1:{port}/_fault");
        let answer = goldentime_testkit::http_client().put(url).json(&fault).send().await?;
        answer.error_for_status().map(|_| ()).context("fault switch")
    }

    /// Ends everything in the order in which nothing is lost.
    pub async fn stop(mut self) -> Result<()> {
        self.load = None;
        for service in &mut self.services {
            service.stop(START_MAX).await?;
        }
        if let Some(nginx) = self.nginx {
            nginx.stop().await?;
        }
        self.agent.stop().await?;
        for central in self.centrals {
            central.stop().await?;
        }
        Ok(())
    }
}

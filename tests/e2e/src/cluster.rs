//! Two centrals that share their work over real engines, with agents that know both, and links between all of
//! them that can be made to hurt.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::ports::loopback;
use goldentime_testkit::programs::{Agent, Central};
use goldentime_testkit::proxy::Proxy;
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::wait;
use serde_json::{Value, json};

use crate::ask::{PATIENCE, central_until, further, log_lines, make_authority};
use crate::counts::assert_exact;
use crate::pages::{self, Page};
use crate::rules;
use crate::world::{FINE, World};

/// Name of the one rule: more than 30% of the requests of five seconds failed.
pub const RULE: &str = "errors";

/// How many centrals, each over links of its own.
pub const CENTRALS: usize = 2;

/// What a cluster is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Makeup {
    /// Brokers of Kafka: 1, or 3.
    pub brokers: usize,
    /// Whether log lines are shipped, to Elasticsearch.
    pub has_search: bool,
}

impl Makeup {
    /// What has what either has.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { brokers: self.brokers.max(other.brokers), has_search: self.has_search || other.has_search }
    }
}

/// A running cluster, whose every incident is told at once.
pub struct Cluster {
    /// Where pages go.
    pub hook: WebhookReceiver,
    /// Hosts and their logs.
    pub world: World,
    /// What the centrals share.
    pub engines: Engines,
    /// The centrals.
    pub centrals: Vec<Central>,
    /// An agent a host.
    pub agents: Vec<Agent>,
    /// What lies between the agents and each central.
    pub doors: Vec<Proxy>,
    has_search: bool,
}

impl Cluster {
    /// Starts everything; agents know each central through its door.
    pub async fn start(makeup: Makeup) -> Result<Self> {
        let hook = WebhookReceiver::start().await?;
        let world = World::start(2, FINE).await?;
        let mut engines = Engines::behind_links(world.folder(), makeup.brokers).await?;
        if makeup.has_search {
            engines = engines.and_search().await?;
        }
        let authority = world.folder().join("authority");
        make_authority(&authority)?;
        let (mut centrals, mut doors) = (Vec::new(), Vec::new());
        for way in 0..CENTRALS {
            let name = format!("central-{}", way + 1);
            let mut config = world.named_central(&name, Some(&hook.url()))?;
            engines.give_way_to(&mut config, &name, way)?;
            config.agents_yaml.push_str(&format!("  authority_dir: {}\n", authority.display()));
            // Nothing is held back or put together: what is told twice is seen twice.
            config.notify_yaml.push_str("  debounce: 0s\n  group_interval: 0s\n");
            rules::write(&config.slo_dir, RULE, world.service, 0.3, None)?;
            doors.push(Proxy::udp(loopback(config.agents_port), way as u64).await?);
            centrals.push(config.start().await?);
        }
        let token = centrals[0].join_token("default")?;
        let mut agents = Vec::new();
        for host in 0..world.hosts.len() {
            let addresses: Vec<String> = doors.iter().map(|door| door.address().to_string()).collect();
            // Each begins with another one.
            let first = host % CENTRALS;
            let mut config = world.agent(host, &addresses[first], &token)?;
            config.other_centrals = vec![addresses[1 - first].clone()];
            if makeup.has_search {
                config.inputs_yaml.push_str("      ship_logs: true\n");
            }
            agents.push(config.start()?);
        }
        Ok(Self { hook, world, engines, centrals, agents, doors, has_search: makeup.has_search })
    }

    /// Waits until agents ship and both centrals say that nothing ails them and that the rule is kept.
    pub async fn until_well(&self) -> Result<()> {
        for central in &self.centrals {
            let is_well = |status: &Value| {
                let stores = status["stores"].as_array().map_or(&[][..], Vec::as_slice);
                status["not_ready"] == json!([])
                    && status["agents"]["connected"] == self.agents.len()
                    && !stores.is_empty()
                    && stores.iter().all(|store| store["state"] == "ok")
            };
            central_until(central, "/api/v1/status", "nothing to ail it", is_well).await?;
            let is_kept = |rules: &Value| {
                let of_rule = |rule: &&Value| rule["rule"] == RULE;
                rules.as_array().is_some_and(|all| {
                    let states: Vec<_> = all.iter().filter(of_rule).map(|rule| &rule["state"]).collect();
                    states == ["ok"]
                })
            };
            central_until(central, "/api/v1/rules", "the rule to be kept", is_kept).await?;
        }
        for agent in &self.agents {
            further(agent).await?;
        }
        Ok(())
    }

    /// Compares what both centrals show, live and as history, and every line that was shipped with nginx's logs.
    /// Nobody may send anything to nginx meanwhile.
    pub async fn assert_exact(&self) -> Result<()> {
        for central in &self.centrals {
            let name = central.config.folder.display();
            assert_exact(&self.world, central).await.with_context(|| name.to_string())?;
        }
        if !self.has_search {
            return Ok(());
        }
        let mut written = 0;
        for host in &self.world.hosts {
            written += read_access_log(&host.log)?.len();
        }
        let found = async || Some(log_lines(&self.centrals[0], "").await.ok()?.len());
        let whole = async || found().await.filter(|found| *found >= written);
        let whole = wait::until("every line to be found", PATIENCE, whole).await;
        let found = found().await;
        ensure!(found == Some(written), "{found:?} lines found, {written} written; {whole:?}");
        Ok(())
    }

    /// What was told of the rule so far.
    #[must_use]
    pub fn told(&self) -> Vec<Page> {
        pages::all(&self.hook).into_iter().filter(|page| page.name == RULE).collect()
    }

    /// Starts both centrals anew, one after the other, after a kill.
    pub async fn restart_centrals(&mut self) -> Result<()> {
        for central in &mut self.centrals {
            central.crash();
            central.revive().await?;
        }
        Ok(())
    }

    /// Waits until something of the rule was told that is not among the first `known`.
    pub async fn tells(&self, known: usize, is_firing: bool, limit: Duration) -> Result<Page> {
        let what = if is_firing { "the page" } else { "the resolve" };
        let told = || self.told().into_iter().skip(known).find(|page| page.is_firing == is_firing);
        let told = wait::until(what, limit, async || told()).await;
        told.with_context(|| format!("told so far: {:?}", self.brief()))
    }

    /// Fails unless every incident so far was told once and its end once.
    pub fn assert_told_once(&self, incidents: usize) -> Result<()> {
        let told = self.told();
        let mut pages: Vec<_> = told.iter().map(|page| (&page.episode, page.is_firing)).collect();
        pages.sort_unstable();
        pages.dedup();
        let fired = pages.iter().filter(|(_, is_firing)| *is_firing).count();
        ensure!(
            told.len() == pages.len() && fired == incidents && pages.len() == 2 * incidents,
            "{incidents} incidents, each of which should be told once, and its end once: {:#?}",
            self.brief()
        );
        let others: Vec<_> = pages::all(&self.hook).into_iter().filter(|page| page.name != RULE).collect();
        ensure!(others.is_empty(), "pages of other rules: {others:#?}");
        Ok(())
    }

    /// Ends everything, keeps the folder with all logs for a look and says where it is.
    #[must_use]
    pub fn keep(self) -> std::path::PathBuf {
        self.world.keep()
    }

    fn brief(&self) -> Vec<String> {
        let brief = |page: &Page| format!("{} firing {} episode {}", page.name, page.is_firing, page.episode);
        pages::all(&self.hook).iter().map(brief).collect()
    }
}

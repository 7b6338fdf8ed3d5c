//! Two centrals that share their work over real engines, with agents that know both, and links between all of
//! them that can be made to hurt.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use goldentime_model::ServiceId;
use goldentime_testkit::engines::{Engines, PARTITIONS};
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::ports::loopback;
use goldentime_testkit::programs::{Agent, Central};
use goldentime_testkit::proxy::Proxy;
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::wait;
use serde_json::{Value, json};

use crate::ask::{PATIENCE, central_until, further, log_lines, make_authority, metric};
use crate::counts::assert_exact_on;
use crate::pages::{self, Page};
use crate::restored::{Restored, StateCopy};
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
    /// Agents that were put back to an older state.
    pub restored: Restored,
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
        let (has_search, restored) = (makeup.has_search, Restored::default());
        Ok(Self { hook, world, engines, centrals, agents, doors, restored, has_search })
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
        try_join_all(self.agents.iter().map(further)).await.map(drop)
    }

    /// Compares what both centrals show, live and as history, and every line that was shipped with nginx's logs.
    /// Nobody may send anything to nginx meanwhile. Of agents that were put back to an older state, what they read
    /// since is counted twice, and shown as that.
    pub async fn assert_exact(&self) -> Result<()> {
        for central in &self.centrals {
            let name = central.config.folder.display();
            let lost = metric(central, "goldentime_merge_lost_records_total").await?;
            ensure!(lost.unwrap_or_default() == 0.0, "{name}: numbers of {lost:?} records were never seen");
        }
        if !self.restored.is_empty() {
            return self.restored.assert_shown(&self.world, &self.centrals).await;
        }
        assert_exact_on(&self.world, &self.centrals).await?;
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

    /// The central that judges the rule: the one that has read its partition furthest.
    pub async fn owner(&self) -> Result<usize> {
        let partition = ServiceId::new("default", "default", self.world.service)?.partition(PARTITIONS);
        let line = format!("goldentime_merge_offset{{partition=\"{partition}\"}}");
        let mut furthest: Option<(u64, usize)> = None;
        for (index, central) in self.centrals.iter().enumerate() {
            furthest = furthest.max(metric(central, &line).await?.map(|offset| (offset as u64, index)));
        }
        furthest.map(|(_, index)| index).context("nobody has read the rule's partition")
    }

    /// Waits until something of the rule was told that is not among the first `known`.
    pub async fn tells(&self, known: usize, is_firing: bool, limit: Duration) -> Result<Page> {
        let what = if is_firing { "the page" } else { "the resolve" };
        let told = || self.told().into_iter().skip(known).find(|page| page.is_firing == is_firing);
        let told = wait::until(what, limit, async || told()).await;
        told.with_context(|| format!("told so far: {:?}", self.brief()))
    }

    /// Fails unless every incident so far was told once and then its end once, as the catalogue has them too.
    pub async fn assert_told_once(&self, incidents: usize) -> Result<()> {
        let told = self.told();
        let is_episode = |pages: &[Page]| match pages {
            [page, end] => page.is_firing && !end.is_firing && page.episode == end.episode,
            _ => false,
        };
        let episodes: BTreeSet<&str> = told.iter().map(|page| page.episode.as_str()).collect();
        ensure!(
            told.chunks(2).all(is_episode) && told.len() == 2 * incidents && episodes.len() == incidents,
            "{incidents} incidents, each of which should be told once, and then its end once: {:#?}",
            self.brief()
        );
        let others: Vec<_> = pages::all(&self.hook).into_iter().filter(|page| page.name != RULE).collect();
        ensure!(others.is_empty(), "pages of other rules: {others:#?}");
        let has_them = |alerts: &Value| {
            let alerts = alerts.as_array().map_or(&[][..], Vec::as_slice);
            let of_rule = || alerts.iter().filter(|alert| alert["labels"]["alertname"] == RULE);
            let known: BTreeSet<_> = of_rule().filter_map(|alert| alert["episode"].as_str()).collect();
            known == episodes && of_rule().all(|alert| alert["status"] == "resolved")
        };
        let path = "/api/v1/alerts/history?limit=1000";
        for central in &self.centrals {
            central_until(central, path, "exactly what was told to be in the alert history", has_them)
                .await?;
        }
        Ok(())
    }

    /// Puts an agent back to a copy of its state, as it was when that was made.
    pub async fn put_back(&mut self, agent: usize, copy: &StateCopy) -> Result<()> {
        self.restored.put_back(&mut self.agents[agent], copy, &self.world.hosts[agent], &self.centrals).await
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

//! What befalls a cluster, and how it ends.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use goldentime_testkit::proxy::{Fault as LinkFault, Link};

use crate::cluster::{CENTRALS, Cluster, Makeup};
use crate::fault::Dice;
use crate::restored::StateCopy;

/// How long an outage is that is not drawn.
const LONG: Duration = Duration::from_secs(60);
/// A central that owns something writes windows several times in this time.
const WRITES_WITHIN: Duration = Duration::from_millis(500);

/// Whom it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// One of the agents.
    Agent,
    /// One of the centrals.
    Central,
    /// The central that judges the rule.
    Owner,
    /// The way from agents to a central, or to all.
    Uplink,
    /// Kafka, all of it.
    Kafka,
    /// One broker of three.
    Broker,
    /// Redis.
    Redis,
    /// PostgreSQL.
    Postgres,
    /// Elasticsearch.
    Search,
}

/// What befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// SIGKILL, then a start over what it has on disk.
    Killed,
    /// SIGKILL, and a start over what it has on disk after a minute.
    KilledForLong,
    /// SIGKILL while what it writes to Redis is under way, which arrives there when somebody else has its work;
    /// then a start.
    KilledWriting,
    /// SIGKILL, then a start with nothing.
    Emptied,
    /// Its state is copied while it runs; later it is killed and put back to that.
    Restored,
    /// SIGSTOP, then SIGCONT: it is there and answers nothing.
    Frozen,
    /// What connects it to a central, or to all, is cut.
    Cut,
    /// The same lets nothing pass, and nobody is told.
    HalfOpen,
    /// Connections that exist hold what they carry; new ones pass.
    Stalled,
    /// Its disk has passed the last watermark, so it takes nothing.
    ReadOnly,
}

/// A row of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub Part, pub How);

/// Every row.
pub const FAULTS: [Fault; 32] = [
    Fault(Part::Agent, How::Killed),
    Fault(Part::Agent, How::Restored),
    Fault(Part::Central, How::Killed),
    Fault(Part::Central, How::Frozen),
    Fault(Part::Owner, How::KilledWriting),
    Fault(Part::Uplink, How::Cut),
    Fault(Part::Uplink, How::HalfOpen),
    Fault(Part::Kafka, How::Killed),
    Fault(Part::Kafka, How::KilledForLong),
    Fault(Part::Kafka, How::Frozen),
    Fault(Part::Kafka, How::Cut),
    Fault(Part::Kafka, How::HalfOpen),
    Fault(Part::Broker, How::Killed),
    Fault(Part::Broker, How::Frozen),
    Fault(Part::Redis, How::Killed),
    Fault(Part::Redis, How::Emptied),
    Fault(Part::Redis, How::Frozen),
    Fault(Part::Redis, How::Cut),
    Fault(Part::Redis, How::HalfOpen),
    Fault(Part::Redis, How::Stalled),
    Fault(Part::Postgres, How::Killed),
    Fault(Part::Postgres, How::KilledForLong),
    Fault(Part::Postgres, How::Frozen),
    Fault(Part::Postgres, How::Cut),
    Fault(Part::Postgres, How::HalfOpen),
    Fault(Part::Postgres, How::Stalled),
    Fault(Part::Search, How::Killed),
    Fault(Part::Search, How::KilledForLong),
    Fault(Part::Search, How::Frozen),
    Fault(Part::Search, How::Cut),
    Fault(Part::Search, How::HalfOpen),
    Fault(Part::Search, How::ReadOnly),
];

/// A fault that was drawn: what exactly it befalls.
#[derive(Debug)]
pub struct Drawn {
    /// The row.
    pub fault: Fault,
    /// Index of what is killed or frozen, where there are several.
    index: usize,
    /// Centrals that are concerned, where it is a link.
    ways: Vec<usize>,
    /// How long it waits in the middle of what it does.
    midway: Duration,
    /// The state that an agent is put back to.
    copy: Option<StateCopy>,
}

impl Fault {
    /// What a cluster needs to have to suffer it.
    #[must_use]
    pub fn makeup(self) -> Makeup {
        Makeup { brokers: if self.0 == Part::Broker { 3 } else { 1 }, has_search: self.0 == Part::Search }
    }

    /// How long it lasts, where that is not drawn.
    #[must_use]
    pub fn lasts(self) -> Option<Duration> {
        (self.1 == How::KilledForLong).then_some(LONG)
    }

    /// Whether requests are counted twice by it, of the same agents in what comes after it as well.
    #[must_use]
    pub fn counts_twice(self) -> bool {
        self.1 == How::Restored
    }

    /// Draws whom exactly it befalls.
    pub fn draw(self, dice: &mut Dice) -> Drawn {
        let index = match self.0 {
            Part::Broker => dice.below(3),
            _ => dice.below(CENTRALS),
        };
        // One central's, or everybody's.
        let ways = match dice.below(CENTRALS + 1) {
            CENTRALS => (0..CENTRALS).collect(),
            one => vec![one],
        };
        let midway = dice.between(WRITES_WITHIN / 5, WRITES_WITHIN);
        Drawn { fault: self, index, ways, midway, copy: None }
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault: Fault(part, how), index, ways, .. } = self;
        match (part, how) {
            (_, How::Cut | How::HalfOpen | How::Stalled) => write!(f, "{part:?} {how:?} for {ways:?}"),
            (Part::Agent | Part::Central | Part::Owner | Part::Broker, _) => {
                write!(f, "{part:?} {index} {how:?}")
            }
            _ => write!(f, "{part:?} {how:?}"),
        }
    }
}

impl Drawn {
    /// Whether pages come while it lasts: what they need is there, or somebody else has it.
    #[must_use]
    pub fn leaves_pages(&self) -> bool {
        let Fault(part, how) = self.fault;
        match part {
            Part::Redis | Part::Postgres | Part::Search => true,
            Part::Central | Part::Owner | Part::Broker => true,
            Part::Kafka | Part::Uplink => {
                matches!(how, How::Cut | How::HalfOpen) && self.ways.len() < CENTRALS
            }
            // Until it is put back it goes on as if nothing were.
            Part::Agent => how == How::Restored,
        }
    }

    /// Begins it.
    pub async fn begin(&mut self, cluster: &mut Cluster) -> Result<()> {
        if self.fault.0 == Part::Owner {
            self.index = cluster.owner().await?;
        }
        let begun = match self.fault {
            Fault(_, How::Restored) => self.copy(cluster),
            _ => self.apply(cluster, true).await,
        };
        begun.with_context(|| format!("{self} begins"))
    }

    /// Ends it: what was killed runs again, what was cut is whole.
    pub async fn end(&self, cluster: &mut Cluster) -> Result<()> {
        self.apply(cluster, false).await.with_context(|| format!("{self} ends"))
    }

    fn copy(&mut self, cluster: &Cluster) -> Result<()> {
        self.copy = Some(StateCopy::of(&cluster.agents[self.index])?);
        Ok(())
    }

    /// Kills the owner with what it writes on the way; it arrives once the fault ends.
    async fn kill_writing(&self, cluster: &mut Cluster) {
        cluster.engines.links[self.index].redis.link().set(LinkFault::Stall);
        tokio::time::sleep(self.midway).await;
        cluster.centrals[self.index].crash();
    }

    async fn apply(&self, cluster: &mut Cluster, begins: bool) -> Result<()> {
        let Fault(part, how) = self.fault;
        let engines = &mut cluster.engines;
        match (part, how) {
            (_, How::Cut) => self.set(cluster, begins, LinkFault::Cut),
            (_, How::HalfOpen) => self.set(cluster, begins, LinkFault::HalfOpen),
            (_, How::Stalled) => self.set(cluster, begins, LinkFault::Stall),
            (_, How::ReadOnly) => search(cluster)?.fill_disk(begins).await?,
            (_, How::Restored) => {
                let copy = self.copy.as_ref().context("no state was copied")?;
                cluster.put_back(self.index, copy).await?;
            }
            (Part::Owner, _) if begins => self.kill_writing(cluster).await,
            (Part::Owner, _) => {
                engines.links[self.index].redis.link().set(LinkFault::None);
                cluster.centrals[self.index].revive().await?;
            }
            (Part::Agent, _) if begins => cluster.agents[self.index].crash(),
            (Part::Agent, _) => cluster.agents[self.index].revive()?,
            (Part::Central, How::Frozen) => cluster.centrals[self.index].pause(begins)?,
            (Part::Central, _) if begins => cluster.centrals[self.index].crash(),
            (Part::Central, _) => cluster.centrals[self.index].revive().await?,
            (Part::Uplink, _) => bail!("it can only be cut"),
            (Part::Kafka, How::Frozen) => engines.kafka.pause(0, begins)?,
            (Part::Kafka, _) if begins => engines.kafka.kill9_all(),
            (Part::Broker, How::Frozen) => engines.kafka.pause(self.index, begins)?,
            (Part::Broker, _) if begins => engines.kafka.kill9(self.index),
            (Part::Kafka | Part::Broker, _) => engines.kafka.restart_all().await?,
            (Part::Redis, How::Frozen) if begins => engines.redis.pause()?,
            (Part::Redis, How::Frozen) => engines.redis.go_on()?,
            (Part::Redis, _) if begins => engines.redis.kill9(),
            (Part::Redis, How::Emptied) => engines.redis.restart_empty().await?,
            (Part::Redis, _) => engines.redis.restart().await?,
            (Part::Postgres, How::Frozen) => engines.postgres.pause(begins)?,
            (Part::Postgres, _) if begins => engines.postgres.kill9(),
            (Part::Postgres, _) => engines.postgres.restart().await?,
            (Part::Search, How::Frozen) => search(cluster)?.pause(begins)?,
            (Part::Search, _) if begins => search(cluster)?.kill9(),
            (Part::Search, _) => search(cluster)?.restart().await?,
        }
        Ok(())
    }

    fn set(&self, cluster: &Cluster, begins: bool, fault: LinkFault) {
        let fault = if begins { fault } else { LinkFault::None };
        for way in &self.ways {
            for link in links(cluster, self.fault.0, *way) {
                link.set(fault);
            }
        }
    }
}

/// The links of one central to a part.
fn links(cluster: &Cluster, part: Part, way: usize) -> Vec<&Link> {
    let Cluster { engines, doors, .. } = cluster;
    let links = &engines.links[way];
    match part {
        Part::Agent | Part::Central | Part::Owner | Part::Uplink => vec![doors[way].link()],
        Part::Kafka | Part::Broker => engines.kafka.links_of(way).collect(),
        Part::Redis => vec![links.redis.link()],
        Part::Postgres => vec![links.postgres.link()],
        Part::Search => links.search.iter().map(|search| search.link()).collect(),
    }
}

fn search(cluster: &mut Cluster) -> Result<&mut goldentime_testkit::servers::elasticsearch::Elasticsearch> {
    cluster.engines.search.as_mut().context("the cluster has no search server")
}

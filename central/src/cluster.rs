//! Engines outside that take the place of the central's own files, each for its seam.

use goldentime_catalog::{
    AccessStore, AgentRegistry, Catalogue, CatalogueError, Desk, PostgresCatalogue, SqliteCatalogue,
};
use goldentime_log::kafka::KafkaLogConfig;
use goldentime_model::config::{Check, Settings};
use goldentime_postgres::PostgresConfig;
use goldentime_search::ElasticConfig;
use goldentime_windows::RedisConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

use crate::ingest::raw::RawConfig;
use crate::ingest::registry::Registry;

/// Engines outside. One that is not given is not used: the central keeps files of its own below `state_dir`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default)]
pub struct ClusterConfig {
    /// Database of history, accounts, alerts and their delivery queue, agents and join tokens, in place of
    /// `series.db`, `catalogue.db` and `agents.db`; with `kafka` also of dead letters, in place of `dead-letters.db`. A
    /// database without agents takes over those of `agents.db`.
    /// `series.bytes_max` does not count then: the disk is the server's. Default none.
    pub postgres: Option<PostgresConfig>,
    /// Ingest log that several centrals share, in place of the files below `log/`; with `redis`. Its own
    /// `partitions` and `retention` count then, not `partitions` and `log`. Default none.
    pub kafka: Option<KafkaLogConfig>,
    /// What Fluent Bit, rsyslog and others produce to `goldentime.raw`; with `kafka`. Centrals with the role `gateway`
    /// read it. Default none: it is not read.
    pub raw: Option<RawConfig>,
    /// Live windows that every central reads, in place of `windows.db`; with `kafka`. Centrals that have neither
    /// the role `process` nor `api` need none. Default none.
    pub redis: Option<RedisConfig>,
    /// Search server of log lines, in place of the files below `logs/`. Its own `retention` and `bytes_max`
    /// count then, not those of `logs`. Default none.
    pub elasticsearch: Option<ElasticConfig>,
}

impl Settings for ClusterConfig {
    fn validate(&self, check: &mut Check) {
        if let Some(postgres) = &self.postgres {
            check.section("postgres", |check| postgres.validate(check));
        }
        if let Some(kafka) = &self.kafka {
            check.section("kafka", |check| kafka.validate(check));
        }
        if let Some(raw) = &self.raw {
            check.section("raw", |check| raw.validate(check));
            check.require(self.kafka.is_some(), "raw", "needs `cluster.kafka`: the topic is there");
        }
        if let Some(redis) = &self.redis {
            check.section("redis", |check| redis.validate(check));
        }
        // A partition's next owner goes on with the windows that its last one wrote.
        check.require(
            self.redis.is_none() || self.kafka.is_some(),
            "redis",
            "needs `cluster.kafka`: they go together",
        );
        if let Some(elastic) = &self.elasticsearch {
            check.section("elasticsearch", |check| elastic.validate(check));
        }
    }
}

impl ClusterConfig {
    /// Where dead letters go and are kept that all centrals see; none where each keeps its own.
    #[must_use]
    pub fn of_letters(&self) -> Option<(&KafkaLogConfig, &PostgresConfig)> {
        self.kafka.as_ref().zip(self.postgres.as_ref())
    }

    /// This central's name among those that share the log; none where nothing is shared.
    #[must_use]
    pub fn member(&self) -> Option<Arc<str>> {
        let kafka = self.kafka.as_ref()?;
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        Some(kafka.member.clone().unwrap_or_else(host).into())
    }
}

/// Accounts, alerts and pages, wherever they are kept. Cheap to clone.
#[derive(Clone)]
pub struct OpenCatalogue {
    /// Alerts and pages.
    pub alerts: Arc<dyn Catalogue>,
    /// Who may use the central.
    pub access: Arc<dyn AccessStore>,
    /// What people decide about alerts.
    pub desk: Arc<dyn Desk>,
    /// Which agents may connect; none where that is a file of its own.
    agents: Option<Arc<dyn AgentRegistry>>,
}

impl OpenCatalogue {
    /// The catalogue that the configuration names. A file is opened, a database is reached by its first use.
    pub async fn open(state_dir: &Path, config: &ClusterConfig) -> Result<Self, CatalogueError> {
        Ok(match &config.postgres {
            Some(postgres) => {
                let store = Arc::new(PostgresCatalogue::new(postgres.clone()));
                Self {
                    alerts: Arc::clone(&store) as _,
                    access: Arc::clone(&store) as _,
                    desk: Arc::clone(&store) as _,
                    agents: Some(store),
                }
            }
            None => {
                let store = Arc::new(SqliteCatalogue::open(&state_dir.join("catalogue.db")).await?);
                Self {
                    alerts: Arc::clone(&store) as _,
                    access: Arc::clone(&store) as _,
                    desk: store,
                    agents: None,
                }
            }
        })
    }

    /// The registry of agents beside it, over the same connections where that is a database.
    pub async fn registry(&self, state_dir: &Path) -> Result<Registry, CatalogueError> {
        match &self.agents {
            Some(agents) => Ok(Registry::shared(Arc::clone(agents), state_dir)),
            None => Registry::open(state_dir, &ClusterConfig::default()).await,
        }
    }
}

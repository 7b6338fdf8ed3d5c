//! Engines outside, and a central's configuration that names them.

use std::fmt::Write as _;
use std::path::Path;

use crate::programs::CentralConfig;
use crate::servers::elasticsearch::{self, Elasticsearch};
use crate::servers::kafka::{Kafka, Shape};
use crate::servers::postgres::{Postgres, USER};
use crate::servers::redis::{self, Redis, RedisProps};
use anyhow::Result;

/// Partitions of the shared log.
const PARTITIONS: u32 = 4;

/// What a central needs to share its work with others.
pub struct Engines {
    /// The log.
    pub kafka: Kafka,
    /// Live windows.
    pub redis: Redis,
    /// History, accounts, alerts.
    pub postgres: Postgres,
    database: String,
    /// Log lines, where they are to be kept outside as well.
    pub search: Option<Elasticsearch>,
}

impl Engines {
    /// Starts them, with one or three brokers.
    pub async fn start(folder: &Path, brokers: usize) -> Result<Self> {
        let kafka = Kafka::start(Shape::brokers(brokers)).await?;
        let redis = Redis::start(&folder.join("redis"), &RedisProps::default()).await?;
        let postgres = Postgres::start().await?;
        let database = postgres.create_database().await?;
        Ok(Self { kafka, redis, postgres, database, search: None })
    }

    /// Starts a search server too.
    pub async fn and_search(mut self) -> Result<Self> {
        self.search = Some(Elasticsearch::start().await?);
        Ok(self)
    }

    /// Has a central use them, as the member of this name.
    pub fn give_to(&self, config: &mut CentralConfig, member: &str) -> Result<()> {
        self.give_log_to(config, member)?;
        write!(
            config.extra_yaml,
            "  redis:\n    nodes: ['{}']\n    password: '{}'\n",
            self.redis.address(),
            redis::PASSWORD
        )?;
        if let Some(search) = &self.search {
            config.extra_yaml.push_str(&elasticsearch(search));
        }
        Ok(())
    }

    /// Has a central use the log and the database, which is all that a gateway needs.
    pub fn give_log_to(&self, config: &mut CentralConfig, member: &str) -> Result<()> {
        let brokers = self.kafka.addresses();
        let replication = brokers.len();
        write!(
            config.extra_yaml,
            "cluster:\n  kafka:\n    connection: {{brokers: {brokers:?}}}\n    partitions: {PARTITIONS}\n    \
             replication: {replication}\n    member: {member}\n"
        )?;
        config.extra_yaml.push_str(&postgres(&self.postgres, &self.database));
        Ok(())
    }
}

/// The section of `cluster` that names a database.
#[must_use]
pub fn postgres(server: &Postgres, database: &str) -> String {
    format!(
        "  postgres:\n    host: localhost\n    port: {}\n    database: {database}\n    user: {USER}\n    \
         password_file: {}\n    ca_file: {}\n",
        server.address().port(),
        server.password_file().display(),
        server.authority().display()
    )
}

/// The section of `cluster` that names a search server.
#[must_use]
pub fn elasticsearch(server: &Elasticsearch) -> String {
    format!(
        "  elasticsearch:\n    urls: ['{}']\n    user: {}\n    password: '{}'\n    ca_file: '{}'\n    replicas: 0\n",
        Elasticsearch::url(server.address()),
        elasticsearch::USER,
        elasticsearch::PASSWORD,
        server.certificate_file().display()
    )
}

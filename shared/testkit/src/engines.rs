//! Engines outside, the links to them where a test is to hurt those, and a central's configuration that names them.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use crate::programs::CentralConfig;
use crate::proxy::Proxy;
use crate::servers::elasticsearch::{self, Elasticsearch};
use crate::servers::kafka::{Kafka, Shape, WAYS};
use crate::servers::postgres::{Postgres, USER};
use crate::servers::redis::{self, Redis, RedisProps};
use anyhow::Result;

/// Partitions of the shared log.
pub const PARTITIONS: u32 = 4;

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
    /// What lies between each central and them, by its way; empty where they are reached straight. The way to
    /// Kafka is Kafka's own.
    pub links: Vec<Links>,
}

/// What lies between one central and the engines other than Kafka.
pub struct Links {
    /// Before Redis.
    pub redis: Proxy,
    /// Before PostgreSQL.
    pub postgres: Proxy,
    /// Before Elasticsearch, where there is one.
    pub search: Option<Proxy>,
}

/// Where one central finds them.
struct Places {
    kafka: Vec<String>,
    redis: SocketAddr,
    postgres: SocketAddr,
    search: Option<SocketAddr>,
}

impl Engines {
    /// Starts them, with one or three brokers.
    pub async fn start(folder: &Path, brokers: usize) -> Result<Self> {
        Self::of(Kafka::start(Shape::brokers(brokers)).await?, folder).await
    }

    /// The same, each central with links of its own to them: [`WAYS`] at most.
    pub async fn behind_links(folder: &Path, brokers: usize) -> Result<Self> {
        let shape = Shape { is_proxied: true, ..Shape::brokers(brokers) };
        let mut engines = Self::of(Kafka::start(shape).await?, folder).await?;
        for way in 0..WAYS {
            engines.links.push(Links {
                redis: Proxy::tcp(engines.redis.address(), way as u64).await?,
                postgres: Proxy::tcp(engines.postgres.address(), way as u64).await?,
                search: None,
            });
        }
        Ok(engines)
    }

    async fn of(kafka: Kafka, folder: &Path) -> Result<Self> {
        let redis = Redis::start(&folder.join("redis"), &RedisProps::default()).await?;
        let postgres = Postgres::start().await?;
        let database = postgres.create_database().await?;
        Ok(Self { kafka, redis, postgres, database, search: None, links: Vec::new() })
    }

    /// Starts a search server too.
    pub async fn and_search(mut self) -> Result<Self> {
        let search = Elasticsearch::start().await?;
        for (way, links) in (0..).zip(&mut self.links) {
            links.search = Some(Proxy::tcp(search.address(), way).await?);
        }
        self.search = Some(search);
        Ok(self)
    }

    /// Has a central use them, as the member of this name.
    pub fn give_to(&self, config: &mut CentralConfig, member: &str) -> Result<()> {
        self.write_to(config, member, &self.places(0))
    }

    /// The same over links of its own.
    pub fn give_way_to(&self, config: &mut CentralConfig, member: &str, way: usize) -> Result<()> {
        self.write_to(config, member, &self.places(way))
    }

    /// Has a central use the log and the database, which is all that a gateway needs.
    pub fn give_log_to(&self, config: &mut CentralConfig, member: &str) -> Result<()> {
        self.write_log_to(config, member, &self.places(0))
    }

    fn places(&self, way: usize) -> Places {
        let links = self.links.get(way);
        let search = self.search.as_ref().map(Elasticsearch::address);
        Places {
            kafka: self.kafka.addresses_by(way),
            redis: links.map_or_else(|| self.redis.address(), |links| links.redis.address()),
            postgres: links.map_or_else(|| self.postgres.address(), |links| links.postgres.address()),
            search: links.and_then(|links| links.search.as_ref()).map(Proxy::address).or(search),
        }
    }

    fn write_to(&self, config: &mut CentralConfig, member: &str, at: &Places) -> Result<()> {
        self.write_log_to(config, member, at)?;
        write!(
            config.extra_yaml,
            "  redis:\n    nodes: ['{}']\n    password: '{}'\n",
            at.redis,
            redis::PASSWORD
        )?;
        if let (Some(search), Some(address)) = (&self.search, at.search) {
            config.extra_yaml.push_str(&elasticsearch_at(address, search));
        }
        Ok(())
    }

    fn write_log_to(&self, config: &mut CentralConfig, member: &str, at: &Places) -> Result<()> {
        let (brokers, replication) = (&at.kafka, at.kafka.len());
        write!(
            config.extra_yaml,
            "cluster:\n  kafka:\n    connection: {{brokers: {brokers:?}}}\n    partitions: {PARTITIONS}\n    \
             replication: {replication}\n    member: {member}\n"
        )?;
        config.extra_yaml.push_str(&postgres_at(at.postgres, &self.postgres, &self.database));
        Ok(())
    }
}

/// The section of `cluster` that names a database.
#[must_use]
pub fn postgres(server: &Postgres, database: &str) -> String {
    postgres_at(server.address(), server, database)
}

fn postgres_at(address: SocketAddr, server: &Postgres, database: &str) -> String {
    format!(
        "  postgres:\n    host: localhost\n    port: {}\n    database: {database}\n    user: {USER}\n    \
         password_file: {}\n    ca_file: {}\n",
        address.port(),
        server.password_file().display(),
        server.authority().display()
    )
}

/// The section of `cluster` that names a search server.
#[must_use]
pub fn elasticsearch(server: &Elasticsearch) -> String {
    elasticsearch_at(server.address(), server)
}

fn elasticsearch_at(address: SocketAddr, server: &Elasticsearch) -> String {
    format!(
        "  elasticsearch:\n    urls: ['{}']\n    user: {}\n    password: '{}'\n    ca_file: '{}'\n    replicas: 0\n",
        Elasticsearch::url(address),
        elasticsearch::USER,
        elasticsearch::PASSWORD,
        server.certificate_file().display()
    )
}

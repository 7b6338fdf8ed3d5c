//! Configuration of window state in Redis.

use std::path::{Path, PathBuf};
use std::time::Duration;

use goldentime_model::config::{Check, Secret, Settings};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;

/// Live windows in Redis, or in a Redis Cluster. Redis 6.2 or newer, or Valkey. The server must not evict
/// (`maxmemory-policy noeviction`): a second that is evicted is missing after a failover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `host:port` of the server, or of some nodes of the cluster, through which the others are found.
    /// Default `127.0.0.1:6379`.
    pub nodes: Vec<String>,
    /// Whether the nodes are a Redis Cluster. Default `false`.
    pub cluster: bool,
    /// Number of the database; a cluster has only `0`. Default `0`.
    pub database: u16,
    /// User to log in as; with `password`. Default: the server's default user.
    pub user: Option<String>,
    /// Its password. Default: none.
    pub password: Option<Secret>,
    /// TLS to every node. Default: none.
    pub tls: Option<RedisTls>,
    /// A node that has not let us in after this is tried again. Default `1s`; `10ms` to `1m`.
    pub connect_timeout: HumanDuration,
    /// A read that takes longer fails. Default `1s`; `10ms` to `1m`.
    pub read_timeout: HumanDuration,
    /// A write that takes longer fails, its connection is given up, and what it held is written again
    /// over the next one. Default `500ms`; `10ms` to `1m`.
    pub write_timeout: HumanDuration,
    /// First pause between two tries to connect. Each is twice the one before, up to `retry_max`, and
    /// up to a half longer by chance. Default `50ms`; `10ms` to `1m`.
    pub retry_initial: HumanDuration,
    /// Longest pause between two tries to connect. Default `2s`; at least `retry_initial`, up to `1m`.
    pub retry_max: HumanDuration,
    /// Cells in one round trip. Default 512; 1 to 10000.
    pub batch_cells_max: usize,
    /// Bytes of cells that wait to be written and were not answered; further writes are refused until
    /// some are. Default `64MiB`; at least `1MiB`.
    pub in_flight_bytes_max: ByteSize,
    /// Cells of which this process remembers how far it has written them, about 100 bytes each; a
    /// service with steady traffic has 480. Further cells are refused and counted under
    /// `goldentime_drops_total{component="windows"}`. Default 2000000; at least 1000.
    pub cells_max: usize,
}

/// TLS to Redis. Certificates and the names in them are always verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisTls {
    /// PEM file of the certificate authorities to trust instead of the public ones. Default: the public
    /// ones.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to show; with `key_file`. Default: none.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key. Default: none.
    pub key_file: Option<PathBuf>,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            nodes: vec!["127.0.0.1:6379".to_owned()],
            cluster: false,
            database: 0,
            user: None,
            password: None,
            tls: None,
            connect_timeout: HumanDuration::from_secs(1),
            read_timeout: HumanDuration::from_secs(1),
            write_timeout: HumanDuration::from_millis(500),
            retry_initial: HumanDuration::from_millis(50),
            retry_max: HumanDuration::from_secs(2),
            batch_cells_max: 512,
            in_flight_bytes_max: ByteSize::mib(64),
            cells_max: 2_000_000,
        }
    }
}

impl RedisConfig {
    /// Most memory that the backend takes, in bytes: what waits to be written, encoded once more while it
    /// is sent, and what is remembered of cells.
    #[must_use]
    pub fn memory_bound_bytes(&self) -> u64 {
        /// A cell's place, offset and share of its map, in bytes.
        const CELL_BYTES: u64 = 100;
        self.in_flight_bytes_max.get().saturating_mul(2).saturating_add(self.cells_max as u64 * CELL_BYTES)
    }
}

impl Settings for RedisConfig {
    fn validate(&self, check: &mut Check) {
        check.require((1..=100).contains(&self.nodes.len()), "nodes", "must name 1 to 100 nodes");
        for (at, node) in self.nodes.iter().enumerate() {
            if let Err(error) = node.parse::<Address>() {
                check.refuse(&format!("nodes[{at}]"), error.to_string());
            }
        }
        let one = "must name one server; set `cluster` if these are nodes of a Redis Cluster";
        check.require(self.cluster || self.nodes.len() <= 1, "nodes", one);
        check.require(!self.cluster || self.database == 0, "database", "must be 0: a cluster has no other");
        check.require(self.user.is_none() || self.password.is_some(), "user", "needs a `password`");
        for (setting, value) in [
            ("connect_timeout", self.connect_timeout),
            ("read_timeout", self.read_timeout),
            ("write_timeout", self.write_timeout),
            ("retry_initial", self.retry_initial),
            ("retry_max", self.retry_max),
        ] {
            let range = Duration::from_millis(10)..=Duration::from_secs(60);
            check.require(range.contains(&value.get()), setting, "must be `10ms` to `1m`");
        }
        check.require(self.retry_max >= self.retry_initial, "retry_max", "is less than `retry_initial`");
        check.require((1..=10_000).contains(&self.batch_cells_max), "batch_cells_max", "must be 1 to 10000");
        check.require(
            self.in_flight_bytes_max >= ByteSize::mib(1),
            "in_flight_bytes_max",
            "must be at least `1MiB`",
        );
        check.require(self.cells_max >= 1000, "cells_max", "must be at least 1000");
        if let Some(tls) = &self.tls {
            check.section("tls", |check| tls.validate(check));
        }
    }
}

impl RedisTls {
    fn validate(&self, check: &mut Check) {
        let pair = self.certificate_file.is_some() == self.key_file.is_some();
        check.require(pair, "certificate_file", "`certificate_file` and `key_file` go together");
        for (setting, file) in [
            ("ca_file", &self.ca_file),
            ("certificate_file", &self.certificate_file),
            ("key_file", &self.key_file),
        ] {
            if let Some(Err(error)) = file.as_deref().map(read_pem) {
                check.refuse(setting, error);
            }
        }
    }
}

/// A PEM file, or what is wrong with it.
pub(super) fn read_pem(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

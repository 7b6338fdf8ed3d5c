//! What can be set about intake.

use std::net::SocketAddr;
use std::path::PathBuf;

use goldentime_model::config::{Check, Settings};
use goldentime_model::units::{HumanDuration, listen_address};
use rustls::pki_types::ServerName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The agents' uplink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AgentsConfig {
    /// Address and UDP port on which agents connect (QUIC, TLS 1.3, client certificates). Default
    /// `127.0.0.1:7701`.
    #[serde(deserialize_with = "listen_address")]
    pub listen: SocketAddr,
    /// Further names or addresses for the central's certificate. Agents check the central by its
    /// authority, so this is for other tools. Default none.
    pub names: Vec<String>,
    /// Folder of the authority that signs agents' certificates and the central's own: `authority.pem`, which
    /// only its owner and group may read; absolute path. Several centrals need the same one, which
    /// `goldentime-central authority create --dir` makes. Default none: `state_dir`, where the first start
    /// makes one.
    pub authority_dir: Option<PathBuf>,
    /// Connections at once. A further one is refused and counted. Default 2000; 1 to 100000.
    pub connections_max: usize,
    /// Connections at once from one address by agents that have not shown yet who they are. Those that
    /// have are not counted here: hundreds may share an address. Default 200; 1 to `connections_max`.
    pub connections_per_address_max: usize,
    /// An agent that is not heard for this long without a goodbye is silent. Default `30s`; `5s` to `10m`.
    pub lease: HumanDuration,
}

impl Default for AgentsConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7701)),
            names: Vec::new(),
            authority_dir: None,
            connections_max: 2000,
            connections_per_address_max: 200,
            lease: HumanDuration::from_secs(30),
        }
    }
}

impl Settings for AgentsConfig {
    fn validate(&self, check: &mut Check) {
        check.require(
            (1..=100_000).contains(&self.connections_max),
            "connections_max",
            format!("{} is not between 1 and 100000", self.connections_max),
        );
        check.require(
            (1..=self.connections_max).contains(&self.connections_per_address_max),
            "connections_per_address_max",
            format!("{} is not between 1 and connections_max", self.connections_per_address_max),
        );
        for name in &self.names {
            if ServerName::try_from(name.as_str()).is_err() {
                check.refuse("names", format!("`{name}` is neither a host name nor an IP address"));
            }
        }
        check.require(
            self.authority_dir.as_ref().is_none_or(|folder| folder.is_absolute()),
            "authority_dir",
            "is not an absolute path; write it from `/` on",
        );
        let lease_s = self.lease.get().as_secs();
        check.require((5..=600).contains(&lease_s), "lease", "is not between 5s and 10m");
    }
}

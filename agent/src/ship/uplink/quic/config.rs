//! How the central is reached (`central` in `agent.yaml`).

use std::path::PathBuf;

use goldentime_model::config::{Check, Secret};
use goldentime_model::units::{ByteSize, HumanDuration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Slower than this a backlog would never end.
const BACKLOG_BYTES_PER_SECOND_MIN: u64 = 16 << 10;

/// Where a central is that nobody has named.
const ADDRESS: &str = "127.0.0.1:7701";

/// So many centrals may be named: each that is gone takes its time before the next is tried.
const ADDRESSES_MAX: usize = 16;

fn has_port(address: &str) -> bool {
    let parts = address.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// How the central is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of the central, `host:port`, UDP. Default none: `127.0.0.1:7701`, unless there are
    /// `addresses`. With `kafka` there is no central without one or the other; one that is named beside it
    /// corrects the clock and tells what to flush sooner, and records go to Kafka alone.
    pub address: Option<String>,
    /// Addresses of several centrals that share their work, each `host:port`, in place of `address`. One of
    /// them is tried first by chance, the next one at once when one does not answer, stops or has trouble of
    /// its own: all have to know the agent, by one authority and one database of agents. At most 16. Default
    /// none.
    pub addresses: Vec<String>,
    /// The join token that the central prints at its first start. Needed once: afterwards the agent
    /// has a certificate in its state directory. Better given as `join_token_file`. Default: none.
    pub join_token: Option<Secret>,
    /// File that holds the join token, readable by the agent's user only; absolute path. Read only
    /// while the agent is not enrolled, and may be deleted then. Default: none.
    pub join_token_file: Option<PathBuf>,
    /// Most bytes a second spent on what an outage left behind, so that it never delays what is
    /// live. Default `4MiB`, at least `16KiB`.
    pub backlog_bytes_per_second_max: ByteSize,
    /// Longest pause between attempts to connect. The first comes after a tenth of a second, each
    /// further one after about twice the pause before. Default `5s`; from `100ms` to `5m`.
    pub reconnect_interval_max: HumanDuration,
    /// How long the inputs wait at start for the first measurement of the clock's offset, when the
    /// central cannot be reached. Until it is measured, a wrong clock would put requests into the
    /// wrong seconds. Default `10s`; `0s` to `5m`.
    pub clock_wait_max: HumanDuration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: None,
            addresses: Vec::new(),
            join_token: None,
            join_token_file: None,
            backlog_bytes_per_second_max: ByteSize::mib(4),
            reconnect_interval_max: HumanDuration::from_secs(5),
            clock_wait_max: HumanDuration::from_secs(10),
        }
    }
}

impl Config {
    /// Every address under which a central may be reached; at least one.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        match &self.address {
            None if !self.addresses.is_empty() => self.addresses.clone(),
            address => vec![address.clone().unwrap_or_else(|| ADDRESS.to_owned())],
        }
    }

    /// Refuses values outside their limits.
    pub fn validate(&self, check: &mut Check) {
        check.require(
            self.address.is_none() || self.addresses.is_empty(),
            "addresses",
            "give either `address` or `addresses`",
        );
        check.require(
            self.addresses.len() <= ADDRESSES_MAX,
            "addresses",
            format!("{} are more than {ADDRESSES_MAX}", self.addresses.len()),
        );
        let own = self.address.iter().map(|address| ("address", address));
        for (setting, address) in own.chain(self.addresses.iter().map(|address| ("addresses", address))) {
            if !has_port(address) {
                check.refuse(
                    setting,
                    format!("`{address}` must be host:port, such as `central.example.com:7701`"),
                );
            }
        }
        check.require(
            self.join_token.is_none() || self.join_token_file.is_none(),
            "join_token_file",
            "give either `join_token` or `join_token_file`",
        );
        check.require(
            self.backlog_bytes_per_second_max.get() >= BACKLOG_BYTES_PER_SECOND_MIN,
            "backlog_bytes_per_second_max",
            "must be at least 16KiB",
        );
        let reconnect_ms = self.reconnect_interval_max.get().as_millis();
        check.require(
            (100..=300_000).contains(&reconnect_ms),
            "reconnect_interval_max",
            "must lie between 100ms and 5m",
        );
        check.require(self.clock_wait_max.get().as_secs() <= 300, "clock_wait_max", "must be at most 5m");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusals(address: Option<&str>, addresses: &[&str]) -> String {
        let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        let config = Config { address: address.map(str::to_owned), addresses, ..Config::default() };
        let mut check = Check::new();
        config.validate(&mut check);
        format!("{:?}", check)
    }

    #[test]
    fn one_address_or_several_are_taken_and_both_are_refused_by_name() {
        let two = Config { addresses: vec!["a:1".into(), "b:2".into()], ..Config::default() };
        assert_eq!(two.addresses(), ["a:1", "b:2"]);
        assert_eq!(Config::default().addresses(), [ADDRESS]);
        let one = Config { address: Some("a:1".into()), ..Config::default() };
        assert_eq!(one.addresses(), ["a:1"]);
        assert!(refusals(Some("a:1"), &["b:2"]).contains("either `address` or `addresses`"));
        assert!(refusals(None, &["a:1", "b"]).contains("`b` must be host:port"));
        assert!(refusals(Some(":1"), &[]).contains("`:1` must be host:port"));
    }
}

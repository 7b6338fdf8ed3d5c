//! What can be set about the connection to Kafka.

use std::path::PathBuf;

use goldentime_model::config::{Check, Secret, Settings};
use goldentime_model::units::HumanDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How Kafka is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KafkaConfig {
    /// Brokers to begin with, as `host:port`; the others are learnt from them. No default; 1 to 32.
    pub brokers: Vec<String>,
    /// TLS. Default: none.
    pub tls: Option<KafkaTls>,
    /// User and password. Default: none.
    pub sasl: Option<KafkaSasl>,
    /// A broker that does not answer for this long is asked anew, over another connection. Default
    /// `10s`; `1s` to `5m`.
    pub request_timeout: HumanDuration,
}

/// How brokers are known, and how they know us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KafkaTls {
    /// PEM file of the authorities that brokers are certified by. Brokers are always verified, their
    /// names too. Default: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM file of a client certificate with its chain; with `key_file`. Default: none.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of its key. Default: none.
    pub key_file: Option<PathBuf>,
}

/// Who we say that we are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KafkaSasl {
    /// How the password is shown. `plain` hands it over, and is refused without TLS. Default
    /// `scram-sha-512`.
    #[serde(default)]
    pub mechanism: SaslMechanism,
    /// The user.
    pub username: String,
    /// Its password, best from a file: `{file: /etc/goldentime/kafka.password}`.
    pub password: Secret,
}

/// How a password is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SaslMechanism {
    /// It is handed over.
    Plain,
    /// Salted challenge and response (RFC 7677).
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// The same with the longer hash.
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self { brokers: Vec::new(), tls: None, sasl: None, request_timeout: HumanDuration::from_secs(10) }
    }
}

impl SaslMechanism {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl Settings for KafkaConfig {
    fn validate(&self, check: &mut Check) {
        check.require(
            (1..=32).contains(&self.brokers.len()),
            "brokers",
            format!(
                "{} brokers are not between 1 and 32; name at least one as `host:port`",
                self.brokers.len()
            ),
        );
        for (at, broker) in self.brokers.iter().enumerate().filter(|(_, broker)| !is_address(broker)) {
            check.refuse(&format!("brokers[{at}]"), format!("`{broker}` is not of the form `host:port`"));
        }
        if let Some(tls) = &self.tls {
            check.require(
                tls.certificate_file.is_some() == tls.key_file.is_some(),
                "tls.key_file",
                "and certificate_file go together: give both or neither",
            );
        }
        if let Some(sasl) = &self.sasl {
            check.require(!sasl.username.is_empty(), "sasl.username", "is empty");
            check.require(
                sasl.mechanism != SaslMechanism::Plain || self.tls.is_some(),
                "sasl.mechanism",
                "`plain` hands the password to whoever listens on the way; add `tls: {}`, or use scram-sha-512",
            );
        }
        let timeout_s = self.request_timeout.get().as_secs();
        check.require((1..=300).contains(&timeout_s), "request_timeout", "is not between 1s and 5m");
    }
}

fn is_address(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else { return false };
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
    !host.is_empty() && host.chars().all(is_name) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &KafkaConfig) -> bool {
        let mut check = Check::new();
        config.validate(&mut check);
        !check.is_clean()
    }

    #[test]
    fn a_password_is_not_handed_over_in_clear_and_brokers_have_addresses() {
        let reachable = KafkaConfig { brokers: vec!["kafka-1:9092".to_owned()], ..KafkaConfig::default() };
        assert!(!refused(&reachable));
        assert!(refused(&KafkaConfig::default()), "no brokers");
        for wrong in ["kafka", "kafka:", ":9092", "kafka:0", "ka,fka:9092", "kafka:99999"] {
            assert!(
                refused(&KafkaConfig { brokers: vec![wrong.to_owned()], ..reachable.clone() }),
                "{wrong}"
            );
        }
        let sasl = KafkaSasl {
            mechanism: SaslMechanism::Plain,
            username: "goldentime".to_owned(),
            password: Secret::new("right-and-long"),
        };
        let plain = KafkaConfig { sasl: Some(sasl), ..reachable };
        assert!(refused(&plain));
        assert!(!refused(&KafkaConfig { tls: Some(KafkaTls::default()), ..plain }));
    }
}

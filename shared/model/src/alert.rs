//! What is told to people: an alert, its identity and its labels.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Second, StageTimes, UnixNanos};

/// Label names to values, sorted by name.
pub type Labels = BTreeMap<String, String>;

/// Label and annotation names that Goldentime itself sets.
pub mod label {
    /// Name of the rule.
    pub const ALERTNAME: &str = "alertname";
    /// Project of the service.
    pub const PROJECT: &str = "project";
    /// Environment of the service.
    pub const ENVIRONMENT: &str = "environment";
    /// Service that the rule judged.
    pub const SERVICE: &str = "service";
    /// Endpoint, where the rule judges endpoints.
    pub const ENDPOINT: &str = "endpoint";
    /// HTTP verb or RPC method, where the rule judges endpoints.
    pub const METHOD: &str = "method";
    /// Host, where the rule judges hosts.
    pub const HOST: &str = "host";
    /// Name of the SLO.
    pub const SLO: &str = "slo";
    /// Golden signal: latency, errors, traffic or saturation.
    pub const SIGNAL: &str = "signal";
    /// `page`, `ticket` or whatever the condition says.
    pub const SEVERITY: &str = "severity";
}

/// Whether somebody must get up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth a look in working hours; shown amber.
    Warning,
    /// Somebody must act now; shown red.
    Critical,
}

impl Severity {
    /// The severity that an OpenSLO condition's free text stands for: `page`, `critical` and `P1`
    /// are critical, everything else is a warning.
    #[must_use]
    pub fn from_openslo(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "page" | "critical" | "crit" | "p1" | "high" | "emergency" => Self::Critical,
            _ => Self::Warning,
        }
    }
}

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// The rule is true.
    Firing,
    /// The rule was true and is surely false again.
    Resolved,
}

/// FNV-1a over the sorted labels, as Alertmanager and Prometheus compute it (each name and value
/// followed by the byte 255), so that both sides name the same alert alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The identity of a set of labels.
    #[must_use]
    pub fn of(labels: &Labels) -> Self {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let mut hash = OFFSET;
        let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        for (name, value) in labels {
            name.bytes().for_each(&mut eat);
            eat(255);
            value.bytes().for_each(&mut eat);
            eat(255);
        }
        Self(hash)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// One alert, as it is dispatched, stored in the history and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Identity over the labels; the same whenever the same thing goes wrong again.
    pub fingerprint: Fingerprint,
    /// Identity of this one time: the same (rule, labels, first breaching second) on every central,
    /// so that a failover does not make a second alert.
    pub episode: String,
    /// Firing or resolved.
    pub status: AlertStatus,
    /// How urgent it is.
    pub severity: Severity,
    /// What identifies it.
    pub labels: Labels,
    /// What describes it: summary, description, values, `runbook_url`.
    pub annotations: Labels,
    /// First breaching second.
    pub first_breach: Second,
    /// When the rule was found true.
    pub starts_at: UnixNanos,
    /// When it was found surely false again.
    pub ends_at: Option<UnixNanos>,
    /// The stations that the tipping observation passed.
    pub stages: StageTimes,
}

impl Alert {
    /// The deterministic id of an episode.
    #[must_use]
    pub fn episode_id(rule: &str, fingerprint: Fingerprint, first_breach: Second) -> String {
        let rule = xxhash_rust::xxh64::xxh64(rule.as_bytes(), 0);
        format!("{fingerprint}-{rule:016x}-{}", first_breach.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value computed by Prometheus's `model.LabelSet.Fingerprint` for `{}`: the FNV-1a offset.
    #[test]
    fn the_fingerprint_of_no_labels_is_the_fnv_offset() {
        assert_eq!(Fingerprint::of(&Labels::new()).to_string(), "cbf29ce484222325");
    }

    #[test]
    fn moving_a_byte_between_name_and_value_changes_the_fingerprint() {
        let of = |k: &str, v: &str| Fingerprint::of(&Labels::from([(k.into(), v.into())]));
        assert_ne!(of("ab", "c"), of("a", "bc"));
    }
}

//! Who a record is about: the canonical service id, and the partition that it hashes to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest part of a service id, endpoint or host name in bytes; longer ones are refused where they
/// come in from configuration and cut (and counted) where they come in from data.
pub const NAME_BYTES_MAX: usize = 200;

/// What a part of a service id is called when nothing names it.
pub const DEFAULT_PART: &str = "default";

/// What a service is called when nothing names it. Counted, and shown as a question to answer.
pub const UNKNOWN_SERVICE: &str = "unknown";

/// Prefix of the service under which a host's own saturation is kept: `host:<name>`.
pub const HOST_SERVICE_PREFIX: &str = "host:";

/// Prefix of what stands in a service's place where several are judged together: `slo:<name>` of the SLO.
/// No agent may give such a name to a service.
pub const SLO_SERVICE_PREFIX: &str = "slo:";

/// Canonical service id `project/environment/service`: partition key, Redis hash tag, column set.
///
/// Cheap to clone. No part is empty or holds `/`, `{`, `}` or a control character (braces would end
/// a Redis hash tag).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(Arc<str>);

/// A host's name as its agent gives it.
pub type HostName = Arc<str>;

/// Why a name is no part of a service id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part is empty, or of blanks only: nobody could tell it from an empty one.
    #[error("a name is empty or blank")]
    Empty,
    /// A part is longer than [`NAME_BYTES_MAX`].
    #[error("a name of {0} bytes is longer than the {NAME_BYTES_MAX} allowed")]
    TooLong(usize),
    /// A part holds a character that would break a key.
    #[error("`{}` cannot stand in a name (not allowed: / {{ }} and control characters)", .0.escape_debug())]
    Character(char),
    /// The id is not made of three parts.
    #[error("`{0}` is not of the form project/environment/service")]
    Parts(String),
}

/// Checks one part of a service id.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(name.len()));
    }
    match name.chars().find(|c| matches!(c, '/' | '{' | '}') || c.is_control()) {
        Some(bad) => Err(NameError::Character(bad)),
        None => Ok(()),
    }
}

impl ServiceId {
    /// Builds an id from its parts.
    pub fn new(project: &str, environment: &str, service: &str) -> Result<Self, NameError> {
        for part in [project, environment, service] {
            check_name(part)?;
        }
        Ok(Self(format!("{project}/{environment}/{service}").into()))
    }

    /// The id under which a host's own saturation is kept.
    pub fn of_host(project: &str, environment: &str, host: &str) -> Result<Self, NameError> {
        Self::new(project, environment, &format!("{HOST_SERVICE_PREFIX}{host}"))
    }

    /// The id under which an SLO over several services is judged and shown.
    pub fn of_slo(project: &str, environment: &str, slo: &str) -> Result<Self, NameError> {
        Self::new(project, environment, &format!("{SLO_SERVICE_PREFIX}{slo}"))
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Project, environment and service.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, &str) {
        let mut parts = self.0.splitn(3, '/');
        let mut next = || parts.next().unwrap_or(DEFAULT_PART);
        (next(), next(), next())
    }

    /// The project, the border of what one may see.
    #[must_use]
    pub fn project(&self) -> &str {
        self.parts().0
    }

    /// The environment (`prod`, `staging`).
    #[must_use]
    pub fn environment(&self) -> &str {
        self.parts().1
    }

    /// The service's own name.
    #[must_use]
    pub fn service(&self) -> &str {
        self.parts().2
    }

    /// The host whose saturation this id stands for, if it is one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.service().strip_prefix(HOST_SERVICE_PREFIX)
    }

    /// The SLO over several services that this id stands for, if it is one.
    #[must_use]
    pub fn slo(&self) -> Option<&str> {
        self.service().strip_prefix(SLO_SERVICE_PREFIX)
    }

    /// `xxh64(id) mod partitions`, computed by agent and gateway alike and never by a Kafka client's
    /// partitioner, whose hash we do not own.
    #[must_use]
    pub fn partition(&self, partitions: u32) -> u32 {
        let hash = xxhash_rust::xxh64::xxh64(self.0.as_bytes(), 0);
        u32::try_from(hash % u64::from(partitions.max(1))).expect("a remainder of a u32 fits a u32")
    }
}

impl FromStr for ServiceId {
    type Err = NameError;

    fn from_str(id: &str) -> Result<Self, NameError> {
        let mut parts = id.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(project), Some(environment), Some(service), None) => {
                Self::new(project, environment, service)
            }
            _ => Err(NameError::Parts(id.chars().take(NAME_BYTES_MAX).collect())),
        }
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceId({})", self.0)
    }
}

impl Serialize for ServiceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ServiceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        id.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let id = ServiceId::new("shop", "prod", "order-api").expect("valid");
        assert_eq!(id.to_string(), "shop/prod/order-api");
        assert_eq!(id.to_string().parse::<ServiceId>(), Ok(id.clone()));
        assert_eq!(id.parts(), ("shop", "prod", "order-api"));
    }

    #[test]
    fn a_name_that_would_break_a_redis_hash_tag_is_refused() {
        assert_eq!(ServiceId::new("a", "b", "c}d"), Err(NameError::Character('}')));
        assert_eq!("a/b/c/d".parse::<ServiceId>(), Err(NameError::Parts("a/b/c/d".into())));
        assert_eq!("a//c".parse::<ServiceId>(), Err(NameError::Empty));
    }

    #[test]
    fn a_name_of_blanks_is_no_name() {
        assert_eq!(ServiceId::new("a", "b", "  "), Err(NameError::Empty));
        assert_eq!("a/\u{3000}/c".parse::<ServiceId>(), Err(NameError::Empty));
        assert!(ServiceId::new("a", "b", "order api").is_ok());
    }

    /// Agent, gateway and central must agree for ever: these values are part of the contract.
    #[test]
    fn the_partition_of_a_known_id_never_changes() {
        let id: ServiceId = "shop/prod/order-api".parse().expect("valid");
        assert_eq!(id.partition(1), 0);
        assert_eq!(id.partition(16), id.partition(32) % 16);
        assert_eq!(xxhash_rust::xxh64::xxh64(b"", 0), 0xef46_db37_51d8_e999);
    }

    #[test]
    fn a_hosts_id_names_its_host() {
        let id = ServiceId::of_host("p", "e", "web-1").expect("valid");
        assert_eq!(id.host(), Some("web-1"));
    }
}

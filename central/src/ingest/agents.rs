//! Agents as the uplink sees them.

use std::sync::Arc;

use goldentime_model::identity::HOST_SERVICE_PREFIX;
use goldentime_model::{ServiceId, UnixNanos};
use serde::{Deserialize, Serialize};

use super::flushed::Flushed;

/// An agent came, left or fell silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// It said hello.
    Connected(AgentIdentity),
    /// It stopped on purpose: nothing more is expected of it, and its silence is no alert.
    Left(AgentIdentity),
    /// Nothing was heard for a whole lease.
    LeaseEnded(AgentIdentity),
}

impl AgentEvent {
    /// Whose it is.
    #[must_use]
    pub const fn agent(&self) -> &AgentIdentity {
        match self {
            Self::Connected(agent) | Self::Left(agent) | Self::LeaseEnded(agent) => agent,
        }
    }
}

/// Who an agent is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AgentIdentity {
    /// Id given at enrolment.
    pub agent: Arc<str>,
    /// Project given by its join token.
    pub project: Arc<str>,
    /// Environment from its config.
    pub environment: Arc<str>,
    /// Its host's name.
    pub host: Arc<str>,
}

impl AgentIdentity {
    /// The service under which its host's own metrics stand; none for names that no service has.
    #[must_use]
    pub fn host_service(&self) -> Option<ServiceId> {
        let name = format!("{HOST_SERVICE_PREFIX}{}", self.host);
        ServiceId::new(&self.project, &self.environment, &name).ok()
    }
}

/// What the agents page shows of one agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Who it is.
    #[serde(flatten)]
    pub identity: AgentIdentity,
    /// Version of its program.
    pub version: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// When it was last heard.
    pub last_seen: UnixNanos,
    /// Its clock minus ours, in nanoseconds, as it corrects for it.
    pub clock_offset_ns: i64,
    /// Lines read since its start.
    pub lines_read: u64,
    /// Bytes that wait in its spool.
    pub spool_bytes: u64,
    /// How far behind its newest input it is.
    pub lag_ms: i64,
    /// What it dropped since its start, by reason.
    pub drops: std::collections::BTreeMap<String, u64>,
    /// Records and single log records of it that this central refused since its start: the dead letters
    /// and the metric of drops have their reasons.
    pub refused: u64,
    /// Its streams were seen from two places: a cloned machine or a restored snapshot.
    pub forked: bool,
    /// How many requests it has flushed, and how many of them may be counted twice because its state was put
    /// back to an older copy.
    #[serde(default)]
    pub flushed: Flushed,
}

//! What members say.

use std::sync::Arc;

use goldentime_catalog::{AlertEvent, AlertRecord, Notification, Silence};
use goldentime_model::ServiceId;
use serde::{Deserialize, Serialize};

use crate::evaluate::several::word::Message;
use crate::evaluate::status::RuleStatus;
use crate::ingest::agents::{AgentIdentity, AgentStatus};
use crate::notify::foreign::Posted;
use crate::notify::{ChannelHealth, Delivery};
use crate::roles::Roles;

/// Something that a member says. A kind that a newer version knows and this one does not is passed over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Word {
    /// Who says it.
    pub member: Arc<str>,
    /// What.
    pub said: Said,
}

/// What is said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "of")]
pub enum Said {
    /// An agent connected here.
    Connected(AgentIdentity),
    /// An agent said goodbye here, or was revoked.
    Left(AgentIdentity),
    /// Agents that are connected here, some of them.
    Agents(Vec<AgentStatus>),
    /// Where the rules stand that are judged here, some of the services.
    Statuses(Statuses),
    /// An alert that is judged here changed.
    Alert(Box<AlertRecord>),
    /// Pages that were decided on here, for those who send them.
    Pages(Vec<Notification>),
    /// Pages were delivered here, for those who judge their alerts.
    Delivered(Delivery),
    /// Alerts that others found came in here, for those who decide on them.
    Posted(Vec<Posted>),
    /// Somebody made, changed or ended a silence here.
    Silence(Box<Silence>),
    /// Somebody did something about an alert here.
    Event(Box<AlertEvent>),
    /// What this central does, and how.
    Present(Presence),
    /// From one partition to others, for rules over several services.
    Message(Message),
}

/// What a member does, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Presence {
    /// Its roles.
    pub roles: Roles,
    /// How the channels do over which it sends.
    pub channels: Vec<ChannelHealth>,
}

/// Some of a round of statuses.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statuses {
    /// Rises with each round of this member.
    pub round: u64,
    /// With it, the round has named every service.
    pub is_last: bool,
    /// By service, all of each.
    pub services: Vec<(ServiceId, Vec<RuleStatus>)>,
}

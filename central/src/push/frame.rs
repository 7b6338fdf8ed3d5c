//! The frames of `docs/websocket.md`, field by field. What each means stands there.

#![allow(missing_docs, reason = "docs/websocket.md describes each field; a copy here would drift")]

use std::borrow::Cow;
use std::sync::Arc;

use goldentime_model::indicator::Signal;
use goldentime_model::{AlertStatus, Interval, Labels, ServiceId, Severity};
use serde::{Deserialize, Serialize};

use super::strays::Strays;
use crate::members::roster::Member;
use crate::roles::{Role, Roles};

/// Version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum ClientMessage {
    /// The first and only message.
    Subscribe {
        view: View,
        #[serde(default)]
        resume: Option<Resume>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    Home,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    pub boot: String,
    pub seq: u64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage<'a> {
    Snapshot(Snapshot<'a>),
    Delta(Delta),
    Alert(AlertMessage),
}

#[derive(Debug, Serialize)]
pub struct Snapshot<'a> {
    pub protocol: u32,
    pub boot: &'a str,
    pub seq: u64,
    pub at_ms: f64,
    pub percentile_error: f64,
    pub history_s: usize,
    pub services: Vec<Service>,
    pub services_hidden: usize,
    pub alerts: Vec<AlertView>,
    pub slos: Vec<SloStatus>,
    pub central: CentralStatus,
}

#[derive(Debug, Serialize)]
pub struct Delta {
    pub seq: u64,
    pub at_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Vec<ServiceId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services_hidden: Option<usize>,
    pub services: Vec<ServiceUpdate>,
    pub removed: Vec<ServiceId>,
    pub slos: Vec<SloStatus>,
    pub slos_removed: Vec<String>,
    pub central: CentralStatus,
}

#[derive(Debug, Serialize)]
pub struct AlertMessage {
    pub seq: u64,
    pub at_ms: f64,
    pub alert: AlertView,
}

/// Worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Critical,
    Warning,
    Unknown,
    Pending,
    NoData,
    Ok,
}

#[derive(Clone, Debug, Serialize)]
pub struct Service {
    pub id: ServiceId,
    pub project: String,
    pub environment: String,
    pub service: String,
    pub kind: Kind,
    #[serde(flatten)]
    pub standing: Standing,
    pub now: Option<Point>,
    pub data_age_ms: Option<f64>,
    pub hosts: Vec<Host>,
    pub hosts_total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Service,
    Host,
}

/// What the rules say of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    pub state: State,
    pub since_ms: Option<i64>,
    pub reason: Option<String>,
    pub rules: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    pub s: i64,
    pub traffic: Option<f64>,
    pub errors: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub saturation: Option<f64>,
    #[serde(skip_serializing_if = "Strays::is_empty")]
    pub strays: Strays,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct History {
    pub from_s: i64,
    pub traffic: Vec<Option<f64>>,
    pub errors: Vec<Option<f64>>,
    pub p50_ms: Vec<Option<f64>>,
    pub p95_ms: Vec<Option<f64>>,
    pub p99_ms: Vec<Option<f64>>,
    pub saturation: Vec<Option<f64>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<StraySecond>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct StraySecond {
    pub s: i64,
    #[serde(flatten)]
    pub strays: Strays,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Host {
    pub host: Arc<str>,
    pub traffic: f64,
    pub errors: Option<f64>,
    pub p95_ms: Option<f64>,
    pub saturation: Option<f64>,
    pub saturation_of: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ServiceUpdate {
    Whole(Box<Service>),
    Change(Box<ServiceChange>),
}

#[derive(Debug, Serialize)]
pub struct ServiceChange {
    pub id: ServiceId,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// `Some(None)` says that there is no newest second any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Option<Point>>,
    pub data_age_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<Host>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts_total: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SloStatus {
    pub key: String,
    pub rule: Arc<str>,
    pub slo: Option<Arc<str>>,
    pub service: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    pub endpoint: Option<String>,
    pub method: Option<String>,
    pub host: Option<String>,
    pub signal: Signal,
    pub state: crate::evaluate::status::RuleState,
    pub severity: Severity,
    pub since_ms: i64,
    pub sli: Option<Interval>,
    pub objective: f64,
    pub window_s: u32,
    pub strays: bool,
    pub budget_left: Option<f64>,
    pub watermark_s: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertView {
    pub episode: String,
    pub fingerprint: String,
    pub status: AlertStatus,
    pub severity: Severity,
    pub labels: Labels,
    pub annotations: Labels,
    pub first_breach_s: i64,
    pub starts_at_ms: i64,
    pub ends_at_ms: Option<i64>,
    pub stages: Stages,
    pub occurred_is_coarse: bool,
    pub golden_time_ms: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stages {
    pub occurred_ms: Option<f64>,
    pub flushed_ms: Option<f64>,
    pub received_ms: Option<f64>,
    pub merged_ms: Option<f64>,
    pub evaluated_ms: Option<f64>,
    pub dispatched_ms: Option<f64>,
    pub delivered_ms: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CentralStatus {
    pub version: &'static str,
    pub started_ms: i64,
    pub not_ready: Vec<NotReady>,
    pub roles: Roles,
    pub missing_roles: Vec<MissingRole>,
    pub members: Vec<Member>,
    pub agents: AgentCount,
    pub rules: RuleCount,
    pub channels: Vec<ChannelView>,
    pub stores: Vec<StoreView>,
    pub data_age_ms: Option<f64>,
    pub clients: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotReady {
    pub code: &'static str,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingRole {
    pub role: Role,
    pub detail: &'static str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AgentCount {
    pub connected: usize,
    pub total: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    pub loaded: usize,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelView {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    pub state: &'static str,
    pub queued: u64,
    pub delivered: u64,
    pub failed: u64,
    pub dead_letters: u64,
    pub last_error: Option<String>,
    pub last_delivered_ms: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StoreView {
    pub name: &'static str,
    pub state: &'static str,
    pub behind_records: u64,
    pub behind_s: Option<f64>,
    pub rows: u64,
    pub lost: u64,
    pub failures: u64,
    pub last_error: Option<String>,
    pub bytes: u64,
    pub bytes_max: u64,
    pub series: u64,
    pub oldest_10s_s: Option<i64>,
    pub oldest_1m_s: Option<i64>,
    pub oldest_1h_s: Option<i64>,
    pub lines: u64,
    pub oldest_line_ms: Option<i64>,
}

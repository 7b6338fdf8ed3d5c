//! What the uplink tells of itself.

use std::sync::{Arc, Mutex, PoisonError};

use goldentime_model::UnixNanos;
use serde::{Deserialize, Serialize};

/// Where the link stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPhase {
    /// Nothing was tried yet.
    #[default]
    Starting,
    /// Asking for a certificate with the join token.
    Enrolling,
    /// Trying to connect.
    Connecting,
    /// Welcomed.
    Connected,
    /// Said goodbye.
    Left,
}

/// Where sending to Kafka stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KafkaPhase {
    /// Looking whether the topics are there and how they are cut.
    #[default]
    Looking,
    /// Sending.
    Sending,
    /// Ended.
    Left,
}

/// What `status` shows of Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaStatus {
    /// Where sending stands.
    pub phase: KafkaPhase,
    /// Brokers to begin with.
    pub brokers: Vec<String>,
    /// The topics of what is judged and of log lines.
    pub topics: Vec<String>,
    /// Partitions of each.
    pub partitions: Option<u32>,
    /// Since when it is sent, on the corrected clock.
    pub sending_since: Option<UnixNanos>,
    /// Records given to the brokers and not acknowledged yet.
    pub in_flight: u64,
    /// What keeps records from being sent or acknowledged now, and what to do about it.
    pub trouble: Option<String>,
}

/// What `status` shows of the uplink. What was sent and acknowledged is told of whichever way records
/// go; where they go straight to Kafka, the central's part is that of the control connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UplinkStatus {
    /// Straight to Kafka, where that is configured.
    #[serde(default)]
    pub kafka: Option<KafkaStatus>,
    /// Where the link to the central stands.
    pub phase: LinkPhase,
    /// Address of the central that it is connected to, or tries; empty where the agent works without one.
    pub address: String,
    /// Addresses of all that it may connect to.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// When the present session was welcomed, on the corrected clock.
    pub connected_since: Option<UnixNanos>,
    /// Sessions welcomed since the start.
    pub sessions: u64,
    /// Round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Central's clock minus this machine's, in milliseconds; `None` before the first measurement.
    pub clock_offset_ms: Option<f64>,
    /// When the last acknowledgement came, on the corrected clock.
    pub last_acknowledged_at: Option<UnixNanos>,
    /// Records acknowledged since the start.
    pub acknowledged: u64,
    /// Records sent since the start, repeats included.
    pub sent: u64,
    /// Times that another agent was found to use our streams.
    pub forks: u64,
    /// Why the last attempt or session with the central ended.
    pub last_failure: Option<String>,
}

/// Shared between the uplink and `status`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct UplinkState(Arc<Mutex<UplinkStatus>>);

impl UplinkState {
    /// How things stand.
    #[must_use]
    pub fn get(&self) -> UplinkStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut UplinkStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn set_phase(&self, phase: LinkPhase) {
        self.update(|status| status.phase = phase);
        metrics::gauge!("goldentime_agent_connected").set(if phase == LinkPhase::Connected {
            1.0
        } else {
            0.0
        });
    }

    /// Changes what is told of Kafka, where there is something.
    pub(super) fn update_kafka(&self, change: impl FnOnce(&mut KafkaStatus)) {
        self.update(|status| change(status.kafka.get_or_insert_default()));
    }

    pub(super) fn note_failure(&self, error: &dyn std::error::Error) {
        let text = chain(error);
        self.update(|status| status.last_failure = Some(text));
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

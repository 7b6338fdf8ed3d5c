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

/// What `status` shows of the uplink.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UplinkStatus {
    /// Where the link stands.
    pub phase: LinkPhase,
    /// Address of the central that it is connected to, or tries.
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
    /// Why the last attempt or session ended.
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

    pub(super) fn note_failure(&self, error: &dyn std::error::Error) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        self.update(|status| status.last_failure = Some(text));
    }
}

//! What the StatsD input says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::line::Kind;
use super::malformed::Malformed;

/// Bytes of a malformed line that are kept to show.
pub(super) const FIRST_BYTES: usize = 200;

/// What became of the datagrams so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// Datagrams taken.
    pub packets: u64,
    /// Bytes taken.
    pub bytes: u64,
    /// Values taken, by type: each of a packed line counts.
    pub metrics: BTreeMap<String, u64>,
    /// Values counted as requests, the sample rate counted in.
    pub requests: u64,
    /// Values that went to sample series.
    pub sampled: u64,
    /// Values that a rule ignores.
    pub ignored: u64,
    /// Events, which became log records.
    pub events: u64,
    /// Service checks, which became gauges.
    pub service_checks: u64,
    /// Lines that say nothing, by reason.
    pub malformed: BTreeMap<String, Unread>,
    /// Datagrams longer than `packet_bytes_max`.
    pub cut_packets: u64,
    /// Metrics remembered by name and tags.
    pub contexts: usize,
    /// Sample series open.
    pub series: usize,
}

/// One socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `udp 127.0.0.1:8125` or `unix /run/…`.
    pub address: String,
    /// Room that the kernel gave it, in bytes.
    pub buffer_bytes: u64,
    /// Datagrams that the kernel dropped because there was no room.
    pub kernel_drops: u64,
}

/// Lines that say nothing for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// How many.
    pub lines: u64,
    /// The first of them.
    pub first: String,
}

impl Status {
    /// Values taken, of all types.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.metrics.values().sum()
    }

    /// Datagrams that the kernel dropped on all sockets.
    #[must_use]
    pub fn kernel_drops(&self) -> u64 {
        self.listeners.iter().map(|listener| listener.kernel_drops).sum()
    }
}

/// Counts as the thread keeps them: no names, no maps.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) metrics: [u64; Kind::ALL.len()],
    pub(super) requests: u64,
    pub(super) sampled: u64,
    pub(super) ignored: u64,
    pub(super) events: u64,
    pub(super) service_checks: u64,
    pub(super) cut_packets: u64,
    pub(super) malformed: [u64; Malformed::ALL.len()],
    pub(super) first: [Option<String>; Malformed::ALL.len()],
}

impl Tally {
    /// As it is shown; what does not stand in a tally is left as it is in `status`.
    pub(super) fn publish(&self, status: &mut Status) {
        status.packets = self.packets;
        status.bytes = self.bytes;
        let metrics = Kind::ALL.iter().zip(self.metrics).filter(|(_, n)| *n > 0);
        status.metrics = metrics.map(|(kind, n)| (kind.as_str().to_owned(), n)).collect();
        (status.requests, status.sampled, status.ignored) = (self.requests, self.sampled, self.ignored);
        (status.events, status.service_checks) = (self.events, self.service_checks);
        status.cut_packets = self.cut_packets;
        let malformed = Malformed::ALL.iter().enumerate().filter(|(at, _)| self.malformed[*at] > 0);
        status.malformed = malformed
            .map(|(at, reason)| {
                let first = self.first[at].clone().unwrap_or_default();
                (reason.as_str().to_owned(), Unread { lines: self.malformed[at], first })
            })
            .collect();
    }
}

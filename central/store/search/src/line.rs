//! A log line as it is kept.

use std::fmt;
use std::str::FromStr;

use goldentime_model::identity::HostName;
use goldentime_model::{LogRecord, ServiceId};

/// Where a line comes from: its record in the ingest log, and its place in it. A line that is stored a
/// second time under its identity replaces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The producer's stream.
    pub stream: [u8; 16],
    /// Partition of the ingest log.
    pub partition: u32,
    /// Number of the record within (stream, partition).
    pub number: u64,
    /// Place within the record, from 0.
    pub index: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.stream {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{}-{}-{}", self.partition, self.number, self.index)
    }
}

/// A line that is to be kept.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLine {
    /// Where it comes from.
    pub identity: Identity,
    /// Whose it is.
    pub service: ServiceId,
    /// The host that wrote it.
    pub host: HostName,
    /// What it says.
    pub record: LogRecord,
}

/// A line that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// How to ask for it again.
    pub id: LineId,
    /// Where it comes from.
    pub identity: Identity,
    /// Whose it is.
    pub service: ServiceId,
    /// The host that wrote it.
    pub host: HostName,
    /// What it says.
    pub record: LogRecord,
}

impl Line {
    /// What it takes in memory, about, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let attributes = self.record.attributes.iter().map(|(key, value)| key.len() + value.len() + 64);
        256 + self.record.message.len() + attributes.sum::<usize>()
    }
}

/// A line's place in the order of a store: by time, and among equals in the order of arrival. Valid for
/// as long as the line is kept; its text is the store's own matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId {
    /// When it happened, nanoseconds since the epoch.
    pub at: i64,
    /// The store's own order among lines of the same instant, the more significant part first.
    pub place: [u32; 3],
}

impl LineId {
    /// Before every line of this instant.
    #[must_use]
    pub const fn first_at(at: i64) -> Self {
        Self { at, place: [0; 3] }
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.place;
        write!(f, "{}.{a}.{b}.{c}", self.at)
    }
}

/// A text that is no id of a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no id of a line; take `id` or `next` of an earlier answer as it is")]
pub struct BadLineId(String);

impl FromStr for LineId {
    type Err = BadLineId;

    fn from_str(written: &str) -> Result<Self, BadLineId> {
        let read = || {
            let mut parts = written.split('.');
            let at = parts.next()?.parse().ok()?;
            let mut place = [0; 3];
            for part in &mut place {
                *part = parts.next()?.parse().ok()?;
            }
            parts.next().is_none().then_some(Self { at, place })
        };
        read().ok_or_else(|| BadLineId(written.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written_and_anything_else_refused() {
        let id = LineId { at: 1_700_000_000_000_000_001, place: [7, 0, 63] };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "1", "1.2.3", "1.2.3.4.5", "x.1.2.3", "1.2.3.-4"] {
            assert!(bad.parse::<LineId>().is_err(), "{bad}");
        }
    }
}

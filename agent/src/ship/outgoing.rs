//! A record on its way to the central: its identity, and its content in encoded form.

use std::fmt;

use bytes::Bytes;
use goldentime_wire::{RECORD_VERSION, proto};
use prost::Message;

/// Random id of a stream: opened at every start of the agent, once for each kind of record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub [u8; Self::BYTES]);

impl StreamId {
    /// Length of an id in bytes.
    pub const BYTES: usize = 16;

    /// A new id from the operating system's random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut id = [0; Self::BYTES];
        getrandom::fill(&mut id)?;
        Ok(Self(id))
    }

    /// The id in `bytes`, if they are as many as an id has.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}

/// What a record holds. Each kind has a stream of its own, so that numbers stay dense although the
/// kinds travel at their own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Sketches and counts of requests, and how far the agent has come.
    Deltas,
    /// Samples of saturation and custom metrics.
    Samples,
    /// Log lines.
    Logs,
}

impl RecordKind {
    /// All kinds, in the order in which they are stored.
    pub const ALL: [Self; 3] = [Self::Deltas, Self::Samples, Self::Logs];

    /// Number under which the kind is stored.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Deltas => 0,
            Self::Samples => 1,
            Self::Logs => 2,
        }
    }

    /// The kind stored under `code`.
    #[must_use]
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Deltas),
            1 => Some(Self::Samples),
            2 => Some(Self::Logs),
            _ => None,
        }
    }

    /// Name in metrics and on the status page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deltas => "deltas",
            Self::Samples => "samples",
            Self::Logs => "logs",
        }
    }
}

/// A record that is committed to the spool and not yet acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Stream under which it was flushed.
    pub stream: StreamId,
    /// What it holds.
    pub kind: RecordKind,
    /// Partition of its service.
    pub partition: u32,
    /// Number within (stream, partition), from 1.
    pub number: u64,
    /// An encoded `proto::Record` without the fields above.
    pub body: Bytes,
}

impl Outgoing {
    /// The whole encoded `proto::Record`.
    ///
    /// Protobuf reads two messages written one after the other as their union, so that the identity
    /// is put before the body without decoding it. That is what lets a forked stream be renamed
    /// without touching its content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let identity = proto::Record {
            version: RECORD_VERSION,
            stream: Bytes::copy_from_slice(&self.stream.0),
            partition: self.partition,
            number: self.number,
            ..proto::Record::default()
        };
        let mut bytes = Vec::with_capacity(identity.encoded_len() + self.body.len());
        identity.encode_raw(&mut bytes);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_body_written_one_after_the_other_are_one_record() {
        let body = proto::Record {
            service: "p/e/s".into(),
            progress_ms: 7,
            body: Some(proto::record::Body::Deltas(proto::Deltas {
                series: vec![proto::SeriesDelta { endpoint: "/".into(), ..Default::default() }],
            })),
            ..Default::default()
        };
        let outgoing = Outgoing {
            stream: StreamId([3; 16]),
            kind: RecordKind::Deltas,
            partition: 2,
            number: 9,
            body: body.encode_to_vec().into(),
        };
        let whole = proto::Record::decode(outgoing.encode().as_slice()).expect("decodes");
        let expected = proto::Record {
            version: RECORD_VERSION,
            stream: vec![3; 16].into(),
            partition: 2,
            number: 9,
            ..body
        };
        assert_eq!(whole, expected);
    }
}

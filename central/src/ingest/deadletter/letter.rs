//! A dead letter as it is kept.

use std::fmt;

use bytes::Bytes;
use goldentime_log::kafka::LetterKind;
use goldentime_model::UnixNanos;
use serde::{Serialize, Serializer};

/// What a letter is called. Its text is the store's own matter: a number in its table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct LetterId(pub String);

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A record, as an agent sent it: protobuf.
    Record,
    /// A log line, which the log has and the log store would not take: JSON.
    Line,
    /// A record of the raw topic, as whoever produced it wrote it.
    Raw,
}

impl Kind {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Line => "line",
            Self::Raw => "raw",
        }
    }

    /// Of what is written. What is not known is a record: no earlier version wrote anything else.
    pub(super) fn read(text: &str) -> Self {
        match text {
            "line" => Self::Line,
            "raw" => Self::Raw,
            _ => Self::Record,
        }
    }
}

impl From<Kind> for LetterKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Record => Self::Record,
            Kind::Line => Self::Line,
            Kind::Raw => Self::Raw,
        }
    }
}

/// What there is to say of a letter without what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// What it is called.
    pub id: LetterId,
    /// When it was refused first.
    #[serde(rename = "at_ms", serialize_with = "as_millis")]
    pub at: UnixNanos,
    /// When it was refused last.
    #[serde(rename = "last_at_ms", serialize_with = "as_millis")]
    pub last_at: UnixNanos,
    /// The agent that sent it; empty where none did.
    pub agent: String,
    /// The host that it came from, as far as it was said.
    pub host: String,
    /// The service that it names, as far as it could be read.
    pub service: String,
    /// Partition and offset of the raw topic where it came from; empty for what came otherwise.
    pub source: String,
    /// What it is.
    pub kind: Kind,
    /// Stable reason.
    pub reason: String,
    /// What exactly.
    pub detail: String,
    /// Bytes of what was refused.
    pub bytes: u64,
    /// How often the very same came.
    pub times: u64,
    /// When it was given back to where it would have gone, if it was.
    #[serde(rename = "replayed_at_ms", serialize_with = "as_millis_if_any")]
    pub replayed_at: Option<UnixNanos>,
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What there is to say of it.
    pub head: Head,
    /// The agent's project when it was refused; empty where that is not known.
    pub project: String,
    /// What was refused.
    pub record: Bytes,
    /// Its key in the raw topic; empty where it had none.
    pub key: Bytes,
    /// Its line was shipped when it was refused.
    pub is_shipped: bool,
    /// Only its beginning was kept.
    pub is_cut: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_millis<S: Serializer>(at: &UnixNanos, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(at.as_millis())
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn as_millis_if_any<S: Serializer>(at: &Option<UnixNanos>, to: S) -> Result<S::Ok, S::Error> {
    at.map(UnixNanos::as_millis).serialize(to)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A letter of the agent `a1`.
    pub(in crate::ingest::deadletter) fn letter(kind: Kind, record: &[u8]) -> Letter {
        let head = Head {
            id: LetterId("1".into()),
            at: UnixNanos(0),
            last_at: UnixNanos(0),
            agent: "a1".into(),
            host: "web-1".into(),
            service: String::new(),
            source: String::new(),
            kind,
            reason: "partition".into(),
            detail: String::new(),
            bytes: record.len() as u64,
            times: 1,
            replayed_at: None,
        };
        Letter {
            head,
            project: "shop".into(),
            record: Bytes::copy_from_slice(record),
            key: Bytes::new(),
            is_shipped: false,
            is_cut: false,
        }
    }
}

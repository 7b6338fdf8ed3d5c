//! A record that has its place in the ingest log.

use goldentime_log::Entry;
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_wire::record::StreamId;
use goldentime_wire::{frame, proto, record};

/// A valid record with its place in the log, as the merge reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// Place within the partition, from 1, without gaps.
    pub offset: u64,
    /// When the log took it; never decreasing within a partition as the merge sees it.
    pub append_time: UnixNanos,
    /// When the uplink read it; `None` when it was read back from the log.
    pub received: Option<UnixNanos>,
    /// The service, checked; `None` in a bare progress record.
    pub service: Option<ServiceId>,
    /// The record, checked.
    pub record: proto::Record,
}

impl Logged {
    /// What the log gave back, with its stream. What was checked before it was logged can only be
    /// invalid if the disk changed it; then there is none.
    #[must_use]
    pub fn read_back(entry: Entry) -> Option<(Self, StreamId)> {
        let Entry { offset, append_time, record, .. } = entry;
        let record = frame::decode::<proto::Record>(record).ok()?;
        let stream = record::stream_id(&record).ok()?;
        let service = if record.service.is_empty() { None } else { Some(record.service.parse().ok()?) };
        Some((Self { offset, append_time, received: None, service, record }, stream))
    }
}

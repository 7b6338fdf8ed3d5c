//! A record that has its place in the ingest log.

use goldentime_model::{ServiceId, UnixNanos};
use goldentime_wire::proto;

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

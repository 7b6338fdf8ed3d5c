//! What every ingest log must do: [`reading`] holds every log to [`ReadLog`](crate::ReadLog),
//! [`placing`] those that are told their offsets to [`IngestLog`](crate::IngestLog).

pub mod placing;
pub mod reading;

use bytes::Bytes;
use goldentime_model::UnixNanos;

use crate::store::Entry;

/// An entry for tests: its bytes name its place.
#[must_use]
pub fn entry(partition: u32, offset: u64) -> Entry {
    let append_time = UnixNanos::from_millis(1_800_000_000_000 + i64::try_from(offset).unwrap_or(0));
    Entry { partition, offset, append_time, record: Bytes::from(format!("{partition}/{offset}")) }
}

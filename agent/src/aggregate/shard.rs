//! What one input has read since the last flush, and how far it has read.

use goldentime_model::{Outcome, ServiceId, UnixNanos};
use goldentime_model::{LogRecord, Sample};

/// A series of this shard, interned: valid until the next [`Shard::drain`] says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesRef(pub u32);

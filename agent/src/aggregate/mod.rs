//! One-second buckets. A [`Shard`](shard::Shard) belongs to one input and holds what it has read since the last flush
//! **together with the read positions up to which it has read**, under one lock, so that the flusher
//! always takes both or neither.

pub mod shard;

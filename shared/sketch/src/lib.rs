//! A mergeable latency sketch: base-2 exponential histogram, scale 6, values in seconds.
//!
//! Bucket `i` counts durations in `(2^(i/64), 2^((i+1)/64)]` seconds. It is OpenTelemetry's exponential
//! histogram at scale 6, Prometheus's native histogram of schema 6 (index + 1) and a Datadog sketch
//! with γ = 2^(1/64), so nothing is lost on the way in or out. The scale never changes with load.
//!
//! - **Error.** A quantile is off by at most [`RELATIVE_ERROR_MAX`] (0.5415%) of itself.
//! - **Merging** is exact, commutative and associative: it equals inserting everything into one.
//! - **Zero**, and positive values of 2^−1022 and less, are counted in a bucket of their own.
//!   **Negative and non-finite** values are refused, and the caller is told so.
//! - **Bound.** Buckets span at most [`BUCKETS_MAX`] indexes (32 octaves: a microsecond to an hour).
//!   What lies further below the highest bucket collapses into the lowest one, in whatever order it
//!   came; upper quantiles keep their error. A sketch takes at most 16 KiB.
//! - **Counts** have 64 bits and saturate.
//!
//! In the order in which a value meets them: its place ([`index`]), the sketch ([`Sketch`]) with its
//! buckets as a sorted list or as a block of counters, the questions ([`CountBounds`]), and the
//! encodings ([`encode`]), whose layouts are documented there byte by byte.

mod buckets;
mod dense;
pub mod encode;
pub mod index;
mod quantile;
mod sketch;
mod slots;
mod sparse;

pub use buckets::BucketIter;
pub use encode::{DecodeError, skip_state};
pub use index::RELATIVE_ERROR_MAX;
pub use quantile::CountBounds;
pub use sketch::Sketch;

/// Most indexes that the buckets of one sketch span.
pub const BUCKETS_MAX: usize = 2048;

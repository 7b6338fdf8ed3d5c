//! How much one record may hold. Producers cut what is more into further records; readers refuse it.

/// Series of one service in one record.
pub const SERIES_MAX: usize = 4096;
/// Buckets over all series of a record.
pub const BUCKETS_MAX: usize = 32 * 1024;
/// Requests that one series may count in one second: far above any service, far below where sums of
/// many overflow.
pub const BUCKET_REQUESTS_MAX: u64 = 1 << 40;
/// Samples in one record.
pub const SAMPLES_MAX: usize = 4096;
/// Labels of one sample.
pub const LABELS_MAX: usize = 32;
/// Log records in one record.
pub const LOG_RECORDS_MAX: usize = 4096;
/// Bytes of a log message.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Attributes of one log record.
pub const ATTRIBUTES_MAX: usize = 64;
/// Bytes of one attribute's value.
pub const ATTRIBUTE_BYTES_MAX: usize = 8 * 1024;

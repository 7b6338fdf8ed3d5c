//! What makes a record valid. Whatever passes [`check`] can be merged without a further look.

use goldentime_model::ServiceId;
use goldentime_model::identity::{NAME_BYTES_MAX, check_name};
use goldentime_sketch::Sketch;

use crate::proto::{self, record::Body};
use crate::{RECORD_VERSION, limits};

/// Bytes of a stream's id.
pub const STREAM_BYTES: usize = 16;

/// Random id of a stream.
pub type StreamId = [u8; STREAM_BYTES];

/// Seconds since the epoch that still have nanoseconds in an `i64` (the year 2262).
const SECOND_MAX: i64 = i64::MAX / goldentime_model::time::NANOS_PER_SECOND - 1;

/// Why a record is refused. The codes are stable: dead letters and metrics carry them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Not of a version that this build reads.
    Version,
    /// The stream's id has not [`STREAM_BYTES`] bytes.
    Stream,
    /// Numbers count from 1.
    Number,
    /// The partition is not the one that the service hashes to, or there is no such partition.
    Partition,
    /// The service is no canonical id, or a record with a body has none.
    Service,
    /// Host, agent, endpoint, metric or label is empty; one of them, method or unit is blank, too long or
    /// has control characters.
    Name,
    /// A time or second lies outside of what can be represented.
    Time,
    /// More series, buckets, samples, log records or labels than one record may have.
    TooMany,
    /// A text is longer than allowed.
    TooLong,
    /// The sketch cannot be decoded.
    Sketch,
    /// The sketch holds more durations than requests were counted, or the counts overflow.
    Counts,
    /// A value is not finite.
    Value,
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Stream => "stream",
            Self::Number => "number",
            Self::Partition => "partition",
            Self::Service => "service",
            Self::Name => "name",
            Self::Time => "time",
            Self::TooMany => "too_many",
            Self::TooLong => "too_long",
            Self::Sketch => "sketch",
            Self::Counts => "counts",
            Self::Value => "value",
        }
    }
}

/// A record that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.as_str())]
pub struct Invalid {
    /// Stable reason.
    pub reason: Reason,
    /// What exactly, for the dead letter.
    pub detail: String,
}

fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { reason, detail: detail.into() })
}

/// Checks a record against the contract with `partitions` partitions, and gives its service (`None`
/// for a bare progress record).
pub fn check(record: &proto::Record, partitions: u32) -> Result<Option<ServiceId>, Invalid> {
    if record.version != RECORD_VERSION {
        return refuse(
            Reason::Version,
            format!(
                "version {} is not {RECORD_VERSION}; upgrade the central first, then agents",
                record.version
            ),
        );
    }
    stream_id(record)?;
    if record.number == 0 {
        return refuse(Reason::Number, "numbers count from 1");
    }
    if record.partition >= partitions {
        return refuse(Reason::Partition, format!("partition {} of {partitions}", record.partition));
    }
    identity("host", &record.host)?;
    identity("agent", &record.agent)?;
    let millis_max = SECOND_MAX * 1000;
    if !(0..=millis_max).contains(&record.progress_ms) {
        return refuse(Reason::Time, format!("progress_ms {}", record.progress_ms));
    }
    if let Some(stamps) = &record.stamps
        && (stamps.occurred_ns < 0 || stamps.flushed_ns < 0)
    {
        return refuse(Reason::Time, "a stamp before the epoch");
    }
    let service = service(record, partitions)?;
    match &record.body {
        Some(Body::Deltas(deltas)) => check_deltas(deltas)?,
        Some(Body::Samples(samples)) => check_samples(samples)?,
        Some(Body::Logs(logs)) => check_logs(logs)?,
        None => {}
    }
    Ok(service)
}

/// Takes out of a record of logs each log record that is not valid, with why, so that one bad line costs
/// none of its neighbours. Only log records: a part of a second's counts would be a wrong count.
pub fn sift(record: &mut proto::Record) -> Vec<(proto::LogRecord, Invalid)> {
    let Some(Body::Logs(logs)) = &mut record.body else { return Vec::new() };
    let mut bad = Vec::new();
    let valid = |log: &mut proto::LogRecord| match check_log(log) {
        Ok(()) => true,
        Err(invalid) => {
            bad.push((std::mem::take(log), invalid));
            false
        }
    };
    // Far more than a record may hold are refused with it, whole.
    if logs.records.len() <= limits::LOG_RECORDS_MAX {
        logs.records.retain_mut(valid);
    }
    bad
}

/// The id of a record's stream.
pub fn stream_id(record: &proto::Record) -> Result<StreamId, Invalid> {
    StreamId::try_from(record.stream.as_ref()).or_else(|_| {
        refuse(
            Reason::Stream,
            format!("a stream id of {} bytes is not of {STREAM_BYTES}", record.stream.len()),
        )
    })
}

fn service(record: &proto::Record, partitions: u32) -> Result<Option<ServiceId>, Invalid> {
    if record.service.is_empty() {
        return match record.body {
            None => Ok(None),
            Some(_) => refuse(Reason::Service, "a record with a body names its service"),
        };
    }
    let service: ServiceId = match record.service.parse() {
        Ok(service) => service,
        Err(error) => return refuse(Reason::Service, format!("{error}")),
    };
    if service.slo().is_some() {
        return refuse(
            Reason::Service,
            format!("{service} would stand for an SLO; give it a name without `slo:`"),
        );
    }
    let expected = service.partition(partitions);
    if expected != record.partition {
        return refuse(
            Reason::Partition,
            format!("{service} belongs to partition {expected} of {partitions}, not {}", record.partition),
        );
    }
    Ok(Some(service))
}

fn check_deltas(deltas: &proto::Deltas) -> Result<(), Invalid> {
    at_most("series", deltas.series.len(), limits::SERIES_MAX)?;
    let buckets = deltas.series.iter().map(|series| series.buckets.len()).sum();
    at_most("buckets", buckets, limits::BUCKETS_MAX)?;
    for series in &deltas.series {
        name("endpoint", &series.endpoint)?;
        name_if_any("method", &series.method)?;
        series.buckets.iter().try_for_each(check_bucket)?;
    }
    Ok(())
}

fn check_bucket(bucket: &proto::Bucket) -> Result<(), Invalid> {
    if !(0..=SECOND_MAX).contains(&bucket.second) {
        return refuse(Reason::Time, format!("second {}", bucket.second));
    }
    let total = [bucket.ok, bucket.client_error, bucket.server_error, bucket.timeout]
        .into_iter()
        .try_fold(0_u64, u64::checked_add)
        .filter(|total| *total <= limits::BUCKET_REQUESTS_MAX);
    let Some(total) = total else {
        return refuse(Reason::Counts, "more requests in a second than can be");
    };
    if bucket.sketch.is_empty() {
        return Ok(());
    }
    let sketch = match Sketch::decode_wire(&bucket.sketch) {
        Ok(sketch) => sketch,
        Err(error) => return refuse(Reason::Sketch, format!("{error}")),
    };
    if sketch.count() > total {
        return refuse(Reason::Counts, format!("{} durations of {total} requests", sketch.count()));
    }
    Ok(())
}

fn check_samples(samples: &proto::Samples) -> Result<(), Invalid> {
    at_most("samples", samples.samples.len(), limits::SAMPLES_MAX)?;
    for sample in &samples.samples {
        name("metric", &sample.name)?;
        name_if_any("unit", &sample.unit)?;
        at_most("labels", sample.labels.len(), limits::LABELS_MAX)?;
        for (label, value) in &sample.labels {
            name("label", label)?;
            text("label value", value, NAME_BYTES_MAX)?;
        }
        if !sample.value.is_finite() {
            return refuse(Reason::Value, format!("{} is {}", sample.name, sample.value));
        }
        if sample.at_ns < 0 {
            return refuse(Reason::Time, "a sample before the epoch");
        }
    }
    Ok(())
}

fn check_logs(logs: &proto::Logs) -> Result<(), Invalid> {
    at_most("log records", logs.records.len(), limits::LOG_RECORDS_MAX)?;
    logs.records.iter().try_for_each(check_log)
}

fn check_log(log: &proto::LogRecord) -> Result<(), Invalid> {
    if log.at_ns < 0 {
        return refuse(Reason::Time, "a log record before the epoch");
    }
    at_most("attributes", log.attributes.len(), limits::ATTRIBUTES_MAX)?;
    no_longer("message", &log.message, limits::MESSAGE_BYTES_MAX)?;
    for (what, value) in [("level", &log.level), ("trace id", &log.trace_id), ("span id", &log.span_id)] {
        text(what, value, NAME_BYTES_MAX)?;
    }
    for (key, value) in &log.attributes {
        no_longer("attribute name", key, NAME_BYTES_MAX)?;
        no_longer("attribute", value, limits::ATTRIBUTE_BYTES_MAX)?;
    }
    Ok(())
}

/// A name that may become part of a service id or a key.
fn identity(what: &str, value: &str) -> Result<(), Invalid> {
    check_name(value).or_else(|error| refuse(Reason::Name, format!("{what}: {error}")))
}

/// A name that has to be there and may hold what routes and metric names hold.
fn name(what: &str, value: &str) -> Result<(), Invalid> {
    if value.trim().is_empty() {
        let how = if value.is_empty() { "empty" } else { "blank" };
        return refuse(Reason::Name, format!("{what} is {how}"));
    }
    text(what, value, NAME_BYTES_MAX)
}

/// A name that may be missing, but not blank.
fn name_if_any(what: &str, value: &str) -> Result<(), Invalid> {
    if value.is_empty() { Ok(()) } else { name(what, value) }
}

/// A text of one line that may be empty.
fn text(what: &str, value: &str, bytes_max: usize) -> Result<(), Invalid> {
    if value.len() > bytes_max {
        return refuse(Reason::Name, format!("{what} of {} bytes, {bytes_max} allowed", value.len()));
    }
    if value.chars().any(char::is_control) {
        return refuse(Reason::Name, format!("{what} holds a control character"));
    }
    Ok(())
}

/// Free text.
fn no_longer(what: &str, value: &str, bytes_max: usize) -> Result<(), Invalid> {
    if value.len() > bytes_max {
        return refuse(Reason::TooLong, format!("{what} of {} bytes, {bytes_max} allowed", value.len()));
    }
    Ok(())
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Invalid> {
    if count > max {
        return refuse(Reason::TooMany, format!("{count} {what} in one record, {max} allowed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITIONS: u32 = 4;

    fn record() -> proto::Record {
        let service = ServiceId::new("shop", "prod", "order-api").expect("valid");
        let bucket = proto::Bucket { second: 1_700_000_000, ok: 3, ..Default::default() };
        let series = proto::SeriesDelta {
            endpoint: "/orders/{id}".into(),
            method: "GET".into(),
            buckets: vec![bucket],
        };
        proto::Record {
            version: RECORD_VERSION,
            stream: vec![7; STREAM_BYTES].into(),
            partition: service.partition(PARTITIONS),
            number: 1,
            service: service.to_string(),
            host: "web-1".into(),
            agent: "a1".into(),
            body: Some(Body::Deltas(proto::Deltas { series: vec![series] })),
            ..Default::default()
        }
    }

    fn bucket(record: &mut proto::Record) -> &mut proto::Bucket {
        match &mut record.body {
            Some(Body::Deltas(deltas)) => &mut deltas.series[0].buckets[0],
            _ => panic!("the record has deltas"),
        }
    }

    fn series(record: &mut proto::Record) -> &mut proto::SeriesDelta {
        match &mut record.body {
            Some(Body::Deltas(deltas)) => &mut deltas.series[0],
            _ => panic!("the record has deltas"),
        }
    }

    fn reason(change: impl FnOnce(&mut proto::Record)) -> Option<Reason> {
        let mut record = record();
        change(&mut record);
        check(&record, PARTITIONS).err().map(|invalid| invalid.reason)
    }

    #[test]
    fn a_record_as_agents_make_it_is_valid() {
        let service = check(&record(), PARTITIONS).expect("valid").expect("named");
        assert_eq!(service.service(), "order-api");
    }

    #[test]
    fn bare_progress_needs_no_service() {
        let bare = proto::Record { service: String::new(), body: None, ..record() };
        assert_eq!(check(&bare, PARTITIONS), Ok(None));
        assert_eq!(reason(|record| record.service.clear()), Some(Reason::Service));
    }

    #[test]
    fn each_broken_part_is_refused_with_its_own_reason() {
        assert_eq!(reason(|record| record.version = 2), Some(Reason::Version));
        assert_eq!(reason(|record| record.stream = vec![1; 15].into()), Some(Reason::Stream));
        assert_eq!(reason(|record| record.number = 0), Some(Reason::Number));
        assert_eq!(reason(|record| record.partition = PARTITIONS), Some(Reason::Partition));
        assert_eq!(
            reason(|record| record.partition = (record.partition + 1) % PARTITIONS),
            Some(Reason::Partition)
        );
        assert_eq!(reason(|record| record.service = "order-api".into()), Some(Reason::Service));
        assert_eq!(reason(|record| record.host = "a{b".into()), Some(Reason::Name));
        assert_eq!(reason(|record| record.agent.clear()), Some(Reason::Name));
        assert_eq!(reason(|record| record.progress_ms = -1), Some(Reason::Time));
        assert_eq!(reason(|record| bucket(record).second = i64::MAX), Some(Reason::Time));
        assert_eq!(reason(|record| bucket(record).timeout = u64::MAX), Some(Reason::Counts));
        assert_eq!(reason(|record| bucket(record).sketch = vec![0xff; 9].into()), Some(Reason::Sketch));
    }

    #[test]
    fn a_name_that_nobody_could_read_is_refused() {
        let of_service = |record: &mut proto::Record, name: &str| {
            record.service = format!("shop/prod/{name}");
        };
        for name in ["", " ", "\u{3000}\u{a0}", "a\u{7}b", "\u{85}", "a\u{7f}"] {
            let refused = Some(Reason::Name);
            assert_eq!(reason(|record| of_service(record, name)), Some(Reason::Service), "{name:?}");
            assert_eq!(reason(|record| record.host = name.into()), refused, "host {name:?}");
            assert_eq!(reason(|record| record.agent = name.into()), refused, "agent {name:?}");
            assert_eq!(reason(|record| series(record).endpoint = name.into()), refused, "endpoint {name:?}");
            let method = if name.is_empty() { None } else { refused };
            assert_eq!(reason(|record| series(record).method = name.into()), method, "method {name:?}");
            let sample = |sample| Some(Body::Samples(proto::Samples { samples: vec![sample] }));
            let metric = proto::Sample { name: name.into(), ..Default::default() };
            assert_eq!(reason(|record| record.body = sample(metric)), refused, "metric {name:?}");
            let labels = [(name.to_owned(), "x".to_owned())].into_iter().collect();
            let label = proto::Sample { name: "queue".into(), labels, ..Default::default() };
            assert_eq!(reason(|record| record.body = sample(label)), refused, "label {name:?}");
        }
    }

    #[test]
    fn a_sketch_of_more_durations_than_requests_is_refused() {
        let mut sketch = Sketch::new();
        sketch.insert_n(0.2, 4);
        let mut bytes = Vec::new();
        sketch.encode_wire(&mut bytes);
        assert_eq!(reason(|record| bucket(record).sketch = bytes.clone().into()), Some(Reason::Counts));
        assert_eq!(
            reason(|record| {
                bucket(record).ok = 4;
                bucket(record).sketch = bytes.clone().into();
            }),
            None
        );
    }

    #[test]
    fn more_buckets_than_a_record_may_hold_are_refused() {
        let many = |record: &mut proto::Record| {
            let one = bucket(record).clone();
            if let Some(Body::Deltas(deltas)) = &mut record.body {
                deltas.series[0].buckets = vec![one; limits::BUCKETS_MAX + 1];
            }
        };
        assert_eq!(reason(many), Some(Reason::TooMany));
    }

    #[test]
    fn a_sample_that_is_not_finite_is_refused() {
        let sample = proto::Sample { name: "queue".into(), value: f64::NAN, ..Default::default() };
        let body = Body::Samples(proto::Samples { samples: vec![sample] });
        assert_eq!(reason(|record| record.body = Some(body)), Some(Reason::Value));
    }

    #[test]
    fn a_log_message_above_its_limit_is_refused() {
        let message = "x".repeat(limits::MESSAGE_BYTES_MAX + 1);
        let logs = proto::Logs { records: vec![proto::LogRecord { message, ..Default::default() }] };
        assert_eq!(reason(|record| record.body = Some(Body::Logs(logs))), Some(Reason::TooLong));
    }

    #[test]
    fn one_bad_log_record_costs_none_of_its_neighbours() {
        let log = |message: &str| proto::LogRecord { message: message.into(), ..Default::default() };
        let too_long = "x".repeat(limits::MESSAGE_BYTES_MAX + 1);
        let early = proto::LogRecord { at_ns: -1, ..log("early") };
        let records = vec![log("a"), log(&too_long), log("b"), early, log("c")];
        let mut record = proto::Record { body: Some(Body::Logs(proto::Logs { records })), ..record() };
        let bad = sift(&mut record);
        let reasons: Vec<_> = bad.iter().map(|(log, invalid)| (log.at_ns, invalid.reason)).collect();
        assert_eq!(reasons, [(0, Reason::TooLong), (-1, Reason::Time)]);
        let Some(Body::Logs(logs)) = &record.body else { panic!("the record has logs") };
        let left: Vec<&str> = logs.records.iter().map(|log| log.message.as_str()).collect();
        assert_eq!(left, ["a", "b", "c"]);
        assert!(check(&record, PARTITIONS).is_ok());
    }

    #[test]
    fn what_is_no_log_is_never_taken_apart() {
        let mut counts = record();
        bucket(&mut counts).second = -1;
        let before = counts.clone();
        assert_eq!((sift(&mut counts), counts), (Vec::new(), before));
    }
}

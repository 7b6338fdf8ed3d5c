//! What a letter says, as JSON, as far as it can be read.

use goldentime_model::UnixNanos;
use goldentime_sketch::Sketch;
use goldentime_wire::frame;
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::{Bucket, Record};
use serde_json::{Map, Value, json};

use super::letter::{Kind, Letter};

/// What could be read of a letter.
pub enum Reading {
    /// All of it.
    Json(Value),
    /// It is not what it should be, for this reason.
    Unreadable(String),
}

/// Reads what is in a letter.
#[must_use]
pub fn read(letter: &Letter) -> Reading {
    let read = match letter.head.kind {
        Kind::Raw => match str::from_utf8(&letter.record) {
            Ok(text) => Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
            Err(error) => Err(format!("it is no text: {error}")),
        },
        Kind::Line => {
            serde_json::from_slice(&letter.record).map_err(|error| format!("it is no JSON: {error}"))
        }
        Kind::Record => {
            frame::decode::<Record>(letter.record.clone()).map(|read| record(&read)).map_err(|error| {
                match std::error::Error::source(&error) {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                }
            })
        }
    };
    read.map_or_else(Reading::Unreadable, Reading::Json)
}

/// A record as JSON: names as in `goldentime.proto`, bytes in hexadecimal, sketches by what they say.
#[must_use]
pub fn record(record: &Record) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    put("version", record.version.into());
    put("stream", hex(&record.stream).into());
    put("partition", record.partition.into());
    put("number", record.number.into());
    put("service", record.service.clone().into());
    put("host", record.host.clone().into());
    put("agent", record.agent.clone().into());
    put("progress_ms", record.progress_ms.into());
    put("flush_complete", record.flush_complete.into());
    if let Some(stamps) = &record.stamps {
        put(
            "stamps",
            json!({
                "occurred": time(stamps.occurred_ns),
                "flushed": time(stamps.flushed_ns),
                "occurred_is_coarse": stamps.occurred_is_coarse,
            }),
        );
    }
    match &record.body {
        Some(Body::Deltas(deltas)) => {
            let series = deltas.series.iter().map(|series| {
                let buckets: Vec<_> = series.buckets.iter().map(bucket).collect();
                json!({"endpoint": series.endpoint, "method": series.method, "buckets": buckets})
            });
            put("deltas", series.collect());
        }
        Some(Body::Samples(samples)) => {
            let samples = samples.samples.iter().map(|sample| {
                // A number that JSON does not have is written as a text.
                let value = match serde_json::Number::from_f64(sample.value) {
                    Some(number) => Value::Number(number),
                    None => sample.value.to_string().into(),
                };
                json!({
                    "name": sample.name,
                    "labels": sample.labels,
                    "counter": sample.counter,
                    "value": value,
                    "unit": sample.unit,
                    "at": time(sample.at_ns),
                })
            });
            put("samples", samples.collect());
        }
        Some(Body::Logs(logs)) => {
            let logs = logs.records.iter().map(|log| {
                json!({
                    "at": time(log.at_ns),
                    "level": log.level,
                    "message": log.message,
                    "trace_id": log.trace_id,
                    "span_id": log.span_id,
                    "attributes": log.attributes,
                })
            });
            put("logs", logs.collect());
        }
        None => {}
    }
    Value::Object(shown)
}

fn bucket(bucket: &Bucket) -> Value {
    let durations = match Sketch::decode_wire(&bucket.sketch) {
        _ if bucket.sketch.is_empty() => Value::Null,
        Ok(sketch) => json!({
            "count": sketch.count(),
            "p50_s": sketch.quantile(0.5),
            "p95_s": sketch.quantile(0.95),
            "p99_s": sketch.quantile(0.99),
        }),
        Err(error) => json!({"unreadable": error.to_string(), "hex": hex(&bucket.sketch)}),
    };
    json!({
        "second": seconds(bucket.second),
        "ok": bucket.ok,
        "client_error": bucket.client_error,
        "server_error": bucket.server_error,
        "timeout": bucket.timeout,
        "durations": durations,
    })
}

/// An instant as people write it, or the number where there is none such.
fn time(nanos: i64) -> Value {
    let at = jiff::Timestamp::from_nanosecond(UnixNanos(nanos).0.into());
    at.map_or_else(|_| nanos.into(), |at| at.to_string().into())
}

fn seconds(second: i64) -> Value {
    jiff::Timestamp::from_second(second).map_or_else(|_| second.into(), |at| at.to_string().into())
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::admission::Admission;
    use super::super::letter::testing::letter;
    use super::*;
    use crate::ingest::registry::Standing;

    #[test]
    fn a_record_is_shown_by_the_names_of_its_fields() {
        let mut sketch = Sketch::new();
        sketch.insert_n(0.2, 3);
        let mut bytes = Vec::new();
        sketch.encode_wire(&mut bytes);
        let bucket =
            |sketch: Vec<u8>| Bucket { second: 60, ok: 3, sketch: sketch.into(), ..Bucket::default() };
        let series = goldentime_wire::proto::SeriesDelta {
            endpoint: "/orders".into(),
            method: "GET".into(),
            buckets: vec![bucket(bytes), bucket(vec![0xff; 3])],
        };
        let body = Some(Body::Deltas(goldentime_wire::proto::Deltas { series: vec![series] }));
        let record = Record {
            service: "shop/prod/api".into(),
            stream: vec![0xab; 16].into(),
            body,
            ..Record::default()
        };
        let Reading::Json(shown) = read(&letter(Kind::Record, &frame::body(&record))) else {
            panic!("readable")
        };
        assert_eq!(shown["stream"], "ab".repeat(16));
        let buckets = &shown["deltas"][0]["buckets"];
        assert_eq!((&buckets[0]["second"], &buckets[0]["ok"]), (&"1970-01-01T00:01:00Z".into(), &3.into()));
        assert_eq!(buckets[0]["durations"]["count"], 3);
        assert_eq!(buckets[1]["durations"]["hex"], "ffffff");
    }

    proptest! {
        #[test]
        fn whatever_bytes_a_letter_holds_it_is_shown_and_judged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for kind in [Kind::Record, Kind::Line, Kind::Raw] {
                let letter = letter(kind, &bytes);
                let _ = read(&letter);
                let _ = Admission::new(4, None).admit(&letter, Some(&Standing::Good("shop".into())));
            }
        }
    }
}

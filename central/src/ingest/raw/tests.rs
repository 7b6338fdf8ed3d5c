//! What comes of records in the forms in which others write them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use goldentime_log::Entry;
use goldentime_log::kafka::KafkaLogConfig;
use goldentime_model::config::{Check, Settings, Source, decode, yaml};
use goldentime_model::{ServiceId, UnixNanos};
use goldentime_runtime::ManualClock;
use goldentime_wire::frame;
use goldentime_wire::proto::{Record, record::Body};
use proptest::prelude::*;

use super::config::RawConfig;
use super::fold::{Fold, Folded, Raw};
use super::numbered::{Author, Streams, Times};
use crate::ingest::validity;

/// 2026-11-22T15:40:04Z.
const AT_S: i64 = 1_795_362_004;

fn config(inputs: &str) -> RawConfig {
    let source = Source { name: "raw".into(), text: format!("inputs:\n{inputs}").as_str().into() };
    let config: RawConfig = decode(&yaml::parse(&Arc::new(source)).expect("YAML")).expect("a configuration");
    let mut check = Check::new();
    config.validate(&mut check);
    assert!(check.is_clean(), "{inputs}");
    config
}

fn fold(inputs: &str) -> Fold {
    Fold::new(&config(inputs), ManualClock::at(UnixNanos((AT_S + 100) * 1_000_000_000))).expect("inputs")
}

fn raw(key: &str, record: impl Into<Bytes>) -> Raw {
    let entry = Entry {
        partition: 3,
        offset: 17,
        append_time: UnixNanos((AT_S + 1) * 1_000_000_000),
        record: record.into(),
    };
    Raw { key: Bytes::copy_from_slice(key.as_bytes()), entry }
}

/// Requests by second, host, service, endpoint, method and outcome.
fn counts(folded: &Folded) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for said in &folded.contents {
        let Body::Deltas(deltas) = &said.content.body else { continue };
        for series in &deltas.series {
            for bucket in &series.buckets {
                let second = bucket.second - AT_S;
                let (host, service) = (&said.host, &said.service);
                let name = format!("{second} {host} {service} {} {}", series.method, series.endpoint);
                *counts.entry(name.clone()).or_default() += bucket.ok + bucket.client_error;
                *counts.entry(format!("{name} bad")).or_default() += bucket.server_error + bucket.timeout;
            }
        }
    }
    counts.retain(|_, count| *count > 0);
    counts
}

fn said(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn reasons(folded: &Folded) -> Vec<&'static str> {
    folded.refused.iter().map(|refused| refused.reason).collect()
}

fn logs(folded: &Folded) -> Vec<goldentime_wire::proto::LogRecord> {
    let bodies = folded.contents.iter().map(|said| &said.content.body);
    bodies
        .filter_map(|body| if let Body::Logs(logs) = body { Some(logs.records.clone()) } else { None })
        .flatten()
        .collect()
}

const NGINX: &str = "
- name: nginx
  match: {fields: {tag: 'nginx.*'}}
  environment: prod
  service: order-api
  line_field: log
  format: {type: nginx, log_format: '$remote_addr - $remote_user [$time_local] \"$request\" $status rt=$request_time'}
";

fn nginx_line(second: i64, id: u32, status: u16) -> String {
    let stamp = format!("22/Nov/2026:15:40:{:02} +0000", 4 + second);
    format!("10.0.0.1 - - [{stamp}] \"GET /orders/{id} HTTP/1.1\" {status} rt=0.012")
}

fn fluent_bit(second: i64, id: u32, status: u16) -> String {
    let line = serde_json::to_string(&nginx_line(second, id, status)).expect("text");
    format!(
        r#"{{"@timestamp":{}.123456,"log":{line},"tag":"nginx.access","hostname":"web-1"}}"#,
        AT_S + second
    )
}

#[test]
fn a_line_in_a_record_of_fluent_bit_is_read_with_the_host_beside_it() {
    let batch = [(0, 200), (0, 503), (1, 404)].map(|(second, status)| raw("", fluent_bit(second, 7, status)));
    let folded = fold(NGINX).fold(&batch);
    let expected = said(&[
        ("0 web-1 default/prod/order-api GET /orders/{id}", 1),
        ("0 web-1 default/prod/order-api GET /orders/{id} bad", 1),
        ("1 web-1 default/prod/order-api GET /orders/{id}", 1),
    ]);
    assert_eq!((counts(&folded), reasons(&folded)), (expected, Vec::new()));
}

#[test]
fn each_form_in_which_fluent_bit_writes_a_time_is_read_and_its_raw_format_is_the_line_itself() {
    let inputs = r#"
- name: raw
  match: {key: raw}
  host: web-2
  service: shop
  format: {type: combined}
- name: json
  line_field: message
  service: shop
  format: {type: regex, pattern: '^(?P<method>\w+) (?P<path>\S+) (?P<status>\d+)$'}
"#;
    // `double`, `iso8601` and `iso8601_ns`, whatever key holds the line.
    let times = ["1795362004.250000", r#""2026-11-22T15:40:05Z""#, r#""2026-11-22T15:40:06.123456789Z""#];
    let mut batch = Vec::from(times.map(|time| {
        let record =
            format!(r#"{{"@timestamp":{time},"message":"GET /a 200","stream":"stdout","hostname":"web-1"}}"#);
        raw("", record)
    }));
    let line = r#"10.0.0.1 - - [22/Nov/2026:15:40:07 +0000] "GET /b HTTP/1.1" 503 5 "-" "curl/8.5.0""#;
    batch.push(raw("raw", line));
    let folded = fold(inputs).fold(&batch);
    let of = |second, host, what| (format!("{second} {host} default/default/shop GET {what}"), 1);
    let mut expected: BTreeMap<String, u64> = (0..3).map(|second| of(second, "web-1", "/a")).collect();
    expected.extend([of(3, "web-2", "/b bad")]);
    assert_eq!((counts(&folded), reasons(&folded)), (expected, Vec::new()));
}

#[test]
fn a_record_that_fluent_bit_parsed_is_read_by_its_fields_and_kubernetes_names_service_and_host() {
    let inputs = "
- name: pods
  service_field: kubernetes.labels.app
  format: {type: json}
  fields: {status: code}
";
    let record = format!(
        r#"{{"@timestamp":{AT_S}.5,"remote":"10.0.0.1","method":"POST","path":"/pay?card=1","code":"502",
        "kubernetes":{{"host":"node-2","labels":{{"app":"결제"}}}}}}"#
    );
    let folded = fold(inputs).fold(&[raw("", record)]);
    assert_eq!(counts(&folded), said(&[("0 node-2 default/default/결제 POST /pay bad", 1)]));
}

#[test]
fn rsyslog_is_read_as_json_and_as_plain_lines() {
    let inputs = r#"
- name: json
  match: {key: nginx}
  service: shop
  line_field: message
  time_field: timestamp
  format: {type: regex, pattern: '^(?P<method>\w+) (?P<path>\S+) (?P<status>\d+)$'}
- name: file-format
  match: {key: 'app-*'}
  service: shop
  format: {type: regex, pattern: '^(?P<time>\S+) (?P<host>\S+) \S+: (?P<method>\w+) (?P<path>\S+) (?P<status>\d+)$'}
"#;
    let json = r#"{"timestamp":"2026-11-22T15:40:06.250000+00:00","host":"web-1","severity":"info","syslog-tag":"nginx:","message":" GET /a 200"}"#;
    let plain = "2026-11-22T15:40:07.5+00:00 web-2 app[12]: GET /b 500\n";
    let folded = fold(inputs).fold(&[raw("nginx", json), raw("app-1", plain)]);
    let expected =
        said(&[("2 web-1 default/default/shop GET /a", 1), ("3 web-2 default/default/shop GET /b bad", 1)]);
    assert_eq!((counts(&folded), reasons(&folded)), (expected, Vec::new()));
}

#[test]
fn the_first_input_that_matches_takes_a_record_and_none_is_a_letter() {
    let inputs =
        format!("{NGINX}- name: rest\n  match: {{key: 'k*'}}\n  service: rest\n  format: {{type: json}}\n");
    let other = r#"{"path":"/x","status":200,"@timestamp":"2026-11-22T15:40:04Z"}"#;
    let batch = [raw("k1", fluent_bit(0, 1, 200)), raw("k2", other), raw("other", other), raw("", "plain")];
    let folded = fold(&inputs).fold(&batch);
    let expected = said(&[
        ("0 unknown default/default/rest  /x", 1),
        ("0 web-1 default/prod/order-api GET /orders/{id}", 1),
    ]);
    assert_eq!((counts(&folded), reasons(&folded)), (expected, vec!["raw_no_input"; 2]));
    assert!(folded.refused[0].detail.contains("`other`"), "{:?}", folded.refused[0]);
    assert_eq!(folded.refused[1].record, Bytes::from_static(b"plain"));
}

#[test]
fn what_cannot_be_read_is_kept_with_the_reason() {
    let with = |inside: &str| raw("", format!(r#"{{"tag":"nginx.a",{inside}}}"#));
    let batch =
        [with(r#""log":"no such format""#), with(r#""message":"elsewhere""#), with(r#""log":{"a":1}"#)];
    let folded = fold(NGINX).fold(&batch);
    assert_eq!(reasons(&folded), ["raw_no_line", "raw_no_line", "unparsed_format"]);
    let any = "- name: any\n  line_field: log\n  format: {type: combined}\n";
    let folded = fold(any).fold(&[raw("", r#"{"log":"cut off"#), raw("", vec![0xff, 0xfe, b'{'])]);
    assert_eq!(reasons(&folded), ["raw_not_json"; 2]);
}

#[test]
fn a_line_without_a_time_counts_when_its_record_happened_or_else_when_kafka_took_it() {
    let inputs = "- name: a\n  line_field: m\n  time_zone: Asia/Seoul\n  format: {type: logfmt}\n";
    let line = |time: &str| raw("", format!(r#"{{"m":"path=/a status=200"{time}}}"#));
    let zoned = line(r#","@timestamp":"2026-11-23T00:40:02""#);
    let folded = fold(inputs).fold(&[line(""), line(r#","@timestamp":"yesterday""#), zoned]);
    let of = |second| format!("{second} unknown default/default/unknown  /a");
    let expected = [(of(-2), 1), (of(1), 2)].into_iter().collect();
    assert_eq!(counts(&folded), expected);
}

#[test]
fn shipped_lines_hold_no_secret_and_a_line_that_cannot_be_read_is_shipped_too() {
    let inputs = format!("{NGINX}  ship_logs: true\n");
    let record = r#"{"tag":"nginx.a","hostname":"web-1","log":"login password=hunter22 failed"}"#;
    let folded = fold(&inputs).fold(&[raw("", fluent_bit(0, 1, 200)), raw("", record)]);
    let logs = logs(&folded);
    assert_eq!((logs.len(), reasons(&folded)), (2, vec!["unparsed_format"]));
    assert!(logs.iter().all(|log| !log.message.contains("hunter22")), "{logs:?}");
    assert!(logs.iter().any(|log| log.message.contains("GET /orders/1")), "{logs:?}");
}

#[test]
fn halves_of_a_second_add_up_and_a_batch_that_comes_again_comes_to_the_same() {
    let all: Vec<Raw> = (0..20_000_u32)
        .map(|id| {
            // More buckets than are held at once.
            let record =
                fluent_bit(i64::from(id / 400), id, 200).replace("/orders/", &format!("/r{}/", id % 400));
            raw("", record)
        })
        .collect();
    let mut fold = fold(NGINX);
    let whole = counts(&fold.fold(&all));
    assert_eq!(whole.values().sum::<u64>(), 20_000);
    let mut halves = counts(&fold.fold(&all[..7_777]));
    for (name, count) in counts(&fold.fold(&all[7_777..])) {
        *halves.entry(name).or_default() += count;
    }
    assert_eq!(halves, whole);
}

fn numbers(records: &[goldentime_kafka::Outgoing]) -> Vec<(String, u32, u64)> {
    let partitions = KafkaLogConfig::default().partitions;
    let judged = records.iter().filter(|record| !record.topic.ends_with("deadletter"));
    judged
        .map(|outgoing| {
            let record: Record = frame::decode(outgoing.payload.clone()).expect("a record");
            let service = validity::check(&record, partitions, None).expect("valid");
            let key = service.map(|service: ServiceId| service.to_string()).unwrap_or_default();
            assert_eq!((record.partition, key.as_bytes()), (outgoing.partition, &outgoing.key[..]));
            (outgoing.topic.to_string(), record.partition, record.number)
        })
        .collect()
}

#[test]
fn numbers_are_dense_in_each_stream_and_those_of_what_was_not_committed_are_given_again() {
    let author = Author::of(&KafkaLogConfig::default(), 3);
    let mut fold = fold(&format!("{NGINX}  ship_logs: true\n"));
    let mut prepare = |told: &[u32]| {
        let Folded { contents, refused, .. } = fold.fold(&[raw("", fluent_bit(0, 1, 200)), raw("", "?")]);
        let times = Times { now: UnixNanos(9), progress: UnixNanos(7_000_000) };
        author.prepare(contents, refused, told.iter().copied(), times)
    };
    let mut streams = Streams::open().expect("random numbers");
    let first = prepare(&[]);
    let own = first.told().next().expect("something was said");
    let other = (own + 1) % 16;
    let numbered = streams.number(&author, &first);
    assert_eq!(numbers(&numbered.records), numbers(&streams.number(&author, &first).records));
    let (deltas, logs) = ("goldentime.deltas".to_owned(), "goldentime.logs".to_owned());
    assert_eq!(numbers(&numbered.records), [(deltas.clone(), own, 1), (logs.clone(), own, 1)]);
    assert_eq!((numbered.records.len(), first.letters()), (3, 1));
    streams.sent(numbered);
    // What was told of before and has nothing new is told that this is all.
    let numbered = streams.number(&author, &prepare(&[own, other]));
    assert_eq!(numbers(&numbered.records), [(deltas.clone(), own, 2), (logs, own, 2), (deltas, other, 1)]);
}

#[test]
fn an_input_that_cannot_be_used_is_refused_with_its_place() {
    for (inputs, place, told) in [
        ("- name: a\n  format: {type: regex, pattern: '('}", "inputs[0].format", "unclosed group"),
        ("- name: a\n  time_zone: Mars/Base\n  format: {type: json}", "inputs[0].time_zone", "Asia/Seoul"),
        ("- name: a\n  service: a/b\n  format: {type: json}", "inputs[0].service", "write `a_b`"),
        (
            "- name: a\n  format: {type: json}\n- name: a\n  format: {type: json}",
            "inputs[1].name",
            "two inputs",
        ),
        ("  []", "inputs", "0 inputs"),
    ] {
        let text = format!("inputs:\n{inputs}\n");
        let source = Arc::new(Source { name: "raw".into(), text: text.as_str().into() });
        let node = yaml::parse(&source).expect("YAML");
        let config: RawConfig = decode(&node).expect("of the right shape");
        let mut check = Check::new();
        config.validate(&mut check);
        let faults = check.into_faults(&node).to_string();
        assert!(faults.contains(place) && faults.contains(told), "{faults}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_counted_shipped_or_kept_and_nothing_panics(
        records in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                r#"\{"(log|tag|hostname|@timestamp)":("[ -~가]{0,40}"|[0-9.eE+-]{1,30}|\{\}|\[\[)(,"log":"[ -~]{0,60}")?\}?"#
                    .prop_map(String::into_bytes),
            ],
            1..20,
        )
    ) {
        let inputs = "- name: a\n  match: {fields: {tag: '*'}}\n  line_field: log\n  format: {type: combined}\n  ship_logs: true\n- name: b\n  format: {type: json}\n  ship_logs: true\n";
        let batch: Vec<Raw> = records.iter().map(|record| raw("", record.clone())).collect();
        let folded = fold(inputs).fold(&batch);
        let refused = folded.refused.iter().filter(|refused| refused.reason.starts_with("raw_")).count() as u64;
        let taken: u64 = ["observed", "not_a_request", "ignored", "unread", "blank"]
            .iter().filter_map(|outcome| folded.tally.get(outcome)).sum();
        prop_assert_eq!(refused + taken, batch.len() as u64);
        let author = Author::of(&KafkaLogConfig::default(), 3);
        let times = Times { now: UnixNanos(9), progress: UnixNanos(7) };
        let prepared = author.prepare(folded.contents, folded.refused, [], times);
        let streams = Streams::open().expect("random numbers");
        numbers(&streams.number(&author, &prepared).records);
    }
}

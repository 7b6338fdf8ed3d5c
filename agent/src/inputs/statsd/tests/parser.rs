//! The parser: what clients send comes back, and nothing else breaks it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Bench, NOW};
use crate::inputs::statsd::Config;
use crate::inputs::statsd::event::{event, service_check};
use crate::inputs::statsd::line::{Kind, Metric, parse};
use crate::inputs::statsd::malformed::Malformed;

/// Lines as clients of plain StatsD and of each version of DogStatsD's protocol write them.
const WRITTEN: [(&str, Kind, usize, &str); 10] = [
    ("page.views:1|c|#service:shop,env:prod", Kind::Counter, 1, "service:shop,env:prod"),
    ("cart.size:3|g|#service:shop|c:in-4026531835", Kind::Gauge, 1, "service:shop"),
    ("http.time:12.5|ms|@0.1|#endpoint:/cart,status:200", Kind::Timer, 1, "endpoint:/cart,status:200"),
    ("http.time:1:2:3.5|d|#endpoint:/cart", Kind::Distribution, 3, "endpoint:/cart"),
    ("query.rows:0.25|h|@0.5", Kind::Histogram, 1, ""),
    ("users:a:b|s|#service:shop", Kind::Set, 1, "service:shop"),
    ("orders:5|c|T1799999999|#service:shop", Kind::Counter, 1, "service:shop"),
    ("jobs:1|c|#q:mail|c:ci-0123abcd|e:it-false,cn-app,pu-1|card:low", Kind::Counter, 1, "q:mail"),
    ("stats.timer:320.000000|ms", Kind::Timer, 1, ""),
    ("stats.gauge:-7|g", Kind::Gauge, 1, ""),
];

#[test]
fn what_clients_send_is_read() {
    for (line, kind, values, tags) in WRITTEN {
        let metric = parse(line.as_bytes()).expect(line);
        assert_eq!((metric.kind, metric.values().count()), (kind, values), "{line}");
        assert_eq!(metric.tags, tags.as_bytes(), "{line}");
    }
    let sampled = parse(WRITTEN[2].0.as_bytes()).expect("valid");
    assert!((sampled.rate - 0.1).abs() < f64::EPSILON);
    let stamped = parse(WRITTEN[6].0.as_bytes()).expect("valid");
    assert_eq!(stamped.at_s, Some(1_799_999_999));
    let contained = parse(WRITTEN[7].0.as_bytes()).expect("valid");
    assert_eq!(contained.container, b"ci-0123abcd");
}

#[test]
fn each_broken_part_has_its_own_reason() {
    for (line, reason) in [
        ("", Malformed::Form),
        ("name", Malformed::Form),
        ("name:1", Malformed::Form),
        (":1|c", Malformed::Name),
        ("name:|c", Malformed::Value),
        ("name:1|", Malformed::Kind),
        ("name:1|x", Malformed::Kind),
        ("name:1|c|@0", Malformed::Rate),
        ("name:1|c|@1.5", Malformed::Rate),
        ("name:1|c|@-0.5", Malformed::Rate),
        ("name:1|c|@nan", Malformed::Rate),
        ("name:1|c|T12x", Malformed::Timestamp),
    ] {
        assert_eq!(parse(line.as_bytes()).err(), Some(reason), "{line}");
    }
}

fn kind() -> impl Strategy<Value = (Kind, &'static str)> {
    prop_oneof![
        Just((Kind::Counter, "c")),
        Just((Kind::Gauge, "g")),
        Just((Kind::Timer, "ms")),
        Just((Kind::Histogram, "h")),
        Just((Kind::Distribution, "d")),
        Just((Kind::Set, "s")),
    ]
}

proptest! {
    #[test]
    fn a_valid_line_comes_back_as_it_was_meant(
        name in "[a-zA-Z_.가-힣]{1,40}",
        values in vec(any::<f64>().prop_filter("finite", |value| value.is_finite()), 1..6),
        (kind, letter) in kind(),
        rate in prop::option::of(0.000_01..=1.0_f64),
        tags in vec("[a-z.]{1,10}(:[^|,\n\r]{0,20})?", 0..5),
        container in prop::option::of("ci-[0-9a-f]{12}"),
        at in prop::option::of(0..2_000_000_000_i64),
    ) {
        let packed: Vec<String> = values.iter().map(ToString::to_string).collect();
        let mut line = format!("{name}:{}|{letter}", packed.join(":"));
        if let Some(rate) = rate { line.push_str(&format!("|@{rate}")); }
        if !tags.is_empty() { line.push_str(&format!("|#{}", tags.join(","))); }
        if let Some(container) = &container { line.push_str(&format!("|c:{container}")); }
        if let Some(at) = at { line.push_str(&format!("|T{at}")); }
        let metric = parse(line.as_bytes()).expect("valid");
        let (joined, packed_text) = (tags.join(","), packed.join(":"));
        prop_assert_eq!(metric, Metric {
            name: name.as_bytes(),
            packed: packed_text.as_bytes(),
            kind,
            rate: rate.unwrap_or(1.0),
            tags: joined.as_bytes(),
            container: container.as_deref().unwrap_or_default().as_bytes(),
            at_s: at,
        });
        if kind != Kind::Set {
            let read: Vec<f64> = metric.values().filter_map(crate::inputs::statsd::number::signed).collect();
            prop_assert_eq!(read, values);
        }
    }

    #[test]
    fn garbage_never_panics_and_never_goes_uncounted(lines in vec(garbage(), 1..40)) {
        let mut bench = Bench::new(&Config::default());
        for line in &lines {
            let _ = parse(line);
            let _ = event(line);
            let _ = service_check(line);
            bench.intake.take(line, &[], NOW, &mut bench.shard.lock()).expect("room");
        }
        let tally = bench.intake.tally.clone();
        let batch = bench.flush();
        let dropped: u64 = batch.drops.values().sum();
        let taken = tally.metrics.iter().sum::<u64>() + tally.events;
        prop_assert!(taken + dropped >= lines.len() as u64, "{} + {} of {}", taken, dropped, lines.len());
    }
}

/// Bytes, and lines that were almost right.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let mangled =
        (0..WRITTEN.len(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(line, at, byte)| {
            let mut bytes = WRITTEN[line].0.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        });
    let special = "(_e\\{[0-9]{0,3},?[0-9]{0,3}\\}|_sc)[|:a-z0-9#]{0,30}".prop_map(String::into_bytes);
    prop_oneof![vec(any::<u8>(), 0..80), mangled, special]
}

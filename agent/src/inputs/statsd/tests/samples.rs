//! What metrics that are no requests become each second.

use super::{Bench, NOW, map};
use crate::inputs::statsd::Config;
use crate::inputs::statsd::config::NegativeGauges;

#[test]
fn counters_are_summed_gauges_keep_the_last_and_sets_are_counted() {
    let samples = Bench::new(&Config::default()).samples(&[
        "hits:1|c|#service:shop,page:home",
        "hits:2|c|@0.5|#page:home,service:shop",
        "hits:1|c",
        "depth:3|g",
        "depth:5|g",
        "users:ann|s",
        "users:bob:1|s",
        "users:ann|s",
        "_sc|db.up|2|#service:shop",
    ]);
    let expected = map(&[
        ("shop hits{page=home}", 5.0),
        ("unknown hits{}", 1.0),
        ("unknown depth{}", 5.0),
        ("unknown users{}", 2.0),
        ("shop db.up{}", 2.0),
    ]);
    assert_eq!(samples, expected);
}

#[test]
fn a_counter_begins_anew_each_second_and_a_gauge_keeps_its_value() {
    let mut bench = Bench::new(&Config::default());
    assert_eq!(bench.samples(&["hits:2|c", "depth:7|g"]).len(), 2);
    assert!(bench.samples(&[]).is_empty(), "nothing new, nothing said");
    let samples = bench.samples(&["hits:1|c", "depth:+1|g"]);
    assert_eq!(samples, map(&[("unknown hits{}", 1.0), ("unknown depth{}", 8.0)]));
}

#[test]
fn a_minus_is_a_delta_in_plain_statsd_and_a_value_with_tags() {
    for (negative_gauges, plain, tagged) in [
        (NegativeGauges::Auto, 7.0, -3.0),
        (NegativeGauges::Delta, 7.0, 7.0),
        (NegativeGauges::Value, -3.0, -3.0),
    ] {
        let config = Config { negative_gauges, ..Config::default() };
        let samples = Bench::new(&config).samples(&["a:10|g", "a:-3|g", "b:10|g|#x:y", "b:-3|g|#x:y"]);
        assert_eq!(
            samples,
            map(&[("unknown a{}", plain), ("unknown b{x=y}", tagged)]),
            "{negative_gauges:?}"
        );
    }
}

#[test]
fn a_spread_is_told_by_count_sum_largest_and_quantiles() {
    let lines: Vec<String> = (1..=100).map(|value| format!("rows:{value}|h|@0.5")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let samples = Bench::new(&Config::default()).samples(&lines);
    assert_eq!(samples["unknown rows.count{}"], 200.0);
    assert_eq!(samples["unknown rows.sum{}"], 10_100.0);
    assert_eq!(samples["unknown rows.max{}"], 100.0);
    for (name, exact) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
        let value = samples[&format!("unknown rows.{name}{{}}")];
        assert!((value - exact).abs() / exact < 0.0055, "{name}: {value}");
    }
}

#[test]
fn a_stamped_value_keeps_its_time_and_is_not_summed_up() {
    let then = NOW.second().0 - 20;
    let line = format!("hits:2|c|T{then}");
    let batch = Bench::new(&Config::default()).take(&[&line, &line]).flush();
    let samples = &batch.services[0].samples;
    assert_eq!(samples.len(), 2);
    assert!(samples.iter().all(|sample| sample.at.second().0 == then && sample.value == 2.0));
}

#[test]
fn an_event_becomes_a_log_record_of_its_service() {
    let batch = Bench::new(&Config::default()).take(&["_e{6,2}:Deploy|v2|t:error|#service:shop"]).flush();
    assert_eq!(batch.services[0].service.service(), "shop");
    let log = &batch.services[0].logs[0];
    assert_eq!((log.level.as_str(), log.message.as_str()), ("error", "Deploy: v2"));
}

#[test]
fn tags_over_the_limits_are_left_out_and_counted() {
    let config = Config { tags_max: 2, set_members_max: 1, services_max: 1, ..Config::default() };
    let mut bench = Bench::new(&config);
    let long = format!("long:1|c|#{}", "x".repeat(1200));
    let many = format!("name:1|c|#{}:1", "n".repeat(300));
    let batch = bench
        .take(&["a:1|c|#x:1,y:2,z:3", "set:one|s", "set:two|s", "b:1|c|#service:other", &long, &many])
        .flush();
    for (reason, count) in [
        ("statsd_tags_over_limit", 1),
        ("statsd_set_full", 1),
        ("statsd_service_overflow", 1),
        ("statsd_tags_too_long", 1),
        ("statsd_name_cut", 1),
    ] {
        assert_eq!(batch.drops.get(reason), Some(&count), "{reason}: {:?}", batch.drops);
    }
}

#[test]
fn the_container_is_a_label_only_where_it_is_wanted() {
    let line = "hits:1|c|#x:y|c:ci-0123";
    assert_eq!(Bench::new(&Config::default()).samples(&[line]), map(&[("unknown hits{x=y}", 1.0)]));
    let config = Config { container_label: true, ..Config::default() };
    let samples = Bench::new(&config).samples(&[line, "hits:1|c|#x:y|c:in-77"]);
    let expected =
        map(&[("unknown hits{container.id=0123,x=y}", 1.0), ("unknown hits{container.id=in-77,x=y}", 1.0)]);
    assert_eq!(samples, expected);
}

#[test]
fn what_names_no_container_is_of_the_one_that_sent_it() {
    let mut bench = Bench::new(&Config { container_label: true, ..Config::default() });
    for line in ["hits:1|c", "hits:2|c|c:ci-own", "_sc|db.up|0"] {
        bench.intake.take(line.as_bytes(), b"told", NOW, &mut bench.shard.lock()).expect("room");
    }
    let expected = map(&[
        ("unknown hits{container.id=told}", 1.0),
        ("unknown hits{container.id=own}", 2.0),
        ("unknown db.up{container.id=told}", 0.0),
    ]);
    assert_eq!(bench.samples(&[]), expected);
}

#[test]
fn a_secret_is_taken_out_of_an_event_whole() {
    let secret = "x".repeat(300);
    let line = format!("_e{{1,0}}:a||#api_key:{secret},note:{secret}");
    let batch = Bench::new(&Config::default()).take(&[&line]).flush();
    let attributes = &batch.services[0].logs[0].attributes;
    assert_eq!(attributes["api_key"], "[redacted:secret]");
    assert_eq!(attributes["note"], secret);
}

#[test]
fn ignored_tags_tell_no_series_apart() {
    let config = Config { ignored_tags: vec!["id".into()], ..Config::default() };
    let samples = Bench::new(&config).samples(&["hits:1|c|#id:1,x:y", "hits:1|c|#x:y,id:2"]);
    assert_eq!(samples, map(&[("unknown hits{x=y}", 2.0)]));
}

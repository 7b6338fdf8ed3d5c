//! What counts as requests, under which names, and what happens at the limits.

use goldentime_model::units::HumanDuration;
use goldentime_model::{Outcome, Second};

use super::{Bench, NOW, map};
use crate::aggregate::Config as Limits;
use crate::aggregate::shard::FUTURE_NANOS_MAX;
use crate::inputs::parse::config::DurationUnit;
use crate::inputs::statsd::Config;
use crate::inputs::statsd::line::Kind;
use crate::inputs::statsd::rules::{Role, Rule};

#[test]
fn timings_whose_tags_tell_an_endpoint_or_an_end_are_requests() {
    let requests = Bench::new(&Config::default()).requests(&[
        "http.time:12|ms|#service:shop,endpoint:/users/42,method:GET,status:200",
        "http.time:15|ms|#service:shop,endpoint:/users/43,method:GET,status:503",
        "http.time:15|d|#resource_name:GET /cart,service:shop",
        "http.time:15:16|d|#resource_name:GET_/cart,service:shop",
        "job.time:3|h|#service:shop,error:true",
        "job.time:3|h|#service:shop,error:false",
        "gc.pause:3|h|#service:shop",
        "http.time:4|ms|#endpoint:checkout,status:4xx",
    ]);
    let expected = map(&[
        ("p/e/shop GET /users/{id}", (2, 1)),
        ("p/e/shop GET /cart", (3, 0)),
        ("p/e/shop  job.time", (2, 1)),
        ("p/e/unknown  checkout", (1, 0)),
    ]);
    assert_eq!(requests, expected);
}

#[test]
fn durations_are_read_in_their_unit() {
    let seconds = Rule { metrics: vec!["**.seconds".into()], ..Rule::tagged_timings() };
    assert!(crate::inputs::statsd::pattern::Pattern::new("**.seconds").is_err(), "only the end is open");
    let seconds = Rule { metrics: vec!["http.seconds".into()], unit: Some(DurationUnit::S), ..seconds };
    let config = Config {
        rules: vec![seconds, Rule::tagged_timings()],
        distribution_unit: DurationUnit::Us,
        ..Config::default()
    };
    for (line, expected_s) in [
        ("http.time:250|ms|#endpoint:a", 0.25),
        ("http.time:250|d|#endpoint:a", 0.00025),
        ("http.seconds:0.25|ms|#endpoint:a", 0.25),
    ] {
        let batch = Bench::new(&config).take(&[line]).flush();
        let median = batch.services[0].series[0].buckets[0].sketch.quantile(0.5).expect("a duration");
        assert!((median - expected_s).abs() / expected_s < 0.0055, "{line}: {median}");
    }
}

#[test]
fn names_of_plain_statsd_tell_by_their_parts() {
    let rule = Rule { metrics: vec!["{service}.api.{endpoint}.{method}.{status}".into()], ..Rule::default() };
    let errors = Rule {
        metrics: vec!["{service}.errors".into()],
        types: vec![Kind::Counter],
        endpoint: Some("batch".into()),
        outcome: Some(Outcome::ServerError),
        ..Rule::default()
    };
    let config = Config { rules: vec![rule, errors], ..Config::default() };
    let requests = Bench::new(&config).requests(&[
        "shop.api.cart.GET.200:12|ms",
        "shop.api.cart.GET.500:12|ms",
        "shop.errors:3|c",
        "shop.api.cart.GET.200:1|c",
    ]);
    assert_eq!(requests, map(&[("p/e/shop GET cart", (2, 1)), ("p/e/shop  batch", (3, 3))]));
}

#[test]
fn what_a_rule_ignores_is_counted_nowhere_but_in_the_status() {
    let ignored = Rule { metrics: vec!["debug.**".into()], role: Role::Ignore, ..Rule::default() };
    let config = Config { rules: vec![ignored], ..Config::default() };
    let mut bench = Bench::new(&config);
    assert!(bench.take(&["debug.a:1:2|d", "debug.b:1|c"]).flush().services.is_empty());
    assert_eq!(bench.intake.tally.ignored, 3);
}

#[test]
fn sampled_requests_are_weighed_and_their_remainder_carried() {
    let tags = "|#service:shop,endpoint:/cart,status:200";
    let lines: Vec<String> = (0..300).map(|_| format!("http.time:5|ms|@0.3{tags}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let requests = Bench::new(&Config::default()).requests(&lines);
    assert_eq!(requests, map(&[("p/e/shop  /cart", (1000, 0))]));
}

#[test]
fn a_timestamp_holds_unless_it_is_old_or_lies_ahead() {
    let mut bench = Bench::new(&Config::default());
    let (then, long_ago, ahead) = (NOW.second().0 - 30, NOW.second().0 - 3700, NOW.second().0 + 3600);
    bench.take(&[
        &format!("http.time:5|ms|#endpoint:a|T{then}"),
        &format!("http.time:5|ms|#endpoint:a|T{long_ago}"),
        &format!("depth:5|g|T{ahead}"),
    ]);
    let batch = bench.flush();
    let buckets = &batch.services[0].series[0].buckets;
    assert_eq!(buckets.iter().map(|bucket| bucket.second).collect::<Vec<_>>(), [Second(then)]);
    assert_eq!(batch.drops["statsd_timestamp"], 1);
    assert_eq!(batch.services[0].samples[0].at, NOW.saturating_add(FUTURE_NANOS_MAX));
    assert_eq!(batch.drops["clock_ahead_clamped"], 1);
}

#[test]
fn a_value_that_is_none_is_counted_and_spoils_no_other_of_its_line() {
    let mut bench = Bench::new(&Config::default());
    let requests = bench.requests(&["http.time:5:x:7|ms|#endpoint:a", "http.time:-5|ms|#endpoint:a"]);
    assert_eq!(requests, map(&[("p/e/unknown  a", (2, 0))]));
    assert_eq!(bench.intake.tally.malformed.iter().sum::<u64>(), 2);
}

#[test]
fn a_counter_too_large_for_requests_is_refused() {
    let counter = Rule { types: vec![Kind::Counter], ..Rule::default() };
    let mut bench = Bench::new(&Config { rules: vec![counter], ..Config::default() });
    let requests = bench.requests(&["hits:1e12|c", "hits:1000000|c", "hits:0|c"]);
    assert_eq!(requests, map(&[("p/e/unknown  hits", (1_000_000, 0))]));
}

#[test]
fn a_full_shard_loses_no_value_of_a_packed_line() {
    let limits = Limits { buckets_max: 64, ..Limits::default() };
    let mut bench = Bench::with_limits(&Config::default(), limits);
    for second in 0..64 {
        let at = NOW.second().0 - second;
        bench.take(&[&format!("http.time:5|ms|#endpoint:a|T{at}")]);
    }
    let line = b"http.time:5:6:7|ms|#endpoint:b";
    let take = |bench: &mut Bench| bench.intake.take(line, &[], NOW, &mut bench.shard.lock());
    take(&mut bench).expect_err("full");
    assert_eq!(bench.shard.drain().services[0].series[0].buckets.len(), 64);
    take(&mut bench).expect("room");
    assert_eq!(bench.shard.drain().services[0].series[0].buckets[0].counts.total(), 3);
}

#[test]
fn a_wrong_value_before_a_full_shard_is_counted_once() {
    let limits = Limits { buckets_max: 64, ..Limits::default() };
    let mut bench = Bench::with_limits(&Config::default(), limits);
    for second in 0..64 {
        let at = NOW.second().0 - second;
        bench.take(&[&format!("http.time:5|ms|#endpoint:a|T{at}")]);
    }
    let line = b"http.time:nan:6|ms|#endpoint:b";
    for _ in 0..2 {
        bench.intake.take(line, &[], NOW, &mut bench.shard.lock()).expect_err("full");
    }
    let _ = bench.shard.drain();
    bench.intake.take(line, &[], NOW, &mut bench.shard.lock()).expect("room");
    assert_eq!(bench.flush().drops["statsd_value"], 1);
}

#[test]
fn what_is_given_up_is_counted() {
    let limits = Limits { buckets_max: 64, ..Limits::default() };
    let mut bench = Bench::with_limits(&Config::default(), limits);
    for second in 0..64 {
        let at = NOW.second().0 - second;
        bench.take(&[&format!("http.time:5|ms|#endpoint:a|T{at}")]);
    }
    let line = b"http.time:5:6:7|ms|#endpoint:b";
    bench.intake.take(line, &[], NOW, &mut bench.shard.lock()).expect_err("full");
    bench.intake.give_up(line, &mut bench.shard.lock());
    assert_eq!(bench.shard.drain().drops["statsd_no_room"], 3);
}

#[test]
fn more_names_than_are_remembered_still_count_as_requests_and_leave_room_for_samples() {
    let config = Config { contexts_max: 16, ..Config::default() };
    let mut bench = Bench::new(&config);
    let lines: Vec<String> =
        (0..100).map(|id| format!("http.time:5|ms|#endpoint:/users/{id},id:{id}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(bench.requests(&lines), map(&[("p/e/unknown  /users/{id}", (100, 0))]));
    let batch = bench.take(&["a:1|g", "b:1|g", "c:1|g", "d:1|g", "e:1|g", "e:2|g"]).flush();
    assert_eq!(batch.drops["statsd_contexts_full"], 2, "sixteen, and three quarters of them for requests");
}

#[test]
fn what_is_idle_is_forgotten_and_makes_room() {
    let config = Config {
        contexts_max: 16,
        series_max: 2,
        idle_after: HumanDuration::from_secs(10),
        ..Config::default()
    };
    let mut bench = Bench::new(&config);
    assert_eq!(bench.samples(&["a:1|c", "b:1|c", "c:1|c"]).len(), 2);
    for _ in 0..40 {
        bench.samples(&["a:1|c"]);
    }
    let seen = bench.samples(&["a:1|c", "c:1|c"]);
    assert_eq!(seen, map(&[("unknown a{}", 1.0), ("unknown c{}", 1.0)]));
}

#[test]
fn senders_cannot_write_into_what_takes_the_overflow() {
    let mut bench = Bench::new(&Config::default());
    let requests = bench.requests(&["http.time:1|ms|#service:__other__,endpoint:__other__,method:__other__"]);
    assert_eq!(requests, map(&[("p/e/_other_ _OTHER _other_", (1, 0))]));
    assert_eq!(bench.samples(&["depth:3|g|#service:__other__"]), map(&[("_other_ depth{}", 3.0)]));
}

#[test]
fn a_metric_or_tag_with_a_blank_name_costs_no_other() {
    let mut bench = Bench::new(&Config::default());
    let long = " ".repeat(300);
    let lines = [" :3|g", "\u{3000}:3|g", &format!("{long}x:3|g"), "depth:3|g|# :x,page:home"];
    let batch = bench.take(&lines).flush();
    let names: Vec<_> = batch.services.iter().flat_map(|service| &service.samples).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(names[0].labels.keys().collect::<Vec<_>>(), ["page"]);
    assert_eq!(batch.drops["statsd_name"], 3);
}

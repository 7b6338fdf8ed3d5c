use std::borrow::Cow;

use goldentime_model::{Outcome, UnixNanos};
use goldentime_runtime::ManualClock;
use proptest::prelude::*;

use super::config::{Config, RouteError, Rule, StatusOutcome, VerdictOutcome};
use super::normalise::Normaliser;
use super::router::Counted;
use super::{Router, Source};
use crate::aggregate::{Aggregator, Batch, Config as Limits};
use crate::parse::Fields;

fn endpoint(config: &Config, path: &str) -> String {
    let mut out = String::new();
    Normaliser::new(&config.patterns, config.normalise).expect("valid").endpoint(path, &mut out);
    out
}

#[test]
fn what_names_one_thing_of_many_becomes_an_id() {
    let of = |path| endpoint(&Config::default(), path);
    assert_eq!(of("/orders/123?x=1"), "/orders/{id}");
    assert_eq!(of("/orders/6f1c2d3e-aaaa-bbbb-cccc-0123456789ab/items"), "/orders/{id}/items");
    assert_eq!(of("/commit/deadbeef01"), "/commit/{id}");
    assert_eq!(of("/t/eyJhbGciOiJIUzI1NiJ9abc123"), "/t/{id}");
    assert_eq!(of("/days/2026-11-22"), "/days/{id}");
    assert_eq!(of("http://shop.example/v1/cart"), "/v1/cart");
    assert_eq!(of("//a//b/"), "/a/b");
    assert_eq!(of("/"), "/");
    assert_eq!(of("*"), "*");
    assert_eq!(of("/api/v2/결제"), "/api/v2/결제");
    assert_eq!(of("/facade/feedback"), "/facade/feedback");
}

#[test]
fn explicit_patterns_go_first() {
    let config = Config {
        patterns: vec!["/users/{name}/posts".into(), "/static/{rest*}".into()],
        ..Config::default()
    };
    assert_eq!(endpoint(&config, "/users/kim/posts?page=2"), "/users/{name}/posts");
    assert_eq!(endpoint(&config, "/users/kim/likes"), "/users/kim/likes");
    assert_eq!(endpoint(&config, "/static/js/app.js"), "/static/{rest*}");
    let refused = |text: &str| Normaliser::new(&[text.to_owned()], true).expect_err("refused");
    assert_eq!(refused("users"), RouteError::NoSlash("users".into()));
    assert_eq!(refused("/a{b}"), RouteError::Braces("/a{b}".into()));
    assert_eq!(refused("/{a*}/b"), RouteError::AfterRest("/{a*}/b".into()));
    assert!(matches!(refused("/a\tb"), RouteError::Name(..)));
}

#[test]
fn a_service_that_a_line_names_is_made_fit_and_never_a_hosts_own() {
    let source = Source { project: "p".into(), environment: "e".into(), service: Some("shop".into()) };
    let mut router = Router::new(&Config::default(), source).expect("valid");
    for (named, service) in [(" ", "shop"), (" cart ", "cart"), ("a/b", "a_b"), ("host:h9", "host_h9")] {
        let fields = Fields { service: named.as_bytes().into(), ..Fields::default() };
        assert_eq!(router.service(&fields).parts().2, service, "{named:?}");
    }
}

const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

fn count(config: &Config, lines: &[Fields<'_>]) -> (Vec<Counted>, Batch) {
    let aggregator = Aggregator::new(Limits::default(), ManualClock::at(NOW));
    let shard = aggregator.open_shard("test");
    let source = Source { project: "p".into(), environment: "e".into(), service: Some("shop".into()) };
    let mut router = Router::new(config, source).expect("valid");
    let counted =
        lines.iter().map(|line| router.count(line, NOW, &mut shard.lock()).expect("room")).collect();
    (counted, shard.drain())
}

fn line(path: &str, status: u16) -> Fields<'_> {
    Fields {
        method: Cow::Borrowed(b"GET"),
        path: Cow::Borrowed(path.as_bytes()),
        status: Some(status),
        duration_s: Some(0.1),
        ..Fields::default()
    }
}

#[test]
fn raw_paths_of_one_route_are_one_series() {
    let (_, batch) = count(&Config::default(), &[line("/o/1", 200), line("/o/2?x", 200), line("/o/1", 503)]);
    let series = &batch.services[0].series;
    assert_eq!(series.len(), 1);
    assert_eq!(&*series[0].key.endpoint, "/o/{id}");
    let counts = series[0].buckets[0].counts;
    assert_eq!((counts.ok, counts.server_error), (2, 1));
}

#[test]
fn health_checks_and_websockets_stay_out_of_latency() {
    let (_, batch) = count(&Config::default(), &[line("/healthz", 200), line("/ws", 101)]);
    for delta in &batch.services[0].series {
        assert_eq!((delta.buckets[0].counts.ok, delta.buckets[0].sketch.count()), (1, 0));
    }
}

#[test]
fn rules_say_what_counts_as_what() {
    let rule = Rule {
        endpoints: vec!["/pay*".into()],
        statuses: vec![StatusOutcome { status: 402, outcome: Outcome::ServerError }],
        verdicts: vec![VerdictOutcome { value: "E1".into(), outcome: Outcome::Timeout }],
        ..Rule::default()
    };
    let quiet = Rule { endpoints: vec!["/quiet".into()], ignore: true, ..Rule::default() };
    let config = Config { rules: vec![rule, quiet], ..Config::default() };
    let failed = Fields { verdict: Cow::Borrowed(b"E1"), ..line("/pay/card", 200) };
    let (counted, batch) =
        count(&config, &[line("/pay/card", 402), failed, line("/pay/card", 200), line("/quiet", 500)]);
    assert_eq!(counted[3], Counted::Ignored);
    let counts = batch.services[0].series[0].buckets[0].counts;
    assert_eq!((counts.server_error, counts.timeout, counts.ok), (1, 1, 1));
}

#[test]
fn a_line_may_name_its_service_and_endpoint() {
    let named =
        Fields { service: Cow::Borrowed(b"a/b"), endpoint: Cow::Borrowed(b"GetCart"), ..line("/rpc", 200) };
    let (_, batch) =
        count(&Config::default(), &[named, Fields { path: Cow::Borrowed(b""), ..line("", 400) }]);
    let key = &batch.services[0].series[0].key;
    assert_eq!((key.service.as_str(), &*key.endpoint), ("p/e/a_b", "GetCart"));
    assert_eq!(&*batch.services[1].series[0].key.endpoint, super::router::NO_ENDPOINT);
}

#[test]
fn data_that_calls_itself_as_the_overflow_is_counted_under_an_ordinary_name() {
    let named = |service: &'static str, endpoint: &'static str, method: &'static str| Fields {
        service: service.as_bytes().into(),
        endpoint: endpoint.as_bytes().into(),
        method: method.as_bytes().into(),
        ..line("", 200)
    };
    let lines = [
        named("__other__", "a", "GET"),
        named("/_other__ ", "a", "GET"),
        named("shop", "__other__", "GET"),
        named("shop", "__ot\u{7}her__", "GET"),
        Fields { path: Cow::Borrowed(b"__other__?x=1"), ..line("", 200) },
        named("shop", "a", "__other__"),
    ];
    let (_, batch) = count(&Config::default(), &lines);
    let mut found = Vec::new();
    for service in &batch.services {
        for delta in &service.series {
            let requests: u64 = delta.buckets.iter().map(|bucket| bucket.counts.total()).sum();
            found.push(format!("{} {} {} {requests}", service.service, delta.key.method, delta.key.endpoint));
        }
    }
    found.sort();
    let expected = ["p/e/_other_ GET a 2", "p/e/shop GET _other_ 3", "p/e/shop _OTHER a 1"];
    assert_eq!(found, expected);
    assert!(batch.drops.is_empty(), "nothing went over a bound: {:?}", batch.drops);
}

#[test]
fn an_endpoint_that_nobody_could_read_is_none() {
    let long = format!("{}x", " ".repeat(300));
    for blank in [" ", "\u{3000}", "\u{7} ", &long] {
        let named = Fields { endpoint: blank.as_bytes().into(), ..line("", 200) };
        let (_, batch) = count(&Config::default(), &[named]);
        assert_eq!(&*batch.services[0].series[0].key.endpoint, super::router::NO_ENDPOINT, "{blank:?}");
    }
}

#[test]
fn a_line_that_speaks_of_no_request_is_not_counted() {
    let (counted, batch) = count(&Config::default(), &[Fields::default()]);
    assert_eq!(counted, [Counted::NotARequest]);
    assert!(batch.is_empty());
}

proptest! {
    #[test]
    fn any_path_has_an_endpoint_without_its_query(path in "\\PC{0,120}") {
        let endpoint = endpoint(&Config::default(), &path);
        prop_assert!(!endpoint.contains('?') && !endpoint.contains('#'));
    }
}

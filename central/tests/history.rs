//! History over HTTP, from a real store.

mod stage;

use goldentime_model::{Outcome, SampleKind, Second, ServiceId};
use goldentime_series::{MetricKey, Reading, Rows};
use goldentime_windows::{Aggregate, EndpointKey};
use serde_json::json;
use stage::{Props, Stage};

#[tokio::test]
async fn history_is_charted_with_percentiles_and_refuses_what_it_does_not_know() {
    let stage = Stage::start(Props::default()).await;
    let service: ServiceId = "shop/prod/order-api".parse().expect("valid");
    let at = Second(1_700_000_400);
    let mut delta = Aggregate::default();
    delta.counts.add_outcome(Outcome::Ok, 9);
    delta.counts.add_outcome(Outcome::Timeout, 1);
    delta.latency.insert_n(0.02, 10);
    let mut rows = Rows::default();
    let key = EndpointKey { endpoint: "/orders/{id}".into(), method: "GET".into() };
    let _ = rows.cell(&service, at).add(&"web-1".into(), &key, &delta);
    let kind = SampleKind::Gauge;
    let queue =
        MetricKey { metric: "queue{name=\"mail\"}".into(), host: "web-1".into(), kind, unit: "1".into() };
    rows.add_sample(&service, queue, at, Reading::of(7.0, at.start()));
    let step = goldentime_series::conformance::step(0, 1, at.0);
    stage.series.commit(&rows, &step).await.expect("committed");

    let base = "/api/v1/services/shop/prod/order-api";
    let span = "from=1700000400&to=1700000460";
    for part in ["", "&host=web-1", "&endpoint=/orders/%7Bid%7D", "&endpoint=/orders/%7Bid%7D&method=GET"] {
        let (status, history) = stage.get(&format!("{base}/history?{span}&step=60{part}")).await;
        let [point] = &history["points"].as_array().expect("points")[..] else { panic!("{history}") };
        assert_eq!((status, &point["at"], &point["requests"]), (200, &json!(1_700_000_400), &json!(10)));
        assert_eq!((&point["bad"], &point["timeout"]), (&json!(1), &json!(1)));
        let p95 = point["p95_ms"].as_f64().expect("a percentile");
        assert!((p95 - 20.0).abs() < 0.11, "{p95}");
    }
    let (_, empty) = stage.get(&format!("{base}/history?{span}&host=web-2")).await;
    assert_eq!(empty["points"], json!([]));
    let (_, series) = stage.get(&format!("{base}/series")).await;
    assert_eq!((&series["hosts"], &series["truncated"]), (&json!(["web-1"]), &json!(false)));
    let asked = format!("/api/v1/samples?service={service}&metric=queue&{span}&step=10");
    let (_, samples) = stage.get(&asked).await;
    assert_eq!(samples["series"][0]["metric"], "queue{name=\"mail\"}");
    assert_eq!(samples["series"][0]["points"][0]["last"], 7.0);
    for wrong in ["step=15", "from=5&to=5", "method=GET", "host=a&endpoint=b", "until=5", "from=0&step=10"] {
        let (status, problem) = stage.get(&format!("{base}/history?{wrong}")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_request")), "{wrong}: {problem}");
    }
}

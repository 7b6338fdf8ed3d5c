//! The live WebSocket and the HTTP API, over a real listener and real stores.

mod stage;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use goldentime_model::{
    Alert, AlertStatus, Fingerprint, Labels, Outcome, Second, ServiceId, Severity, StageTimes, UnixNanos,
};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_windows::{Aggregate, CellKey, EndpointKey, SecondCell, StoredCell, Tier};
use serde_json::{Value, json};
use stage::{Props, Stage};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const WAIT: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A central that so many may watch.
async fn start(clients_max: usize) -> Stage {
    Stage::start(Props { clients_max, ..Props::default() }).await
}

/// Ten requests of one host in one second, one of them bad.
async fn requests(stage: &Stage, service: &ServiceId, second: Second, offset: u64) {
    stage.windows.put(vec![cell(service, second, offset, 9, 1)]).await.expect("put");
}

/// Requests of one host in one second.
fn cell(service: &ServiceId, second: Second, offset: u64, ok: u64, bad: u64) -> StoredCell {
    let mut delta = Aggregate::default();
    delta.counts.add_outcome(Outcome::Ok, ok);
    delta.counts.add_outcome(Outcome::ServerError, bad);
    delta.latency.insert_n(0.02, ok + bad);
    let mut cell = SecondCell::default();
    let key = EndpointKey { endpoint: "/orders/{id}".into(), method: "GET".into() };
    let _ = cell.add(&"web-1".into(), &key, &delta);
    cell.gauges.insert("queue.length".into(), 7.0);
    let key = CellKey { service: service.clone(), tier: Tier::OneSecond, start: second };
    StoredCell { key, partition: 0, offset, blob: cell.encode() }
}

async fn connect(stage: &Stage) -> Socket {
    let (socket, _) = connect_async(format!("ws://{}/api/v1/live", stage.address)).await.expect("connects");
    socket
}

async fn subscribe(socket: &mut Socket, resume: Option<Value>) {
    let mut message = json!({ "type": "subscribe", "view": "home" });
    if let Some(resume) = resume {
        message["resume"] = resume;
    }
    socket.send(Message::text(message.to_string())).await.expect("sends");
}

async fn frame(socket: &mut Socket) -> Value {
    loop {
        let message = timeout(WAIT, socket.next()).await.expect("a frame in time");
        if let Message::Text(text) = message.expect("open").expect("no error") {
            return serde_json::from_str(&text).expect("JSON");
        }
    }
}

fn alert(episode: &str) -> Alert {
    let labels = Labels::from([("alertname".into(), "errors".into())]);
    Alert {
        fingerprint: Fingerprint::of(&labels),
        episode: episode.into(),
        status: AlertStatus::Firing,
        severity: Severity::Critical,
        labels,
        annotations: Labels::new(),
        first_breach: Second(1),
        starts_at: UnixNanos::from_millis(1000),
        ends_at: None,
        stages: StageTimes { occurred: Some(UnixNanos(1_000_000_500_000)), ..StageTimes::default() },
    }
}

fn service() -> ServiceId {
    ServiceId::new("default", "prod", "order-api").expect("valid")
}

#[tokio::test]
async fn a_client_gets_a_snapshot_and_then_numbered_deltas_with_new_seconds() {
    let stage = start(4).await;
    let mut socket = connect(&stage).await;
    subscribe(&mut socket, None).await;
    let snapshot = frame(&mut socket).await;
    assert_eq!(snapshot["type"], "snapshot");
    let mut seq = snapshot["seq"].as_u64().expect("numbered");

    let now = SystemClock.now().second();
    requests(&stage, &service(), now.offset(-1), 1).await;
    let mut point = Value::Null;
    for _ in 0..5 {
        let delta = frame(&mut socket).await;
        assert_eq!((delta["type"].as_str(), delta["seq"].as_u64()), (Some("delta"), Some(seq + 1)));
        seq += 1;
        if let Some(whole) = delta["services"].as_array().expect("a list").first() {
            assert_eq!(whole["id"], "default/prod/order-api");
            point = whole["now"].clone();
            assert_eq!(whole["hosts"][0]["host"], "web-1");
            assert_eq!(whole["history"]["traffic"].as_array().map(Vec::len), Some(300));
            break;
        }
    }
    assert_eq!((point["traffic"].as_f64(), point["errors"].as_f64()), (Some(10.0), Some(0.1)));
    let p95 = point["p95_ms"].as_f64().expect("timed");
    assert!((p95 - 20.0).abs() < 20.0 * 0.0055, "{p95}");
}

/// Alerts that are sent one after the other, as many as a snapshot holds.
const ALERTS: usize = 10;

#[tokio::test]
async fn seconds_that_stray_from_what_was_usual_are_told_with_how_far() {
    let stage = start(4).await;
    let now = SystemClock.now().second();
    let minutes = (1..290).map(|ago| {
        // Twenty seconds ago errors began to surge.
        let (ok, bad) = if ago < 20 { (60, 40) } else { (99, 1) };
        cell(&service(), now.offset(-ago), 290 - ago as u64, ok, bad)
    });
    stage.windows.put(minutes.collect()).await.expect("put");
    let mut socket = connect(&stage).await;
    subscribe(&mut socket, None).await;
    let mut strays = Vec::new();
    for _ in 0..5 {
        let told = frame(&mut socket).await;
        if let Some(whole) = told["services"].as_array().and_then(|services| services.first()) {
            strays = whole["history"]["strays"].as_array().cloned().unwrap_or_default();
            break;
        }
    }
    let errors: Vec<i64> = strays
        .iter()
        .filter(|stray| stray["errors"].as_f64() > Some(6.0))
        .filter_map(|s| s["s"].as_i64())
        .collect();
    assert_eq!(errors.first(), Some(&(now.0 - 19)), "{strays:?}");
    assert!(errors.len() >= 19, "{strays:?}");
    assert!(strays.iter().all(|stray| stray.get("latency").is_none()), "{strays:?}");
}

#[tokio::test]
async fn an_alert_arrives_at_once_and_stands_in_the_next_snapshot() {
    let stage = start(4).await;
    let mut socket = connect(&stage).await;
    subscribe(&mut socket, None).await;
    frame(&mut socket).await;
    // Each is sent when the one before has come. Did they wait for the next second, a second's delta
    // would stand before each.
    let (mut alerts, mut deltas) = (0, 0);
    stage.alerts.send(alert("0")).await.expect("taken");
    while alerts < ALERTS {
        let message = frame(&mut socket).await;
        if message["type"] == "delta" {
            deltas += 1;
            continue;
        }
        assert_eq!(message["alert"]["episode"], alerts.to_string());
        assert_eq!(message["alert"]["stages"]["occurred_ms"], 1_000_000.5);
        alerts += 1;
        stage.alerts.send(alert(&alerts.to_string())).await.expect("taken");
    }
    assert!(deltas < ALERTS, "an alert does not wait for the next second");

    let mut second = connect(&stage).await;
    subscribe(&mut second, None).await;
    let snapshot = frame(&mut second).await;
    assert!(snapshot["alerts"].as_array().expect("a list").iter().any(|known| known["episode"] == "9"));
}

#[tokio::test]
async fn a_client_that_comes_back_gets_just_the_frames_that_it_missed() {
    let stage = start(4).await;
    let mut socket = connect(&stage).await;
    subscribe(&mut socket, None).await;
    let snapshot = frame(&mut socket).await;
    let (boot, seq) = (snapshot["boot"].clone(), snapshot["seq"].as_u64().expect("numbered"));
    drop(socket);
    for episode in ["one", "two", "three"] {
        stage.alerts.send(alert(episode)).await.expect("taken");
    }
    let mut socket = connect(&stage).await;
    subscribe(&mut socket, Some(json!({ "boot": boot, "seq": seq }))).await;
    for missed in seq + 1..=seq + 3 {
        let frame = frame(&mut socket).await;
        assert_eq!(frame["seq"].as_u64(), Some(missed), "{frame}");
        assert_ne!(frame["type"], "snapshot");
    }
    let mut stranger = connect(&stage).await;
    subscribe(&mut stranger, Some(json!({ "boot": "another", "seq": seq }))).await;
    assert_eq!(frame(&mut stranger).await["type"], "snapshot", "numbers of another boot do not compare");
}

#[tokio::test]
async fn a_client_that_talks_nonsense_is_closed_with_the_reason() {
    let stage = start(4).await;
    let mut socket = connect(&stage).await;
    socket.send(Message::text("hello")).await.expect("sends");
    let closed = timeout(WAIT, socket.next()).await.expect("in time").expect("a frame").expect("no error");
    let Message::Close(Some(frame)) = closed else { panic!("not closed: {closed:?}") };
    assert_eq!(u16::from(frame.code), 1008);
    assert!(frame.reason.contains("not a subscribe message"), "{}", frame.reason);
}

#[tokio::test]
async fn pages_of_other_origins_and_too_many_clients_are_refused_by_name() {
    let stage = start(1).await;
    let refusal = async |origin: Option<&'static str>| {
        let mut request = format!("ws://{}/api/v1/live", stage.address).into_client_request().expect("valid");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("valid"));
        }
        match connect_async(request).await {
            Err(Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                let problem: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
                (answer.status().as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
            }
            other => panic!("not refused: {other:?}"),
        }
    };
    assert_eq!(refusal(Some("http://evil.example")).await, (403, "origin_not_allowed".to_owned()));
    let _first = connect(&stage).await;
    assert_eq!(refusal(None).await, (503, "too_many_clients".to_owned()));
}

#[tokio::test]
async fn a_window_is_answered_with_counts_by_endpoint_and_host() {
    let stage = start(1).await;
    let now = SystemClock.now().second();
    for back in 1..=3 {
        requests(&stage, &service(), now.offset(-back), 1).await;
    }
    let (status, window) = stage.get("/api/v1/windows?service=default/prod/order-api&seconds=60").await;
    assert_eq!(status, 200);
    assert_eq!((window["total"]["requests"].as_u64(), window["total"]["bad"].as_u64()), (Some(30), Some(3)));
    assert_eq!(window["endpoints"][0]["endpoint"], "/orders/{id}");
    assert_eq!(window["hosts"][0]["requests"], 30);
    assert_eq!(window["gauges"]["queue.length"], 7.0);
}

#[tokio::test]
async fn bad_requests_get_problems_that_name_what_is_wrong() {
    let stage = start(1).await;
    for (path, status, words) in [
        ("/api/v1/windows?service=order-api", 400, "project/environment/service"),
        ("/api/v1/windows?service=a/b/c&seconds=9999", 400, "1200"),
        ("/api/v1/windows?service=a/b/c&secnods=1", 400, "secnods"),
        ("/api/v1/alerts/history?limit=0", 400, "limit"),
        ("/api/v1/nothing", 404, "/api/v1/nothing"),
    ] {
        let (answered, problem) = stage.get(path).await;
        assert_eq!(answered, status, "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
    }
    let client = goldentime_testkit::http_client();
    let url = format!("http://{}/readyz", stage.address);
    let rebound = client.get(url).header("host", "evil.example").send().await.expect("answers");
    assert_eq!(rebound.status().as_u16(), 400);
    assert!(rebound.headers().contains_key("content-security-policy"));
}

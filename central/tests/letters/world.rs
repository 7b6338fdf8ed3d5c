//! A running central, somebody who speaks as an agent, and the command line beside it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use goldentime_model::ServiceId;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::programs::{Central, CentralConfig, program};
use goldentime_testkit::wait;
use goldentime_transport::client::{Client, RecordSender, Session};
use goldentime_transport::enrol::enrol;
use goldentime_wire::proto::control::Frame;
use goldentime_wire::proto::record::Body;
use goldentime_wire::proto::stream_header::Class;
use goldentime_wire::proto::{self, Hello, Record};
use prost::Message;
use serde_json::Value;
use tokio::time::timeout;

/// The longest that anything here may take.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// As `central.yaml` has it by default.
pub(crate) const PARTITIONS: u32 = 4;

/// Starts a central in a folder.
pub(crate) async fn central(folder: &Path) -> Central {
    central_with(folder, "").await
}

/// Starts one with further settings.
pub(crate) async fn central_with(folder: &Path, yaml: &str) -> Central {
    let mut config = CentralConfig::new(folder, None).expect("configured");
    config.extra_yaml.push_str("series:\n  fold_for: 100ms\n");
    config.extra_yaml.push_str(yaml);
    config.start().await.expect("starts")
}

/// Somebody who speaks as an agent of the project `shop`.
pub(crate) struct Agent {
    pub(crate) id: String,
    session: Session,
    live: RecordSender,
}

impl Agent {
    /// Enrols and connects.
    pub(crate) async fn of(central: &Central) -> Self {
        let address = format!("127.0.0.1:{}", central.config.agents_port);
        let token = central.join_token("shop").expect("made").parse().expect("a token");
        let identity = enrol(&address, &token, "web-1").await.expect("enrolled");
        let hello = Hello {
            version: 1,
            host: "web-1".into(),
            agent_version: "test".into(),
            environment: "prod".into(),
            started_ns: 1,
            ..Hello::default()
        };
        let client = Client::new(&identity).expect("client");
        let session = client.connect(&address, hello).await.expect("welcomed");
        let live = session.uplink.open_stream(Class::Live).await.expect("stream");
        Self { id: identity.agent.clone(), session, live }
    }

    /// Sends bytes as a record.
    pub(crate) async fn send(&mut self, bytes: Vec<u8>) {
        self.live.send(bytes.into()).await.expect("sent");
    }

    /// Sends records, and waits until the last is acknowledged.
    pub(crate) async fn send_all(&mut self, records: &[Record]) {
        let last = records.iter().map(|record| record.number).max().expect("there are records");
        for record in records {
            self.send(record.encode_to_vec()).await;
        }
        let acknowledged = async {
            loop {
                match self.session.replies.next().await.expect("readable").expect("open") {
                    Frame::Ack(ack) if ack.number >= last => return,
                    _ => {}
                }
            }
        };
        timeout(SOON, acknowledged).await.expect("acknowledged in time");
    }
}

/// A service whose requests are counted here.
pub(crate) fn service() -> ServiceId {
    ServiceId::new("shop", "prod", "order-api").expect("valid")
}

/// The present second.
pub(crate) fn present() -> i64 {
    SystemClock.now().second().0
}

/// A valid record of so many requests in a second.
pub(crate) fn record(number: u64, second: i64, requests: u64) -> Record {
    let bucket = proto::Bucket { second, ok: requests, ..Default::default() };
    let series =
        proto::SeriesDelta { endpoint: "/orders".into(), method: "GET".into(), buckets: vec![bucket] };
    Record {
        version: goldentime_wire::RECORD_VERSION,
        stream: Bytes::copy_from_slice(&[9; 16]),
        partition: service().partition(PARTITIONS),
        number,
        service: service().to_string(),
        host: "web-1".into(),
        agent: "a1".into(),
        body: Some(Body::Deltas(proto::Deltas { series: vec![series] })),
        ..Default::default()
    }
}

/// The same record as of an agent that counts other partitions than the central.
pub(crate) fn misplaced(record: Record) -> Record {
    Record { partition: (record.partition + 1) % PARTITIONS, ..record }
}

/// Runs `goldentime-central deadletter …`.
pub(crate) fn deadletter(config: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program("goldentime-central").expect("built"));
    command.arg("deadletter").args(args).arg("--config").arg(config).output().expect("runs")
}

/// Begins `goldentime-central deadletter replay --all`.
pub(crate) fn replaying(config: &Path) -> Child {
    let mut command = Command::new(program("goldentime-central").expect("built"));
    command.args(["deadletter", "replay", "--all", "--config"]).arg(config);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs")
}

/// A new API token of this role.
pub(crate) fn api_token(config: &Path, role: &str) -> String {
    let mut command = Command::new(program("goldentime-central").expect("built"));
    command.args(["api-token", "create", "--name", role, "--role", role, "--config"]).arg(config);
    said(&command.output().expect("runs")).0.trim().to_owned()
}

/// What it printed to standard output, and to standard error.
pub(crate) fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// The letters that it lists.
pub(crate) fn listed(config: &Path, args: &[&str]) -> Vec<Value> {
    let output = deadletter(config, &[&["list", "--json", "--limit", "5000"], args].concat());
    assert!(output.status.success(), "{:?}", said(&output));
    said(&output).0.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Waits until so many letters are listed.
pub(crate) async fn letters(config: &Path, args: &[&str], count: usize) -> Vec<Value> {
    let reached = || async {
        let letters = listed(config, args);
        (letters.len() >= count).then_some(letters)
    };
    let letters = wait::until("dead letters", SOON, reached).await.expect("in time");
    assert_eq!(letters.len(), count, "{letters:#?}");
    letters
}

/// Requests on live charts, and in history.
async fn counted(central: &Central) -> Option<(u64, u64)> {
    let window = central.get(&format!("/api/v1/windows?service={}&seconds=600", service())).await.ok()?;
    let (from, to) = ((present() - 900) / 10 * 10, (present() + 60) / 10 * 10);
    let path = format!("/api/v1/services/{}/history?from={from}&to={to}&step=10", service());
    let history = central.get(&path).await.ok()?;
    let points = history["points"].as_array()?.iter();
    let points = points.filter_map(|point| point["requests"].as_u64());
    Some((window["total"]["requests"].as_u64()?, points.sum()))
}

/// Waits until live charts and history have so many requests, and still have them a while later.
pub(crate) async fn assert_counted(central: &Central, requests: u64) {
    let reached = || async {
        let (live, history) = counted(central).await?;
        (live >= requests && history >= requests).then_some(())
    };
    let reached = wait::until("requests to be counted", SOON, reached).await;
    // Something counted twice may come late as well.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(counted(central).await, Some((requests, requests)), "{reached:?}");
}

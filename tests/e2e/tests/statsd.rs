//! Real StatsD clients: what the central counts equals what each says that it sent.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{agent_status, agent_until, central_until, window_of};
use goldentime_e2e::clients::{self, Sent};
use goldentime_e2e::fault::Dice;
use goldentime_e2e::is_full;
use goldentime_e2e::pages::{self, Page};
use goldentime_testkit::ports::{free_udp, loopback};
use goldentime_testkit::programs::{Agent, AgentConfig, Central, CentralConfig};
use goldentime_testkit::receivers::WebhookReceiver;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Rules of names without tags, before the default one.
const RULES: &str = "    rules:
      - metrics: ['legacy.api.{endpoint}.{method}.{status}']
        service: legacy
      - types: [timer, histogram, distribution]
        needs: [endpoint, outcome]
";

/// How often a client sends each type.
fn rounds() -> u32 {
    if is_full() { 20_000 } else { 1000 }
}

/// A central, and an agent that listens to StatsD and nothing else.
struct Listening {
    _folder: tempfile::TempDir,
    central: Central,
    agent: Agent,
    port: u16,
    socket: PathBuf,
}

impl Listening {
    async fn start() -> Result<Self> {
        Self::start_with(None, None).await
    }

    /// With a rule, by name and text, and a webhook that is told.
    async fn start_with(webhook: Option<&str>, rule: Option<(&str, &str)>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("goldentime-statsd-").tempdir()?;
        let config = CentralConfig::new(&folder.path().join("central"), webhook)?;
        if let Some((name, text)) = rule {
            std::fs::write(config.slo_dir.join(format!("{name}.yaml")), text)?;
        }
        let central = config.start().await?;
        let address = format!("127.0.0.1:{}", central.config.agents_port);
        let token = central.join_token("default")?;
        let mut config = AgentConfig::new(&folder.path().join("agent"), &address, &token, "web-1")?;
        let (port, socket) = (free_udp(), folder.path().join("dsd.sock"));
        config.inputs_yaml = format!(
            "  statsd:\n    enabled: true\n    udp: ['127.0.0.1:{port}']\n    unix: {{path: {}}}\n{RULES}",
            socket.display()
        );
        let agent = config.start()?;
        let listening = Self { _folder: folder, central, agent, port, socket };
        agent_until(&listening.agent, "statsd to listen", is_listening).await?;
        Ok(listening)
    }

    /// Compares what the central counted of a service with what its client sent.
    async fn assert_counted(&self, service: &str, sent: &Sent) -> Result<()> {
        let expected: u64 = sent.requests.values().map(|(requests, _)| requests).sum();
        let window = window_of(&self.central, service, 1200, expected).await?;
        let counted = window["endpoints"].as_array().context("endpoints")?.iter().map(|endpoint| {
            let text = |name: &str| endpoint[name].as_str().unwrap_or_default();
            let count = |name: &str| endpoint[name].as_u64().unwrap_or_default();
            (format!("{} {}", text("method"), text("endpoint")), (count("requests"), count("bad")))
        });
        let counted: BTreeMap<_, _> = counted.collect();
        ensure!(counted == sent.requests, "{service}:\n central {counted:?}\n client  {:?}", sent.requests);
        Ok(())
    }

    /// Compares the values that the agent took by type with what all clients sent, and fails if
    /// anything was dropped.
    async fn assert_taken(&self, sent: &[&Sent]) -> Result<()> {
        let mut expected = BTreeMap::new();
        for (kind, count) in sent.iter().flat_map(|sent| &sent.metrics) {
            *expected.entry(kind.clone()).or_default() += count;
        }
        let sum: u64 = expected.values().sum();
        let status = agent_until(&self.agent, "every value to be taken", |status| {
            by_type(status).values().sum::<u64>() >= sum
        });
        let status = status.await?;
        ensure!(by_type(&status) == expected, "agent {:?}\n clients {expected:?}", by_type(&status));
        ensure!(status["drops"] == serde_json::json!({}), "dropped: {}", status["drops"]);
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        self.agent.stop().await?;
        ensure!(!self.socket.exists(), "the socket goes with its agent");
        self.central.stop().await?;
        Ok(())
    }
}

fn is_listening(status: &Value) -> bool {
    status["statsd"]["status"]["listeners"].as_array().is_some_and(|listeners| !listeners.is_empty())
}

fn by_type(status: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(status["statsd"]["status"]["metrics"].clone()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_equal_what_real_clients_sent() -> Result<()> {
    let listening = Listening::start().await?;
    let (port, socket) = (listening.port, listening.socket.display().to_string());
    let plain = clients::datadog(&socket, "plain", rounds()).await?;
    let buffered = clients::datadog(&port.to_string(), "buffered", rounds()).await?;
    let aggregated = clients::datadog(&port.to_string(), "aggregated", rounds()).await?;
    let legacy = clients::statsd(port, rounds()).await?;
    let node = clients::hot_shots(port, rounds()).await?;
    listening.assert_counted("py-plain", &plain).await?;
    listening.assert_counted("py-buffered", &buffered).await?;
    listening.assert_counted("py-aggregated", &aggregated).await?;
    listening.assert_counted("legacy", &legacy).await?;
    listening.assert_counted("node", &node).await?;
    listening.assert_taken(&[&plain, &buffered, &aggregated, &legacy, &node]).await?;
    listening.stop().await
}

/// More than half of the readings of three seconds are above 100.
const QUEUE_RULE: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata: {name: mail-queue}
spec:
  service: mailer
  indicator:
    metadata: {name: mail-queue}
    spec:
      thresholdMetric:
        metricSource:
          type: goldentime
          spec: {signal: saturation, metric: 'queue.length{queue="mail"}', threshold: 100}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.5}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: mail-queue}
      spec:
        alertWhenBreaching: true
        alertWhenResolved: true
        conditions:
          - kind: AlertCondition
            metadata: {name: mail-queue}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 1, lookbackWindow: 3s, alertAfter: 0s}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_gauge_and_a_counter_are_alerted_on_and_kept_as_history() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let listening = Listening::start_with(Some(&hook.url()), Some(("mail-queue", QUEUE_RULE))).await?;
    let (length, ended) = (Arc::new(AtomicU64::new(17)), CancellationToken::new());
    let mut worker = JoinSet::new();
    worker.spawn(report_queue(listening.port, Arc::clone(&length), ended.clone()));
    // Of a second the last reading is kept: ten come in one, and twenty are not all within one.
    let status = |status: &Value| status["statsd"]["status"]["metrics"]["gauge"].as_u64() > Some(20);
    agent_until(&listening.agent, "readings over two seconds", status).await?;
    let windows = "/api/v1/windows?service=default/default/mailer&seconds=10";
    let is_counted = |window: &Value| {
        let mut gauges = window["gauges"].as_object().into_iter().flatten();
        gauges.any(|(key, reading)| key.starts_with("queue.length{") && *reading == 17.0)
    };
    central_until(&listening.central, windows, "the readings", is_counted).await?;
    ensure!(pages::all(&hook).is_empty(), "{:#?}", pages::all(&hook));
    length.store(250, Ordering::Relaxed);
    let of = |is_firing| move |page: &Page| page.name == "mail-queue" && page.is_firing == is_firing;
    pages::until(&hook, "the page", of(true)).await?;
    length.store(18, Ordering::Relaxed);
    pages::until(&hook, "the resolve", of(false)).await?;
    ended.cancel();
    let sent = worker.join_next().await.context("the worker was started")???;
    let central = &listening.central;
    let points = |answer: &Value, field: &str| -> Vec<f64> {
        let series = answer["series"].as_array().into_iter().flatten();
        let points = series.flat_map(|series| series["points"].as_array().cloned().unwrap_or_default());
        points.filter_map(|point| point[field].as_f64()).collect()
    };
    let asked = "/api/v1/samples?service=default/default/mailer&metric=";
    let is_whole = |answer: &Value| points(answer, "sum").iter().sum::<f64>() >= sent as f64;
    let counter = format!("{asked}mails.sent");
    let counter = central_until(central, &counter, "the counter's history", is_whole).await?;
    let sums: f64 = points(&counter, "sum").iter().sum();
    ensure!(sums == sent as f64, "{sums} in history, {sent} sent");
    let gauge = central.get(&format!("{asked}queue.length%7Bqueue%3D%22mail%22%7D")).await?;
    let highest = points(&gauge, "max").into_iter().fold(0.0, f64::max);
    let lowest = points(&gauge, "min").into_iter().fold(f64::INFINITY, f64::min);
    ensure!((lowest, highest) == (17.0, 250.0), "{gauge:#}");
    listening.stop().await
}

/// A worker that says every tenth of a second how long its queue is, and counts three mails. Gives how
/// many it counted.
async fn report_queue(port: u16, length: Arc<AtomicU64>, ended: CancellationToken) -> Result<u64> {
    let socket = tokio::net::UdpSocket::bind(loopback(0)).await?;
    socket.connect(loopback(port)).await?;
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(100), ended.cancelled()).await.is_err() {
        let length = length.load(Ordering::Relaxed);
        let lines =
            format!("queue.length:{length}|g|#service:mailer,queue:mail\nmails.sent:3|c|#service:mailer");
        socket.send(lines.as_bytes()).await?;
        sent += 3;
    }
    Ok(sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_at_full_rate_changes_no_good_count() -> Result<()> {
    let listening = Listening::start().await?;
    let ended = CancellationToken::new();
    let _ended_on_failure = ended.clone().drop_guard();
    let mut floods = JoinSet::new();
    floods.spawn_blocking(flood_unix(&listening.socket, ended.clone())?);
    floods.spawn_blocking(flood_udp(listening.port, ended.clone())?);
    // The flood has begun: garbage is counted.
    agent_until(&listening.agent, "garbage to be counted", |status| {
        status["drops"]["statsd_form"].as_u64() > Some(10_000)
    })
    .await?;
    let sent = clients::datadog(&listening.socket.display().to_string(), "plain", rounds()).await?;
    ended.cancel();
    let mut garbage = 0;
    while let Some(flood) = floods.join_next().await {
        garbage += flood?;
    }
    println!("{garbage} datagrams of garbage");
    listening.assert_counted("py-plain", &sent).await?;
    let rss = listening.agent.process().rss_bytes();
    ensure!(rss < 400 << 20, "{rss} bytes resident");
    listening.stop().await
}

/// A thread's work: random datagrams and lines that are almost right, as fast as the socket takes
/// them.
fn flood_unix(path: &Path, ended: CancellationToken) -> Result<impl FnOnce() -> u64 + use<>> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(move || flood("unix", ended, |datagram| socket.send(datagram).is_ok()))
}

fn flood_udp(port: u16, ended: CancellationToken) -> Result<impl FnOnce() -> u64 + use<>> {
    let socket = std::net::UdpSocket::bind(loopback(0))?;
    socket.connect(loopback(port))?;
    Ok(move || flood("udp", ended, |datagram| socket.send(datagram).is_ok()))
}

fn flood(name: &str, ended: CancellationToken, send: impl Fn(&[u8]) -> bool) -> u64 {
    let mut dice = Dice::roll(name);
    let mut sent = 0;
    while !ended.is_cancelled() {
        for _ in 0..100 {
            let mut datagram = dice.bytes(1..=300);
            // Good lines have no colon but behind a name, and none of this service.
            datagram.retain(|byte| *byte != b':');
            sent += u64::from(send(&datagram));
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_takes_the_socket_over_and_says_what_may_be_lost() -> Result<()> {
    let listening = Listening::start().await?;
    let Listening { _folder, central, agent, port, socket } = listening;
    // That it began to read is on disk with the next flush, and so before anything that is flushed.
    let flushes = |status: &Value| status["flush"]["flushes"].as_u64().unwrap_or_default();
    let before = flushes(&agent_status(&agent)?);
    agent_until(&agent, "a flush", |status| flushes(status) > before + 1).await?;
    let agent = agent.kill9().start()?;
    let status = agent_until(&agent, "the agent to say what may be lost", |status| {
        status["drops"]["statsd_flush_lost_by_kill"] == 1
    });
    status.await?;
    let listening = Listening { _folder, central, agent, port, socket };
    let sent = clients::datadog(&listening.socket.display().to_string(), "buffered", 50).await?;
    tokio::time::timeout(Duration::from_secs(60), listening.assert_counted("py-buffered", &sent)).await??;
    listening.stop().await
}

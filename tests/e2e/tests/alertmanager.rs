//! Alertmanager's API by those who speak it: Debian's amtool and Prometheus, both unchanged.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{PATIENCE, central_command};
use goldentime_e2e::pages;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::process::{Process, Program, find};
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::{http_client, ports, wait};
use serde_json::Value;

/// A central with an on-call channel and one for the rest, and a token that may change things.
struct World {
    folder: tempfile::TempDir,
    central: Central,
    oncall: WebhookReceiver,
    rest: WebhookReceiver,
    token: String,
}

const ROUTES: &str = "  receivers: [{name: team-night, channels: [oncall]}]
  time_intervals: [{name: weekend, time_intervals: [{weekdays: ['saturday:sunday'], location: Asia/Seoul}]}]
  inhibit_rules: [{source_matchers: ['severity=\"page\"'], target_matchers: ['severity=\"ticket\"'], equal: [host]}]
  group_interval: 0
  debounce: 0
  route:
    receiver: rest
    group_by: [alertname, host]
    routes:
      - {matchers: ['severity=\"page\"', 'team!~\"db|batch\"'], receiver: team-night}
";

impl World {
    async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("goldentime-e2e-").tempdir()?;
        let (oncall, rest) = (WebhookReceiver::start().await?, WebhookReceiver::start().await?);
        let mut config = CentralConfig::new(&folder.path().join("central"), None)?;
        config.notify_yaml = format!(
            "  channels:\n  - {{name: oncall, webhook: {{url: '{}'}}}}\n  - {{name: rest, webhook: {{url: '{}'}}}}\n{ROUTES}",
            oncall.url(),
            rest.url()
        );
        let central = config.start().await?;
        let made = central_command(
            &["api-token", "create", "--name", "tools", "--role", "editor"],
            &central.config.file(),
        )?;
        Ok(Self { folder, central, oncall, rest, token: made.trim().to_owned() })
    }

    /// Runs amtool with the token as a password.
    fn amtool(&self, arguments: &[&str]) -> Result<String> {
        let url = format!("http://amtool:{}@127.0.0.1:{}", self.token, self.central.config.http_port);
        let output = self.amtool_at(&url, arguments)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "amtool {arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    fn amtool_at(&self, url: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(find("amtool")?);
        // What a developer has configured is no business of this test.
        command.env("HOME", self.folder.path()).arg(format!("--alertmanager.url={url}")).args(arguments);
        command.output().context("amtool")
    }

    fn amtool_json(&self, arguments: &[&str]) -> Result<Value> {
        let said = self.amtool(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&said).with_context(|| said)
    }

    /// Waits until amtool lists so many alerts.
    async fn until_listed(&self, arguments: &[&str], count: usize) -> Result<Value> {
        let listed = || async {
            let listed = self.amtool_json(arguments).ok()?;
            (listed.as_array()?.len() == count).then_some(listed)
        };
        let waited = wait::until(&format!("{count} alerts"), PATIENCE, listed).await;
        waited.with_context(|| format!("{:?}", self.amtool_json(arguments)))
    }

    fn add_alert(&self, labels: &[&str]) -> Result<()> {
        self.amtool(&[&["alert", "add"][..], labels].concat()).map(drop)
    }
}

fn of<'a>(host: &'a str, is_firing: bool) -> impl Fn(&pages::Page) -> bool + 'a {
    move |page| page.host.as_deref() == Some(host) && page.is_firing == is_firing
}

#[tokio::test(flavor = "multi_thread")]
async fn amtool_adds_lists_and_ends_alerts_and_silences() -> Result<()> {
    let world = World::start().await?;
    world.add_alert(&[
        "DiskFull",
        "host=web-1",
        "severity=page",
        "--annotation=summary=디스크가 찼습니다",
    ])?;
    let page = pages::until(&world.oncall, "the page", of("web-1", true)).await?;
    assert_eq!(page.alert["annotations"]["summary"], "디스크가 찼습니다");
    world.add_alert(&["DiskFull", "host=db-1", "severity=page", "team=db"])?;
    pages::until(&world.rest, "the other route's page", of("db-1", true)).await?;

    let made = world.amtool(&[
        "silence",
        "add",
        "host=~web-[23]",
        "--author=kim",
        "--comment=deploy",
        "-d",
        "1h",
    ])?;
    let id = made.trim();
    world.add_alert(&["DiskFull", "host=web-2", "severity=page"])?;
    world.add_alert(&["Slow", "host=web-1", "severity=ticket"])?;
    world.until_listed(&["alert", "query"], 2).await?;
    let silenced = world.until_listed(&["alert", "query", "-s", "host=web-2"], 1).await?;
    assert_eq!(silenced[0]["status"]["silencedBy"], serde_json::json!([id]));
    assert_eq!(silenced[0]["receivers"][0]["name"], "team-night");
    let inhibited = world.until_listed(&["alert", "query", "-i", "alertname=Slow"], 1).await?;
    assert_eq!(inhibited[0]["status"]["state"], "suppressed");
    assert_eq!(inhibited[0]["status"]["inhibitedBy"].as_array().map(Vec::len), Some(1));

    let silences = world.amtool_json(&["silence", "query"])?;
    assert_eq!((&silences[0]["id"], &silences[0]["comment"]), (&id.into(), &"deploy".into()));
    assert!(silences[0]["createdBy"].as_str().is_some_and(|by| by.contains("kim") && by.contains("tools")));
    world.amtool(&["silence", "update", "-d", "2h", id])?;
    let extended = world.amtool_json(&["silence", "query"])?;
    assert_eq!(extended[0]["id"], *id, "an edit of its end alone keeps a silence's id");
    assert!(extended[0]["endsAt"].as_str() > silences[0]["endsAt"].as_str());
    world.amtool(&["silence", "expire", id])?;
    pages::until(&world.oncall, "what still fires", of("web-2", true)).await?;
    assert_eq!(world.amtool_json(&["silence", "query"])?.as_array().map(Vec::len), Some(0));
    assert_eq!(world.amtool_json(&["silence", "query", "--expired"])?[0]["status"]["state"], "expired");

    let now = now_rfc3339();
    world.add_alert(&["DiskFull", "host=web-1", "severity=page", &format!("--end={now}")])?;
    pages::until(&world.oncall, "its end", of("web-1", false)).await?;
    pages::until(&world.rest, "what it inhibited", of("web-1", true)).await?;
    Ok(())
}

/// The present as amtool reads it.
fn now_rfc3339() -> String {
    let seconds = SystemClock.now().second().0;
    let output =
        Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8_lossy(&output.expect("date runs").stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn amtool_reads_the_routes_and_nobody_changes_anything_without_a_token() -> Result<()> {
    let world = World::start().await?;
    let shown = world.amtool(&["config", "show"])?;
    assert!(shown.contains("team-night") && !shown.contains("http"), "{shown}");
    assert!(world.amtool(&["config", "routes", "show"])?.contains("team-night"));
    let ends = |labels: &[&str]| world.amtool(&[&["config", "routes", "test"][..], labels].concat());
    assert_eq!(ends(&["severity=page"])?.trim(), "team-night");
    assert_eq!(ends(&["severity=page", "team=db"])?.trim(), "rest");
    for (who, credentials) in
        [("nobody", ""), ("somebody", "amtool:gta_0000000000000000000000000000000000000000@")]
    {
        let url = format!("http://{credentials}127.0.0.1:{}", world.central.config.http_port);
        let refused = world.amtool_at(&url, &["alert", "add", "DiskFull"])?;
        assert!(!refused.status.success(), "{who}");
    }
    let viewer = central_command(&["api-token", "create", "--name", "looks"], &world.central.config.file())?;
    let url = format!("http://amtool:{}@127.0.0.1:{}", viewer.trim(), world.central.config.http_port);
    assert!(world.amtool_at(&url, &["alert", "query"])?.status.success());
    assert!(!world.amtool_at(&url, &["silence", "add", "a=b", "--comment=c"])?.status.success());
    Ok(())
}

/// A Prometheus whose only rule is true while its file has it.
struct Prometheus {
    _process: Process,
    port: u16,
    rules: PathBuf,
}

impl Prometheus {
    async fn start(world: &World) -> Result<Self> {
        let folder = world.folder.path().join("prometheus");
        std::fs::create_dir_all(&folder)?;
        let (port, rules) = (ports::free_tcp(), folder.join("rules.yml"));
        std::fs::write(&rules, rule("vector(1)"))?;
        std::fs::write(
            folder.join("prometheus.yml"),
            format!(
                "global: {{evaluation_interval: 1s}}\nrule_files: [rules.yml]\nalerting:\n  alertmanagers:\n  \
                 - authorization: {{credentials: {}}}\n    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
                world.token, world.central.config.http_port
            ),
        )?;
        let mut process = Program::new("prometheus", find("prometheus")?, &folder)
            .args([
                "--config.file=prometheus.yml".to_owned(),
                "--storage.tsdb.path=data".to_owned(),
                format!("--web.listen-address=127.0.0.1:{port}"),
                "--web.enable-lifecycle".to_owned(),
                // It finds whom to tell some seconds after its start, and tells again only after this.
                "--rules.alert.resend-delay=2s".to_owned(),
            ])
            .start()?;
        process
            .ready(PATIENCE, || async move {
                wait::until_listening("prometheus", port, Duration::ZERO).await.is_ok()
            })
            .await?;
        Ok(Self { _process: process, port, rules })
    }

    /// Makes the rule false, so that its alert ends.
    async fn heal(&self) -> Result<()> {
        std::fs::write(&self.rules, rule("vector(1) > 2"))?;
        let url = format!("http://127.0.0.1:{}/-/reload", self.port);
        http_client().post(url).send().await?.error_for_status()?;
        Ok(())
    }
}

fn rule(expression: &str) -> String {
    format!(
        "groups:\n- name: test\n  rules:\n  - alert: QueueFull\n    expr: {expression}\n    \
         labels: {{severity: page, host: mq-1}}\n    annotations: {{summary: the queue is full}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_prometheus_finds_is_told_taken_care_of_and_over_when_it_says_so() -> Result<()> {
    let world = World::start().await?;
    let prometheus = Prometheus::start(&world).await?;
    let page = pages::until(&world.oncall, "the page", of("mq-1", true)).await?;
    assert_eq!(
        (page.name.as_str(), &page.alert["annotations"]["summary"]),
        ("QueueFull", &"the queue is full".into())
    );
    let config = world.central.config.file();
    let listed = central_command(&["alerts", "list", "--filter", "host=mq-1", "--json"], &config)?;
    let listed: Value = serde_json::from_str(&listed).with_context(|| listed.clone())?;
    assert_eq!(listed["episode"], page.episode);
    central_command(&["alerts", "ack", &page.episode[..20], "--by", "kim", "--text", "on it"], &config)?;
    let acknowledged = || async {
        let active = world.central.get("/api/v1/alerts").await.ok()?;
        (active[0]["acknowledged"]["by"] == "kim").then_some(())
    };
    wait::until("the running central to know", PATIENCE, acknowledged).await?;

    // By the API, as a program.
    let url = format!("{}/api/v1/alerts/{}/notes", world.central.url(), page.episode);
    let note = serde_json::json!({"text": "여유 공간을 늘렸습니다"});
    let client = http_client();
    assert_eq!(client.post(&url).json(&note).send().await?.status(), 403, "who only looks writes nothing");
    assert!(client.post(&url).bearer_auth(&world.token).json(&note).send().await?.status().is_success());
    prometheus.heal().await?;
    pages::until(&world.oncall, "its end", of("mq-1", false)).await?;
    let shown = central_command(&["alerts", "show", &page.episode], &config)?;
    for expected in
        ["fired over oncall", "acknowledged by kim: on it", "noted by tools: 여유", "resolved over oncall"]
    {
        assert!(shown.contains(expected), "{expected} not in:\n{shown}");
    }
    assert_eq!(pages::all(&world.oncall).len(), 2, "told once, and its end once");
    Ok(())
}

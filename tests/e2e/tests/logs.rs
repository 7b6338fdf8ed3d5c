//! Shipped log lines: each found once, whatever is killed on the way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use goldentime_e2e::ask::{PATIENCE, central_until, log_lines};
use goldentime_e2e::fault::Dice;
use goldentime_e2e::is_full;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::engines::elasticsearch;
use goldentime_testkit::programs::{AgentConfig, Central, CentralConfig};
use goldentime_testkit::servers::elasticsearch::Elasticsearch;
use goldentime_testkit::wait;
use serde_json::{Value, json};

/// An agent on `host` that ships the JSON lines of `log` as `service`.
fn shipper(
    folder: &Path,
    central: &Central,
    token: &str,
    host: &str,
    log: &Path,
    service: &str,
) -> Result<AgentConfig> {
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut agent = AgentConfig::new(&folder.join(format!("{host}-{service}")), &address, token, host)?;
    agent.inputs_yaml = format!(
        "  tail:\n    - name: app\n      paths: ['{}']\n      service: {service}\n      \
         start_at: beginning\n      ship_logs: true\n      format: {{type: json}}\n",
        log.display()
    );
    Ok(agent)
}

fn line(level: &str, message: &str, trace_id: &str) -> String {
    let at_ms = SystemClock.now().as_millis();
    let time = format!("{}.{:03}", at_ms / 1000, at_ms % 1000);
    format!("{}\n", json!({ "time": time, "level": level, "msg": message, "trace_id": trace_id }))
}

fn messages(lines: &[Value]) -> BTreeMap<&str, usize> {
    let mut messages = BTreeMap::new();
    for line in lines {
        *messages.entry(line["message"].as_str().unwrap_or_default()).or_default() += 1;
    }
    messages
}

/// Ships lines while central and agent are killed in turn, and `fault` does worse after each round; then
/// asks for each of them.
async fn find_each_line_once(
    folder: &Path,
    config: CentralConfig,
    mut fault: impl AsyncFnMut(u32) -> Result<()>,
) -> Result<Central> {
    let mut dice = Dice::roll("shipped lines");
    let mut central = config.start().await?;
    let token = central.join_token("default")?;
    let path = folder.join("app.log");
    let mut log = File::create(&path)?;
    let mut agent = shipper(folder, &central, &token, "web-1", &path, "order-api")?.start()?;
    let mut written = 0;
    let rounds = if is_full() { 12 } else { 4 };
    for round in 0..rounds {
        for _ in 0..20 {
            for _ in 0..25 {
                log.write_all(line("info", &format!("order {written} 결제 승인"), "").as_bytes())?;
                written += 1;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(dice.between(Duration::ZERO, Duration::from_millis(1200))).await;
        if round % 2 == 0 {
            central = central.kill9().start().await?;
        } else {
            agent = agent.kill9().start()?;
        }
        fault(round).await?;
    }
    let expected: Vec<String> = (0..written).map(|number| format!("order {number} 결제 승인")).collect();
    let all = wait::until("every line", PATIENCE, || async {
        log_lines(&central, "&q=결제").await.ok().filter(|lines| lines.len() >= expected.len())
    });
    all.await.with_context(|| format!("{written} lines were written"))?;
    // Something stored twice may arrive late as well.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let all = log_lines(&central, "&q=결제&service=default/default/order-api&host=web-1&level=info").await?;
    let counts = messages(&all);
    let wrong: Vec<_> =
        expected.iter().filter(|line| counts.get(line.as_str()) != Some(&1)).take(5).collect();
    ensure!(
        wrong.is_empty() && all.len() == expected.len(),
        "{} of {written} lines, wrong: {wrong:?}",
        all.len()
    );
    let origins: std::collections::BTreeSet<_> = all.iter().map(|line| line["origin"].to_string()).collect();
    ensure!(origins.len() == all.len(), "two lines have one origin");
    agent.stop().await?;
    Ok(central)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shipped_line_is_found_once_however_often_both_programs_are_killed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = CentralConfig::new(&folder.path().join("central"), None)?;
    let central = find_each_line_once(folder.path(), config, async |_| Ok(())).await?;
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shipped_line_is_found_once_on_a_search_server_that_is_killed_as_well() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Elasticsearch::start().await?;
    let mut config = CentralConfig::new(&folder.path().join("central"), None)?;
    config.extra_yaml.push_str(&format!("cluster:\n{}", elasticsearch(&server)));
    let fault = async |round| match round {
        1 => {
            server.kill9();
            Ok(())
        }
        2 => server.restart().await,
        _ => Ok(()),
    };
    let central = find_each_line_once(folder.path(), config, fault).await?;
    ensure!(!central.config.folder.join("state/logs").exists(), "lines were kept in files all the same");
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_found_over_five_services_and_its_surroundings_with_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let central = CentralConfig::new(&folder.path().join("central"), None)?.start().await?;
    let token = central.join_token("default")?;
    let services = ["gateway", "order", "payment", "stock", "mail"];
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let url = format!("ws://127.0.0.1:{}/api/v1/logs/tail?q=결제&level=warn", central.config.http_port);
    let (mut tail, _) = tokio_tungstenite::connect_async(url).await?;
    let mut agents = Vec::new();
    for service in services {
        let path = folder.path().join(format!("{service}.log"));
        let mut log = File::create(&path)?;
        for number in 0..20 {
            log.write_all(line("info", &format!("{service} before {number}"), "").as_bytes())?;
        }
        let level = if service == "payment" { "error" } else { "info" };
        log.write_all(line(level, &format!("{service}: 카드결제가 지연됨"), trace).as_bytes())?;
        for number in 0..20 {
            log.write_all(line("info", &format!("{service} after {number}"), "").as_bytes())?;
        }
        agents.push(
            shipper(folder.path(), &central, &token, &format!("{service}-1"), &path, service)?.start()?,
        );
        // So that the five lines have an order.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let path = format!("/api/v1/traces/{trace}/logs");
    let is_whole = |page: &Value| page["lines"].as_array().is_some_and(|lines| lines.len() == 5);
    let page = central_until(&central, &path, "the trace over five services", is_whole).await?;
    let lines = page["lines"].as_array().context("lines")?;
    let order: Vec<_> = lines.iter().map(|line| line["service"].as_str().unwrap_or_default()).collect();
    let expected: Vec<_> = services.iter().map(|service| format!("default/default/{service}")).collect();
    ensure!(order == expected, "{order:?}");
    let payment = &lines[2];
    let id = payment["id"].as_str().context("an id")?;
    let around = central.get(&format!("/api/v1/logs/{id}/context?before=2&after=1")).await?;
    let texts: Vec<_> =
        around["lines"].as_array().context("lines")?.iter().map(|line| line["message"].clone()).collect();
    ensure!(
        texts
            == ["payment before 18", "payment before 19", "payment: 카드결제가 지연됨", "payment after 0"]
                .map(Value::from),
        "{texts:?}"
    );
    let counts = central.get("/api/v1/logs/histogram?q=결제").await?;
    ensure!(counts["total"] == 5 && counts["approximate"] == false, "{counts}");
    let told = tokio::time::timeout(PATIENCE, tail.next()).await?.context("a message")??;
    let told: Value = serde_json::from_str(told.to_text()?)?;
    ensure!(told["type"] == "lines" && told["lines"][0]["message"] == payment["message"], "{told}");
    // Rows are noted only after they are committed.
    let is_noted = |status: &Value| {
        let logs = status["stores"].as_array().into_iter().flatten().find(|store| store["name"] == "logs");
        logs.is_some_and(|logs| logs["state"] == "ok" && logs["rows"].as_u64() >= Some(205))
    };
    let stores = central_until(&central, "/api/v1/status", "the rows to be noted", is_noted).await?;
    let logs = stores["stores"].as_array().context("stores")?.iter().find(|store| store["name"] == "logs");
    ensure!(logs.is_some_and(|logs| logs["rows"] == 205), "{stores}");
    for agent in agents {
        agent.stop().await?;
    }
    central.stop().await?;
    Ok(())
}

//! The cluster's path: agents, a central as gateway, Kafka, the merge, Redis, pages. Whatever is killed, counts
//! are nginx's and the page comes.

use std::time::Duration;

use anyhow::Result;
use goldentime_e2e::ask::{PATIENCE, all_ship, central_command, central_until, further, log_lines, metric};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::receivers::{Answer, WebhookReceiver};
use goldentime_testkit::wait;
use serde_json::{Value, json};

/// A member that is not heard for six seconds loses its partitions.
const LONGER_THAN_A_SESSION: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_pages_come_through_kafka_and_redis_whatever_is_killed() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let mut engines = Engines::start(world.folder(), 1).await?;
    let mut config = world.central(Some(&hook.url()))?;
    engines.give_to(&mut config, "central-1")?;
    rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    let central = config.start().await?;
    let agents = world.start_agents(&central)?;
    let steady = world.steady(200.0);
    all_ship(&central, &agents).await?;

    // The owner in mid-flow: what it had not written is merged again.
    let central = restart(central.kill9()).await?;
    all_ship(&central, &agents).await?;

    // The log is away: agents keep what they have.
    engines.kafka.kill9_all();
    let is_told = |ready: &Value| ready["not_ready"].to_string().contains("log_away");
    central_until(&central, "/api/v1/status", "it to say that Kafka is away", is_told).await?;
    let told = central_command(&["ready"], &central.config.file()).expect_err("it is not ready").to_string();
    assert!(told.contains("log_away") && told.contains("Kafka"), "{told}");
    engines.kafka.restart_all().await?;
    for agent in &agents {
        further(agent).await?;
    }

    let is_ready = async || central_command(&["ready"], &central.config.file()).ok();
    wait::until("it to be ready", PATIENCE, is_ready).await?;

    // Windows are away: pages come from memory, and what was not written is written later.
    engines.redis.kill9();
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    engines.redis.restart().await?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;

    drop(steady);
    assert_exact(&world, &central).await?;
    for file in ["windows.db", "log", "series.db", "catalogue.db"] {
        let path = central.config.folder.join("state").join(file);
        assert!(!path.exists(), "{file} was made all the same");
    }
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_central_shows_everything_and_takes_over_what_a_killed_one_judged() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?;
    let mut first = world.central(Some(&hook.url()))?;
    engines.give_to(&mut first, "central-1")?;
    let mut second = world.named_central("central-2", Some(&hook.url()))?;
    engines.give_to(&mut second, "central-2")?;
    for config in [&first, &second] {
        rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
    }
    let gateway = first.start().await?;
    let agents = world.start_agents(&gateway)?;
    let steady = world.steady(200.0);
    all_ship(&gateway, &agents).await?;
    let other = second.start().await?;

    // Both show both agents and where the rule stands, whoever judges it.
    for central in [&gateway, &other] {
        let both = |status: &Value| status["agents"]["connected"] == 2;
        central_until(central, "/api/v1/status", "both agents to be shown", both).await?;
        let stands = |slos: &Value| slos.to_string().contains("\"ok\"");
        central_until(central, "/api/v1/rules", "the rule to be shown as ok", stands).await?;
    }

    // What people and scripts read, whoever writes it.
    let service = format!("default/default/{}", world.service);
    let read = async || {
        let of = |name: &str, field: &str| engines.redis.cli(["HGET", name, field]).unwrap_or_default();
        let traffic = of(&format!("metrics:{{{service}}}:traffic:1m"), "count");
        let status = of(&format!("slo:{{{service}}}:status"), "errors");
        (traffic.trim().parse::<u64>().is_ok() && status.contains(r#""status":"ok""#)).then_some(())
    };
    wait::until("a summary and the SLO's status in Redis", PATIENCE, read).await?;

    // Whichever of them judges the service: with the other one gone, the one that is left pages.
    let config = other.kill9();
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    let other = restart(config).await?;
    central_until(&other, "/api/v1/status", "it to be ready", |status| status["not_ready"] == json!([]))
        .await?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;
    let named = |alerts: &Value| alerts.to_string().contains("\"errors\"");
    central_until(&other, "/api/v1/alerts/history", "the alert's history", named).await?;
    drop(steady);
    for central in [&gateway, &other] {
        assert_exact(&world, central).await?;
    }
    other.stop().await?;
    gateway.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_shipped_through_kafka_are_found_once_in_elasticsearch() -> Result<()> {
    let world = World::start(1, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?.and_search().await?;
    let mut config = world.central(None)?;
    engines.give_to(&mut config, "central-1")?;
    let central = config.start().await?;
    let address = format!("127.0.0.1:{}", central.config.agents_port);
    let mut agent = world.agent(0, &address, &central.join_token("default")?)?;
    agent.inputs_yaml.push_str("      ship_logs: true\n");
    let agent = agent.start()?;
    let steady = world.steady(200.0);
    all_ship(&central, std::slice::from_ref(&agent)).await?;
    let central = restart(central.kill9()).await?;
    all_ship(&central, std::slice::from_ref(&agent)).await?;
    drop(steady);
    assert_exact(&world, &central).await?;
    let written = read_access_log(&world.hosts[0].log)?.len();
    let whole = async || log_lines(&central, "").await.ok().filter(|lines| lines.len() >= written).map(drop);
    wait::until("every line", PATIENCE, whole).await?;
    // Something stored twice may arrive late as well.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(log_lines(&central, "").await?.len(), written);
    central.stop().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_its_central_could_not_send_before_it_died_is_sent_by_another() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(1, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?;
    let mut centrals = Vec::new();
    for member in ["central-1", "central-2"] {
        let mut config = world.named_central(member, Some(&hook.url()))?;
        engines.give_to(&mut config, member)?;
        rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
        centrals.push(config.start().await?);
    }
    let agents = world.start_agents(&centrals[0])?;
    let steady = world.steady(100.0);
    all_ship(&centrals[0], &agents).await?;

    hook.always(Some(Answer::Status(503)));
    world.change(0, BAD, BAD)?;
    let fails = |status: &Value| status["channels"][0]["failed"].as_u64() > Some(0);
    let failing = wait::until("one of them to fail to page", PATIENCE, async || {
        for (at, central) in centrals.iter().enumerate() {
            if central.get("/api/v1/status").await.is_ok_and(|status| fails(&status)) {
                return Some(at);
            }
        }
        None
    });
    let failing = failing.await?;
    drop(centrals.remove(failing).kill9());
    // What it tried is there already; what comes now was sent by the other.
    let tried = hook.received().len();
    hook.always(None);
    let sent = hook.wait_for(tried + 1, PATIENCE).await?;
    assert!(sent[tried..].iter().any(|page| page.body.to_string().contains("errors")), "{sent:?}");
    drop(steady);
    for central in centrals {
        central.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_that_slept_and_redis_without_its_data_make_no_count_wrong() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(1, FINE).await?;
    let mut engines = Engines::start(world.folder(), 1).await?;
    let mut centrals = Vec::new();
    for member in ["central-1", "central-2"] {
        let mut config = world.named_central(member, Some(&hook.url()))?;
        engines.give_to(&mut config, member)?;
        rules::write(&config.slo_dir, "errors", world.service, 0.3, None)?;
        centrals.push(config.start().await?);
    }
    let agents = world.start_agents(&centrals[0])?;
    let steady = world.steady(100.0);
    all_ship(&centrals[0], &agents).await?;
    for central in &centrals {
        let are_shown = |status: &Value| {
            let members = status["members"].as_array().map_or(&[][..], Vec::as_slice);
            let names: Vec<&str> = members.iter().filter_map(|member| member["name"].as_str()).collect();
            names == ["central-1", "central-2"]
                && members.iter().all(|member| member["version"] == status["version"])
        };
        central_until(central, "/api/v1/status", "both members with their versions", are_shown).await?;
    }

    // The gateway goes on; the other sleeps for longer than its session, whatever it owned.
    centrals[1].pause(true)?;
    world.change(0, BAD, BAD)?;
    let page = pages::until(&hook, "the page", |page| page.name == "errors" && page.is_firing).await?;
    tokio::time::sleep(LONGER_THAN_A_SESSION).await;
    centrals[1].pause(false)?;
    world.change(0, FINE, FINE)?;
    pages::until(&hook, "the resolve", |other| other.name == page.name && !other.is_firing).await?;

    // What Redis had is gone: what is in memory is written again, and the rest is made again from the log.
    engines.redis.kill9();
    engines.redis.restart_empty().await?;
    for agent in &agents {
        further(agent).await?;
    }
    drop(steady);
    for central in &centrals {
        let is_whole = |status: &Value| {
            let stores = status["stores"].as_array().map_or(&[][..], Vec::as_slice);
            !stores.is_empty() && stores.iter().all(|store| store["name"] != "windows")
        };
        central_until(central, "/api/v1/status", "live windows to be whole", is_whole).await?;
        assert_exact(&world, central).await?;
    }
    let rebuilt = "goldentime_windows_rebuilt_records_total";
    let mut records = 0.0;
    for central in &centrals {
        records += metric(central, rebuilt).await?.unwrap_or_default();
    }
    assert!(records > 0.0, "nothing was merged again");
    let fired = pages::all(&hook).iter().filter(|page| page.name == "errors" && page.is_firing).count();
    assert_eq!(fired, 1, "one incident is one page");
    for central in centrals {
        central.stop().await?;
    }
    Ok(())
}

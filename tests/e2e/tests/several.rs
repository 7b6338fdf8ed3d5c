//! Rules over several services: one objective over the requests of all of them together.

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{PATIENCE, central_until, further, metric};
use goldentime_e2e::pages::{self, Page};
use goldentime_e2e::rules;
use goldentime_e2e::world::{FINE, HEALTHY, World};
use goldentime_model::ServiceId;
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::oracle::read_access_log;
use goldentime_testkit::programs::{Agent, Central};
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::wait;
use serde_json::Value;

/// What a site answers that fails four times as often as a [`HEALTHY`] one.
const WORSE: &str = "location ~ ^/orders/\\d*[1379]$ { return 503; } location / { return 200 'fine'; }";

/// As many partitions as a central has by default, and a cluster of the tests.
const PARTITIONS: u32 = 4;

/// Requests to each service in a second.
const PER_SECOND: f64 = 10.0;

/// Rule over all services together.
const TOGETHER: &str = "together";
/// The same over each of them.
const EACH: &str = "each";
/// Over all of them since the beginning, to be compared with what nginx wrote.
const LEDGER: &str = "ledger";

/// Services of as many partitions, the first of the first.
fn services() -> Vec<String> {
    let of = |partition: u32| {
        let mut names = (1..).map(|number| format!("shop-{number}"));
        let is_there = |name: &String| {
            ServiceId::new("default", "default", name).is_ok_and(|id| id.partition(PARTITIONS) == partition)
        };
        names.find(is_there).unwrap_or_default()
    };
    (0..PARTITIONS).map(of).collect()
}

/// All are over the same limit, and only all of them together have as many requests in five seconds as the rules ask
/// for.
fn write_rules(folder: &std::path::Path, services: &[String]) -> Result<()> {
    let several = format!("services: [{}]", services.join(", "));
    let requests_min = (services.len() as f64 * PER_SECOND * 5.0 * 0.7) as u32;
    rules::write_selected(folder, TOGETHER, &several, 0.05, "5s", requests_min)?;
    rules::write_selected(folder, EACH, "service: '*'", 0.05, "5s", requests_min)?;
    rules::write_selected(folder, LEDGER, &several, 0.9, "15m", 0)
}

/// Agents of all hosts, each with a service of its own; those after the first know the centrals in another order.
fn start_agents(world: &World, centrals: &[Central], services: &[String]) -> Result<Vec<Agent>> {
    let token = centrals[0].join_token("default")?;
    let address = |central: &Central| format!("127.0.0.1:{}", central.config.agents_port);
    let start = |host: usize| {
        let mut config = world.agent(host, &address(&centrals[host % centrals.len()]), &token)?;
        config.inputs_yaml = config.inputs_yaml.replace(world.service, &services[host]);
        let others = centrals.iter().enumerate().filter(|(at, _)| *at != host % centrals.len());
        config.other_centrals = others.map(|(_, central)| address(central)).collect();
        config.start()
    };
    (0..world.hosts.len()).map(start).collect()
}

/// Where a rule stands, once it is as it should be.
async fn rule_until(
    central: &Central,
    name: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Result<Value> {
    let is_it = |rule: &&Value| rule["rule"] == name && is_so(rule);
    let found = |rules: &Value| rules.as_array().and_then(|all| all.iter().find(is_it).cloned());
    let all = central_until(central, "/api/v1/rules", what, |rules| found(rules).is_some()).await?;
    found(&all).context("it was found")
}

/// Waits until the whole of a window is judged that begins now.
async fn further_window(central: &Central, state: &str) -> Result<Value> {
    let end = SystemClock.now().second().offset(8).0;
    let is_so = |rule: &Value| rule["state"] == state && rule["watermark_s"].as_i64() >= Some(end);
    rule_until(central, TOGETHER, &format!("a further window that is {state}"), is_so).await
}

/// Requests that nginx wrote, and those that failed.
fn written(world: &World) -> Result<(usize, usize)> {
    let (mut all, mut bad) = (0, 0);
    for host in &world.hosts {
        let lines = read_access_log(&host.log)?;
        all += lines.len();
        bad += lines.iter().filter(|line| line.status >= 500).count();
    }
    Ok((all, bad))
}

/// Nothing is sent any more: of what was seen since the beginning as much failed as nginx wrote.
async fn assert_ledger(world: &World, central: &Central) -> Result<()> {
    let (all, bad) = written(world)?;
    ensure!(bad > 0, "{bad} of {all}");
    let share = bad as f64 / all as f64;
    let is_exact = |rule: &Value| {
        let [low, high] = ["low", "high"].map(|end| rule["sli"][end].as_f64().unwrap_or_default());
        // What may still be on its way widens the interval, and is none of what was seen.
        ((1.0 - high) / (1.0 - (high - low)) - share).abs() < 1e-9
    };
    let what = format!("{bad} of {all} to be bad: {share}");
    rule_until(central, LEDGER, &what, is_exact).await.map(drop)
}

/// One beginning and one end were told of all services together, and nothing of any of them alone.
fn assert_told_once(hook: &WebhookReceiver, page: &Page) -> Result<()> {
    let told = pages::all(hook);
    ensure!(told.iter().all(|page| page.name != EACH), "none is over the limit alone: {told:#?}");
    let together: Vec<&Page> = told.iter().filter(|page| page.name == TOGETHER).collect();
    let episodes: Vec<_> = together.iter().map(|page| (&*page.episode, page.is_firing)).collect();
    ensure!(episodes == [(&*page.episode, true), (&*page.episode, false)], "{together:#?}");
    Ok(())
}

fn of(name: &str, is_firing: bool) -> impl Fn(&Page) -> bool {
    move |page| page.name == name && page.is_firing == is_firing
}

/// What a page says of the worst of these services.
fn assert_names(page: &Page, worst: &str) -> Result<()> {
    let (labels, annotations) = (&page.alert["labels"], &page.alert["annotations"]);
    ensure!(labels["service"].is_null() && labels["slo"] == TOGETHER, "{labels:#}");
    let services = annotations["services"].as_str().unwrap_or_default();
    ensure!(services.starts_with(&format!("{worst}: ")), "{annotations:#}");
    ensure!(annotations["summary"].as_str().unwrap_or_default().starts_with(TOGETHER), "{annotations:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn services_that_are_within_bounds_alone_page_once_for_all_of_them_together() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(PARTITIONS as usize, FINE).await?;
    let services = services();
    let mut config = world.central(Some(&hook.url()))?;
    config.notify_yaml.push_str("  debounce: 0s\n  group_interval: 0s\n");
    write_rules(&config.slo_dir, &services)?;
    let centrals = [config.start().await?];
    let agents = start_agents(&world, &centrals, &services)?;
    let central = &centrals[0];
    let steady = world.steady(f64::from(PARTITIONS) * PER_SECOND);
    for agent in &agents {
        further(agent).await?;
    }
    further_window(central, "ok").await?;

    world.change(1, HEALTHY, WORSE)?;
    let page = pages::until(&hook, "the page", of(TOGETHER, true)).await?;
    assert_names(&page, &services[1])?;
    let rule = further_window(central, "firing").await?;
    ensure!(rule["services"] == serde_json::json!(services), "{rule:#}");

    world.change(1, FINE, FINE)?;
    pages::until(&hook, "the end", of(TOGETHER, false)).await?;
    further_window(central, "ok").await?;
    drop(steady);
    assert_ledger(&world, central).await?;
    assert_told_once(&hook, &page)
}

/// How far each partition is merged that a central has.
async fn offsets(central: &Central) -> Result<Vec<f64>> {
    let mut offsets = Vec::new();
    for partition in 0..PARTITIONS {
        let line = format!("goldentime_merge_offset{{partition=\"{partition}\"}}");
        offsets.push(metric(central, &line).await?.unwrap_or(-1.0));
    }
    Ok(offsets)
}

/// Which central merges each partition, once each has some: the one whose offset moves, since every partition has a
/// service.
async fn owners(centrals: &[&Central]) -> Result<Vec<usize>> {
    let look = async || {
        let mut all = Vec::new();
        for central in centrals {
            all.push(offsets(central).await.ok()?);
        }
        Some(all)
    };
    let found = async || {
        let before = look().await?;
        // Two looks at what moves every second.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let after = look().await?;
        let owner = |partition: usize| {
            let mut moved = (0..centrals.len()).filter(|at| after[*at][partition] > before[*at][partition]);
            moved.next().filter(|_| moved.next().is_none())
        };
        let owners = (0..PARTITIONS as usize).map(owner).collect::<Option<Vec<usize>>>()?;
        (0..centrals.len()).all(|central| owners.contains(&central)).then_some(owners)
    };
    wait::until("each partition to have one owner and each central some", PATIENCE, found).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_of_services_of_two_centrals_is_killed_and_one_page_and_one_end_are_told() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(PARTITIONS as usize, FINE).await?;
    let engines = Engines::start(world.folder(), 1).await?;
    let services = services();
    let mut centrals = Vec::new();
    for mut config in world.two_centrals(&engines, &hook)? {
        config.notify_yaml.push_str("  debounce: 0s\n  group_interval: 0s\n");
        config.extra_yaml.push_str("logs:\n  enabled: false\n");
        write_rules(&config.slo_dir, &services)?;
        centrals.push(config.start().await?);
    }
    let agents = start_agents(&world, &centrals, &services)?;
    let steady = world.steady(f64::from(PARTITIONS) * PER_SECOND);
    for agent in &agents {
        further(agent).await?;
    }
    let owners_before = owners(&[&centrals[0], &centrals[1]]).await?;
    let group = ServiceId::of_slo("default", "default", TOGETHER)?;
    let judge = owners_before[group.partition(PARTITIONS) as usize];
    eprintln!("partitions are owned by {owners_before:?}; {judge} judges");
    for central in &centrals {
        further_window(central, "ok").await?;
    }

    world.change(1, HEALTHY, WORSE)?;
    let page = pages::until(&hook, "the page", of(TOGETHER, true)).await?;
    assert_names(&page, &services[1])?;
    for central in &centrals {
        further_window(central, "firing").await?;
    }
    drop(centrals.remove(judge).kill9());
    let survivor = &centrals[0];
    owners(&[survivor]).await?;
    for agent in &agents {
        further(agent).await?;
    }
    further_window(survivor, "firing").await?;

    world.change(1, FINE, FINE)?;
    let resolved = pages::until(&hook, "the end", of(TOGETHER, false)).await?;
    ensure!(resolved.episode == page.episode, "{resolved:#?}");
    further_window(survivor, "ok").await?;
    drop(steady);
    assert_ledger(&world, survivor).await?;
    assert_told_once(&hook, &page)
}

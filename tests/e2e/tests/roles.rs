//! Centrals that each do a part of the work: agents' gateway, owner of partitions, pager, API.

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{
    PATIENCE, agent_until, all_ship, central_until, further, is_connected_to, make_authority,
};
use goldentime_e2e::counts::assert_exact;
use goldentime_e2e::world::{BAD, FINE, World};
use goldentime_e2e::{pages, rules};
use goldentime_testkit::engines::Engines;
use goldentime_testkit::programs::{Central, CentralConfig};
use goldentime_testkit::receivers::{Answer, WebhookReceiver};
use goldentime_testkit::{http_client, wait};
use serde_json::Value;

/// A cluster of centrals with one role each, or some.
struct Cluster {
    world: World,
    engines: Engines,
    hook: WebhookReceiver,
}

impl Cluster {
    async fn start(hosts: usize) -> Result<Self> {
        let hook = WebhookReceiver::start().await?;
        let world = World::start(hosts, FINE).await?;
        let engines = Engines::start(world.folder(), 1).await?;
        Ok(Self { world, engines, hook })
    }

    /// A central of this name that is to have these roles by its command line.
    fn central(&self, name: &str, roles: &str) -> Result<CentralConfig> {
        let mut config = self.bare(name)?;
        self.engines.give_to(&mut config, name)?;
        config.serve_arguments = vec!["--roles".to_owned(), roles.to_owned()];
        Ok(config)
    }

    /// A gateway by its file, which knows of no Redis.
    fn gateway(&self, name: &str) -> Result<CentralConfig> {
        let mut config = self.bare(name)?;
        self.engines.give_log_to(&mut config, name)?;
        config.extra_yaml.push_str("roles: [gateway]\n");
        Ok(config)
    }

    fn bare(&self, name: &str) -> Result<CentralConfig> {
        let mut config = self.world.named_central(name, Some(&self.hook.url()))?;
        // No search server: their lines would be in files of whoever owns a partition.
        config.extra_yaml.push_str("logs:\n  enabled: false\n");
        rules::write(&config.slo_dir, "errors", self.world.service, 0.3, None)?;
        Ok(config)
    }

    async fn fires(&self) -> Result<pages::Page> {
        self.world.change(0, BAD, BAD)?;
        pages::until(&self.hook, "the page", |page| page.name == "errors" && page.is_firing).await
    }

    async fn resolves(&self, fired: &pages::Page) -> Result<()> {
        self.world.change(0, FINE, FINE)?;
        let is_it = |page: &pages::Page| page.episode == fired.episode && !page.is_firing;
        pages::until(&self.hook, "the resolve", is_it).await.map(drop)
    }

    /// Messages that told that this began.
    fn told(&self, fired: &pages::Page) -> usize {
        pages::all(&self.hook).iter().filter(|page| page.episode == fired.episode && page.is_firing).count()
    }
}

/// Roles that a central says nobody has.
async fn missing(central: &Central) -> Option<Vec<String>> {
    let ready = central.get("/readyz").await.ok()?;
    let roles = ready["missing_roles"].as_array()?.iter().map(|missing| missing["role"].as_str());
    roles.map(|role| role.map(str::to_owned)).collect()
}

async fn until_missing(central: &Central, roles: &[&str]) -> Result<()> {
    let says = async || missing(central).await.filter(|missing| missing.iter().eq(roles)).map(drop);
    let what = format!("{roles:?} to be told as missing");
    let said = wait::until(&what, PATIENCE, says).await;
    said.with_context(|| format!("{:?}", central.process().output().lines().last()))
}

/// The alert of an episode as the API shows it.
fn shown<'a>(alerts: &'a Value, fired: &pages::Page) -> Option<&'a Value> {
    alerts.as_array()?.iter().find(|alert| alert["episode"] == fired.episode)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_centrals_with_a_role_each_count_judge_page_and_show() -> Result<()> {
    let cluster = Cluster::start(2).await?;
    let gateway = cluster.gateway("gateway")?.start().await?;
    let process = cluster.central("process", "process")?.start().await?;
    let notify = cluster.central("notify", "notify")?.start().await?;
    let api = cluster.central("api", "api")?.start().await?;
    let agents = cluster.world.start_agents(&gateway)?;
    let steady = cluster.world.steady(200.0);
    all_ship(&api, &agents).await?;
    let stands = |slos: &Value| slos.to_string().contains("\"ok\"");
    central_until(&api, "/api/v1/rules", "the rule to be shown as ok", stands).await?;

    // Who judges learns from who sends when the page was there.
    let page = cluster.fires().await?;
    let is_told = |alerts: &Value| {
        shown(alerts, &page).is_some_and(|alert| alert["stages"]["delivered_ms"].is_number())
    };
    central_until(&api, "/api/v1/alerts", "the alert and its delivery", is_told).await?;
    cluster.resolves(&page).await?;
    let has_ended = |alerts: &Value| shown(alerts, &page).is_some_and(|alert| alert["status"] == "resolved");
    central_until(&api, "/api/v1/alerts/history", "the alert's end", has_ended).await?;
    drop(steady);
    assert_exact(&cluster.world, &api).await?;
    assert_eq!(cluster.told(&page), 1, "one incident is one page");

    let status = api.get("/api/v1/status").await?;
    assert_eq!(status["roles"].to_string(), r#"["api"]"#);
    assert_eq!(status["missing_roles"].to_string(), "[]");
    for central in [&gateway, &process, &notify] {
        assert_eq!(central.text("/healthz").await?, "ok\n");
        assert!(central.text("/metrics").await?.contains("goldentime_build_info"));
        for path in ["/", "/api/v1/status", "/api/v1/live"] {
            let answer = http_client().get(format!("{}{path}", central.url())).send().await?;
            let (status, text) = (answer.status(), answer.text().await?);
            assert!(status == 404 && text.contains("role `api`"), "{path}: {status} {text}");
        }
    }
    let log = gateway.process().output();
    ensure!(!log.contains("a partition is ours"), "the gateway merges:\n{log}");
    for central in [api, notify, process, gateway] {
        central.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_pager_that_dies_are_sent_by_the_next_one_and_nobody_missing_goes_unsaid() -> Result<()> {
    let cluster = Cluster::start(1).await?;
    let gateway = cluster.gateway("gateway")?.start().await?;
    let process = cluster.central("process-1", "process")?.start().await?;
    let notify = cluster.central("notify-1", "notify")?.start().await?;
    let api = cluster.central("api", "api")?.start().await?;
    let agents = cluster.world.start_agents(&gateway)?;
    let steady = cluster.world.steady(100.0);
    all_ship(&api, &agents).await?;

    // It has claimed the page and cannot send it.
    cluster.hook.always(Some(Answer::Status(503)));
    cluster.world.change(0, BAD, BAD)?;
    cluster.hook.wait_for(1, PATIENCE).await?;
    let fails = |status: &Value| status["channels"][0]["state"] == "failing";
    central_until(&api, "/api/v1/status", "the pager's channel to be shown as failing", fails).await?;
    drop(notify.kill9());
    let tried = cluster.hook.received().len();
    cluster.hook.always(None);
    let notify = cluster.central("notify-2", "notify")?.start().await?;
    let sent = cluster.hook.wait_for(tried + 1, PATIENCE).await?;
    assert!(sent[tried..].iter().any(|page| page.body.to_string().contains("errors")), "{sent:?}");
    let fired = pages::until(&cluster.hook, "the page", |page| page.name == "errors").await?;

    // With nobody to send, the page of the end waits, and who is left says so.
    drop(notify.kill9());
    for central in [&api, &process, &gateway] {
        until_missing(central, &["notify"]).await?;
    }
    let status = api.get("/api/v1/status").await?;
    assert_eq!(status["missing_roles"][0]["role"], "notify");
    // Both are told by a look that comes once a second.
    let gauge = "goldentime_role_members{role=\"notify\"} 0\n";
    let shows = async || process.text("/metrics").await.ok().filter(|text| text.contains(gauge)).map(drop);
    wait::until("the metric of the missing role", PATIENCE, shows).await?;
    process.process().printed("no central has the role `notify`", PATIENCE).await?;
    cluster.world.change(0, FINE, FINE)?;
    let has_ended = |alerts: &Value| shown(alerts, &fired).is_some_and(|alert| alert["status"] == "resolved");
    central_until(&api, "/api/v1/alerts/history", "the alert's end", has_ended).await?;
    ensure!(pages::all(&cluster.hook).iter().all(|page| page.is_firing), "somebody told the end");
    let notify = cluster.central("notify-3", "notify")?.start().await?;
    cluster.resolves(&fired).await?;
    until_missing(&api, &[]).await?;

    // The owner dies, and another one goes on.
    drop(process.kill9());
    until_missing(&api, &["process"]).await?;
    let process = cluster.central("process-2", "process")?.start().await?;
    until_missing(&api, &[]).await?;
    cluster.world.change(0, BAD, BAD)?;
    let is_next =
        |page: &pages::Page| page.name == "errors" && page.is_firing && page.episode != fired.episode;
    let next = pages::until(&cluster.hook, "the next page", is_next).await?;
    cluster.resolves(&next).await?;
    drop(steady);
    assert_exact(&cluster.world, &api).await?;
    assert_eq!(cluster.told(&next), 1, "one incident is one page");
    for central in [api, notify, process, gateway] {
        central.stop().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_a_gateway_that_is_killed_go_on_with_another() -> Result<()> {
    let cluster = Cluster::start(1).await?;
    let authority = cluster.world.folder().join("authority");
    make_authority(&authority)?;
    let mut gateways = Vec::new();
    for name in ["gateway-1", "gateway-2"] {
        let mut config = cluster.gateway(name)?;
        config.agents_yaml.push_str(&format!("  authority_dir: {}\n", authority.display()));
        gateways.push(config.start().await?);
    }
    let rest = cluster.central("rest", "process,notify,api")?.start().await?;
    let address = |gateway: &Central| format!("127.0.0.1:{}", gateway.config.agents_port);
    let addresses: Vec<String> = gateways.iter().map(address).collect();
    let token = gateways[0].join_token("default")?;
    let mut config = cluster.world.agent(0, &addresses[0], &token)?;
    config.other_centrals = vec![addresses[1].clone()];
    let agents = [config.start()?];
    let steady = cluster.world.steady(100.0);
    all_ship(&rest, &agents).await?;

    let is_first = is_connected_to(&goldentime_e2e::ask::agent_status(&agents[0])?, &addresses[0]);
    let (killed, left) = if is_first { (0, 1) } else { (1, 0) };
    drop(gateways.remove(killed).kill9());
    let changed = |status: &Value| is_connected_to(status, &addresses[left]);
    agent_until(&agents[0], "the agent to change", changed).await?;
    further(&agents[0]).await?;
    let page = cluster.fires().await?;
    cluster.resolves(&page).await?;
    drop(steady);
    assert_exact(&cluster.world, &rest).await?;
    assert_eq!(cluster.told(&page), 1, "one incident is one page");
    rest.stop().await?;
    for gateway in gateways {
        gateway.stop().await?;
    }
    Ok(())
}

//! Pages through the real programs: the right host, once, and over when it is over.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use goldentime_e2e::ask::{all_ship, central_until};
use goldentime_e2e::fault::Dice;
use goldentime_e2e::pages::{self, Page};
use goldentime_e2e::world::{BAD, FINE, World, restart};
use goldentime_e2e::{is_full, rules};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::receivers::WebhookReceiver;
use serde_json::Value;

fn hosts() -> usize {
    if is_full() { 20 } else { 6 }
}

/// Pages of a rule, firing or resolved.
fn of(name: &str, is_firing: bool) -> impl Fn(&Page) -> bool {
    move |page| page.name == name && page.is_firing == is_firing
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_host_of_many_is_named_by_its_page_and_resolves_when_it_heals() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(hosts(), FINE).await?;
    let config = world.central(Some(&hook.url()))?;
    rules::write(&config.slo_dir, "whole", world.service, 0.02, None)?;
    rules::write(&config.slo_dir, "by-host", world.service, 0.3, Some("host"))?;
    let central = config.start().await?;
    let _agents = world.start_agents(&central)?;
    let _steady = world.steady(20.0 * hosts() as f64);
    let is_of_hosts = |rule: &&Value| rule["rule"] == "by-host" && rule["host"].is_string();
    let all_judged =
        |rules: &Value| rules.as_array().is_some_and(|all| all.iter().filter(is_of_hosts).count() == hosts());
    central_until(&central, "/api/v1/rules", "every host to be judged", all_judged).await?;
    let alerts = || pages::all(&hook).into_iter().map(|page| page.alert).collect::<Vec<_>>();
    assert!(alerts().is_empty(), "{:#?}", alerts());

    world.change(2, FINE, BAD)?;
    for rule in ["whole", "by-host"] {
        let page = pages::until(&hook, "the page", of(rule, true)).await?;
        assert_eq!(page.host.as_deref(), Some("web-3"), "{:#}", page.alert);
    }
    world.change(2, FINE, FINE)?;
    for rule in ["whole", "by-host"] {
        pages::until(&hook, "the resolve", of(rule, false)).await?;
    }
    let strangers: Vec<Page> =
        pages::all(&hook).into_iter().filter(|page| page.host.as_deref() != Some("web-3")).collect();
    assert!(strangers.iter().all(|page| !page.is_firing), "{strangers:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_survives_the_central_that_is_killed_in_the_middle_of_it() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let config = world.central(Some(&hook.url()))?;
    rules::write(&config.slo_dir, "errors", world.service, 0.3, Some("host"))?;
    let mut central = config.start().await?;
    let agents = world.start_agents(&central)?;
    let mut dice = Dice::roll("killed in mid-alert");
    let _steady = world.steady(100.0);
    world.change(0, FINE, BAD)?;
    let first = pages::until(&hook, "the page", of("errors", true)).await?;
    for _ in 0..if is_full() { 10 } else { 2 } {
        tokio::time::sleep(dice.between(Duration::from_millis(100), Duration::from_secs(3))).await;
        central = restart(central.kill9()).await?;
        all_ship(&central, &agents).await?;
    }
    // Judged anew, over a window that began after the last restart, it is bad still: that must be the
    // same alert.
    let whole_window = SystemClock.now().second().offset(6).0;
    let is_judged = |rule: &Value| {
        rule["rule"] == "errors"
            && rule["host"] == "web-1"
            && rule["watermark_s"].as_i64() >= Some(whole_window)
    };
    let judged = |rules: &Value| rules.as_array().is_some_and(|all| all.iter().any(is_judged));
    central_until(&central, "/api/v1/rules", "a new window to be judged", judged).await?;
    let active = central.get("/api/v1/alerts").await?;
    assert_eq!(active.as_array().map(Vec::len), Some(1), "{active:#}");
    world.change(0, FINE, FINE)?;
    let resolved = pages::until(&hook, "the resolve", of("errors", false)).await?;
    assert_eq!(resolved.episode, first.episode);
    let episodes: BTreeSet<String> = pages::all(&hook).into_iter().map(|page| page.episode).collect();
    assert_eq!(episodes.len(), 1, "{:#?}", pages::all(&hook));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_is_a_silent_host_and_one_that_said_goodbye_is_not() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(2, FINE).await?;
    let mut config = world.central(Some(&hook.url()))?;
    config.agents_yaml = "  lease: 5s\n".into();
    let central = config.start().await?;
    let mut agents = world.start_agents(&central)?;
    let both = |status: &Value| status["agents"]["connected"] == 2;
    central_until(&central, "/api/v1/status", "both agents", both).await?;
    let (killed, left) = (agents.remove(1), agents.remove(0));
    left.stop().await?;
    let killed = killed.kill9();
    let page = pages::until(&hook, "the silent host", of("HostSilent", true)).await?;
    assert_eq!(page.host.as_deref(), Some("web-2"));
    let _back = killed.start()?;
    pages::until(&hook, "its return", of("HostSilent", false)).await?;
    assert!(pages::all(&hook).iter().all(|page| page.host.as_deref() == Some("web-2")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_rule_file_keeps_the_old_rules_and_says_where_it_is_wrong() -> Result<()> {
    let hook = WebhookReceiver::start().await?;
    let world = World::start(1, FINE).await?;
    let config = world.central(Some(&hook.url()))?;
    let slo_dir = config.slo_dir.clone();
    rules::write(&slo_dir, "errors", world.service, 0.3, None)?;
    let central = config.start().await?;
    let _agents = world.start_agents(&central)?;
    let _steady = world.steady(50.0);
    let loaded = central.get("/api/v1/status").await?["rules"]["loaded"].clone();
    assert_eq!(loaded, 1);

    let bad = rules::text("second", world.service, 0.1, None).replace("kind: burnrate", "kindd: burnrate");
    std::fs::write(slo_dir.join("second.yaml"), bad)?;
    let refused = |status: &Value| status["rules"]["error"].is_string();
    let status = central_until(&central, "/api/v1/status", "the refusal", refused).await?;
    let error = status["rules"]["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("second.yaml:28:27: "), "{error}");
    assert!(error.contains("did you mean `kind`"), "{error}");
    assert_eq!(status["rules"]["loaded"], 1);
    world.change(0, FINE, BAD)?;
    pages::until(&hook, "the old rule's page", of("errors", true)).await?;

    rules::write(&slo_dir, "second", world.service, 0.1, None)?;
    let taken = |status: &Value| status["rules"]["loaded"] == 2 && status["rules"]["error"].is_null();
    central_until(&central, "/api/v1/status", "both rules", taken).await?;
    Ok(())
}

//! What the previous version left on disk is read by this one, exactly, and written onwards.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use goldentime_e2e::ask::{PATIENCE, central_command};
use goldentime_e2e::pages::{self, Page};
use goldentime_e2e::previous::{
    ACCOUNT, AccessLog, Left, Manifest, PASSWORD, RULE, ask, signs_in, until_counted,
};
use goldentime_runtime::{Clock, SystemClock};
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::{http_client, wait};
use serde_json::{Value, json};

const FINE: u16 = 200;
const BAD: u16 = 503;

fn archives() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("previous")
}

/// The page of the rule that fired, or ended, and is none of these.
fn page(hook: &WebhookReceiver, is_firing: bool, known: &[&str]) -> Option<Page> {
    let is_it = |page: &Page| {
        page.name == RULE && page.is_firing == is_firing && !known.contains(&page.episode.as_str())
    };
    pages::all(hook).into_iter().find(is_it)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_earlier_version_left_is_read_exactly_and_written_onwards() -> Result<()> {
    let mut read = 0;
    for archive in std::fs::read_dir(archives())? {
        let archive = archive?.path();
        if archive.extension().is_some_and(|extension| extension == "zst") {
            goes_on(&archive).await.with_context(|| archive.display().to_string())?;
            read += 1;
        }
    }
    ensure!(read > 0, "there is nothing to read");
    Ok(())
}

async fn goes_on(archive: &Path) -> Result<()> {
    let (left, manifest) = Left::unpacked(archive)?;
    let Manifest { left_ms, counted: before, spooled, token, .. } = &manifest;
    let behind = u64::try_from(SystemClock.now().as_millis() - left_ms).context("it was left in the past")?;
    let behind = Duration::from_secs(behind / 1000);
    let hook = WebhookReceiver::start().await?;
    let mut config = left.central(&hook.url())?;
    config.clock_behind = behind;
    let central = config.start().await?;
    let url = central.url();

    until_counted(&url, token, *before).await.context("what the central had counted")?;
    let alerts = ask(&url, token, "/api/v1/alerts").await?;
    let of_rule =
        alerts.as_array().context("alerts")?.iter().filter(|alert| alert["labels"]["alertname"] == RULE);
    let firing: Vec<&str> = of_rule.filter_map(|alert| alert["episode"].as_str()).collect();
    ensure!(firing == [&*manifest.firing], "{alerts}");
    let history = ask(&url, token, "/api/v1/alerts/history?limit=100").await?;
    let has_ended = |alert: &Value| alert["episode"] == *manifest.ended && alert["status"] == "resolved";
    ensure!(history.as_array().is_some_and(|alerts| alerts.iter().any(has_ended)), "{history}");
    ensure!(signs_in(&url, PASSWORD).await? && !signs_in(&url, "something else").await?, "accounts");
    ensure!(http_client().get(format!("{url}/api/v1/services")).send().await?.status() == 401, "it is open");

    // The agent is known by its certificate: its join token is needed no more.
    let mut log = AccessLog::create(left.folder().join("access.log"), behind)?;
    let mut agent = left.agent(&central.config, "used-up", &log)?;
    agent.clock_behind = behind;
    let agent = agent.start()?;
    let waited = (before.0 + spooled.0, before.1 + spooled.1);
    until_counted(&url, token, waited).await.context("what waited in the spool")?;
    let ended = log.write_until("the alert to end", FINE, || page(&hook, false, &[])).await?;
    ensure!(ended.episode == manifest.firing, "{ended:?} is not the alert that was firing");
    log.write_until("a new alert", BAD, || page(&hook, true, &[&manifest.firing])).await?;
    let all = (waited.0 + log.written.0, waited.1 + log.written.1);
    until_counted(&url, token, all).await.context("what was written onwards")?;
    agent.stop().await?;
    let central = central.stop().await?.start().await?;
    until_counted(&central.url(), token, all).await.context("over another restart")?;
    central.stop().await?;
    Ok(())
}

/// Makes the archive of a version: `GOLDENTIME_BIN_DIR` is the folder of its programs, `GOLDENTIME_PREVIOUS` what to
/// name it after.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes what the test above reads"]
async fn leave_what_this_version_leaves() -> Result<()> {
    let version = std::env::var("GOLDENTIME_PREVIOUS").context("GOLDENTIME_PREVIOUS names the version")?;
    let (left, hook) = (Left::nothing()?, WebhookReceiver::start().await?);
    let central = left.central(&hook.url())?.start().await?;
    let url = central.url();
    let token = set_up(&url, &central.config.file()).await?;
    let mut log = AccessLog::create(left.folder().join("access.log"), Duration::ZERO)?;
    let agent = left.agent(&central.config, &central.join_token("default")?, &log)?.start()?;

    log.write_for(5, FINE).await?;
    let first = log.write_until("an alert", BAD, || page(&hook, true, &[])).await?.episode;
    log.write_until("its end", FINE, || page(&hook, false, &[])).await?;
    log.write_for(2, FINE).await?;
    let second = log.write_until("another alert", BAD, || page(&hook, true, &[&first])).await?.episode;
    let before = log.written;
    until_counted(&url, &token, before).await?;
    let recorded = wait::until("the alert to be recorded", PATIENCE, || async {
        let alerts = ask(&url, &token, "/api/v1/alerts").await.ok()?;
        alerts.as_array()?.iter().any(|alert| alert["episode"] == *second).then_some(())
    });
    recorded.await?;
    // Killed: the log behind the last checkpoint is read again.
    drop(central.kill9());
    log.write_for(3, BAD).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    agent.stop().await?;

    let spooled = (log.written.0 - before.0, log.written.1 - before.1);
    let left_ms = log.now_ms();
    let manifest =
        Manifest { version, left_ms, counted: before, spooled, ended: first, firing: second, token };
    std::fs::create_dir_all(archives())?;
    let archive = archives().join(format!("{}.tar.zst", manifest.version));
    left.pack(&manifest, &archive)?;
    println!("{}: {} bytes, {manifest:?}", archive.display(), archive.metadata()?.len());
    Ok(())
}

/// Makes the account, and gives a token of the API.
async fn set_up(url: &str, config: &Path) -> Result<String> {
    let link = central_command(&["setup-link"], config)?;
    let secret = link.split_once("#/setup/").context("no link")?.1;
    let secret = secret.split_whitespace().next().context("no secret")?;
    let client = http_client();
    let body = json!({"token": secret, "name": ACCOUNT, "password": PASSWORD});
    let set_up = client.post(format!("{url}/api/v1/setup")).json(&body).send().await?.error_for_status()?;
    let cookie = set_up.headers().get("set-cookie").context("no cookie")?.to_str()?.to_owned();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let body = json!({"name": "test", "role": "admin"});
    let made = client
        .post(format!("{url}/api/v1/api-tokens"))
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .json(&body);
    let made: Value = made.send().await?.error_for_status()?.json().await?;
    Ok(made["token"].as_str().with_context(|| format!("no token: {made}"))?.to_owned())
}

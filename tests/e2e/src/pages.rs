//! What a webhook was told.

use std::time::Duration;

use anyhow::{Context, Result};
use goldentime_testkit::receivers::WebhookReceiver;
use goldentime_testkit::wait;
use serde_json::Value;

/// How long a page may take to come. No test asserts a time; the benchmarks measure it.
const PATIENCE: Duration = Duration::from_secs(60);

/// One alert of one message.
#[derive(Clone, Debug)]
pub struct Page {
    /// Name of the rule.
    pub name: String,
    /// Firing, not resolved.
    pub is_firing: bool,
    /// Identity of this one time.
    pub episode: String,
    /// The label `host`, else the annotation.
    pub host: Option<String>,
    /// The alert as it came.
    pub alert: Value,
}

/// Every alert of every message so far.
#[must_use]
pub fn all(hook: &WebhookReceiver) -> Vec<Page> {
    let received = hook.received();
    received
        .iter()
        .flat_map(|message| message.body["alerts"].as_array().into_iter().flatten())
        .map(page)
        .collect()
}

fn page(alert: &Value) -> Page {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Page {
        name: text(&alert["labels"]["alertname"]).unwrap_or_default(),
        is_firing: alert["status"] == "firing",
        episode: text(&alert["goldentime"]["episode"]).unwrap_or_default(),
        host: text(&alert["labels"]["host"]).or_else(|| text(&alert["annotations"]["host"])),
        alert: alert.clone(),
    }
}

/// Waits for a page that is as it should be.
pub async fn until(hook: &WebhookReceiver, what: &str, is_it: impl Fn(&Page) -> bool) -> Result<Page> {
    let found = wait::until(what, PATIENCE, || async { all(hook).into_iter().find(&is_it) });
    found.await.with_context(|| format!("pages so far: {:#?}", all(hook)))
}

//! Trying a channel: a page that says it is a test, and its end, or what they would be.

use goldentime_catalog::{Notification, PageKey, PageKind};
use goldentime_model::alert::label;
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels, Severity, StageTimes, UnixNanos};
use goldentime_runtime::SharedClock;

use super::channels::{self, SendError};
use super::config::NotifyConfig;
use super::message::Texts;
use super::start::NotifyError;

/// Name of the alert.
const NAME: &str = "GoldentimeTest";

/// Why a channel did not take a test.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// There is none of this name.
    #[error("no channel under `notify.channels` has the name `{0}`")]
    Unknown(String),
    /// It cannot be made.
    #[error(transparent)]
    Channel(#[from] NotifyError),
    /// It refused, or did not answer.
    #[error("channel `{name}`: {error}")]
    Send {
        /// Its name.
        name: String,
        /// Why.
        error: SendError,
    },
}

/// Sends a test page and its end over a channel; with `preview_only` gives what would be sent, and sends nothing.
pub async fn try_out(
    config: &NotifyConfig,
    name: &str,
    clock: SharedClock,
    preview_only: bool,
) -> Result<String, TryError> {
    let channel = config.channels.iter().find(|channel| channel.name == name);
    let Some(configured) = channel else { return Err(TryError::Unknown(name.to_owned())) };
    // Clients over TLS want a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let texts = Texts::new(configured.language, config.external_url.as_deref())?;
    let now = clock.now();
    let channel = channels::build(configured, texts, clock)?;
    let fault = |error| TryError::Send { name: name.to_owned(), error };
    let mut previews = Vec::new();
    for kind in [PageKind::Fired, PageKind::Resolved] {
        if kind == PageKind::Resolved && !configured.send_resolved {
            continue;
        }
        let notification = notification(name, kind, now);
        if preview_only {
            previews.push(channel.preview(&notification).map_err(fault)?);
        } else {
            let sending = tokio::time::timeout(configured.timeout.get(), channel.send(&notification));
            let slow = || SendError::Retry { reason: "no answer in time".into(), after: None };
            sending.await.unwrap_or_else(|_| Err(slow())).map_err(fault)?;
        }
    }
    Ok(previews.join("\n"))
}

fn notification(channel: &str, kind: PageKind, now: UnixNanos) -> Notification {
    let alert = alert(kind, now);
    let pages = vec![PageKey { episode: alert.episode.clone(), kind }];
    Notification {
        id: format!("test-{}-{}", kind.name(), now.as_millis()),
        channel: channel.to_owned(),
        group_key: format!("{{}}:{{alertname={NAME:?}}}"),
        group_labels: Labels::from([(label::ALERTNAME.to_owned(), NAME.to_owned())]),
        pages,
        alerts: vec![alert],
        created_at: now,
        attempts: 0,
        recovered: false,
    }
}

fn alert(kind: PageKind, now: UnixNanos) -> Alert {
    let pairs = [(label::ALERTNAME, NAME), (label::SERVICE, "goldentime"), (label::SEVERITY, "ticket")];
    let labels: Labels = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let notes = [
        ("summary", "This is a test of this channel. Nothing is wrong."),
        ("summary_ko", "이 채널의 시험입니다. 아무 문제도 없습니다."),
    ];
    let fingerprint = Fingerprint::of(&labels);
    let (status, ends_at) = match kind {
        PageKind::Resolved => (AlertStatus::Resolved, Some(now)),
        _ => (AlertStatus::Firing, None),
    };
    Alert {
        fingerprint,
        episode: Alert::episode_id("test", fingerprint, now.second()),
        status,
        severity: Severity::Warning,
        labels,
        annotations: notes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        first_breach: now.second(),
        starts_at: now,
        ends_at,
        stages: StageTimes::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use goldentime_runtime::SystemClock;
    use goldentime_testkit::receivers::{Answer, WebhookReceiver};

    use super::super::testing::config_of;
    use super::*;

    #[tokio::test]
    async fn a_test_is_sent_with_its_end_or_only_shown_and_a_refusal_is_told() {
        let receiver = WebhookReceiver::start().await.expect("starts");
        let config = config_of(&format!(
            "channels:\n- {{name: ops, language: ko, pagerduty: {{routing_key: k3y, url: 'http://{}'}}}}\n\
             - {{name: hook, webhook: {{url: '{}'}}}}\n",
            "127.0.0.1:9",
            receiver.url()
        ));
        let clock: SharedClock = Arc::new(SystemClock);
        let shown = try_out(&config, "ops", Arc::clone(&clock), true).await.expect("shown");
        assert!(
            shown.contains("시험입니다") && shown.contains("resolve") && !shown.contains("k3y"),
            "{shown}"
        );
        try_out(&config, "hook", Arc::clone(&clock), false).await.expect("sent");
        let statuses: Vec<_> = receiver.received().iter().map(|page| page.body["status"].clone()).collect();
        assert_eq!(statuses, ["firing", "resolved"]);
        receiver.always(Some(Answer::Status(403)));
        let refused = try_out(&config, "hook", Arc::clone(&clock), false).await.expect_err("refused");
        assert!(refused.to_string().contains("403"), "{refused}");
        let unknown = try_out(&config, "none", clock, false).await.expect_err("unknown");
        assert!(matches!(unknown, TryError::Unknown(_)));
    }
}

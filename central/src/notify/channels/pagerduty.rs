//! PagerDuty's Events API, version 2.
//!
//! Each episode of an alert is an incident of its own, by its `dedup_key`: what is told again changes nothing there,
//! and one that is over ends no other of its group. <https://developer.pagerduty.com/docs/events-api-v2-overview>

use futures_util::{StreamExt, TryStreamExt, stream};
use goldentime_catalog::{Notification, PageKey, PageKind};
use goldentime_model::alert::label;
use goldentime_model::config::Secret;
use goldentime_model::{Alert, Severity};
use reqwest::{Client, Url};
use serde_json::{Map, Value, json};

use super::super::config::{ChannelConfig, PagerDutyConfig};
use super::super::message::{Texts, cut};
use super::super::start::NotifyError;
use super::{BoxFuture, Channel, SendError, http};

/// Characters of a summary that PagerDuty keeps.
const SUMMARY_CHARS_MAX: usize = 1024;

/// Events under way at once for one notification.
const AT_ONCE: usize = 8;

/// Sends an event for each page.
pub(super) struct PagerDuty {
    client: Client,
    url: Url,
    routing_key: Secret,
    texts: Texts,
}

impl PagerDuty {
    pub(super) fn new(
        channel: &ChannelConfig,
        config: &PagerDutyConfig,
        texts: Texts,
    ) -> Result<Self, NotifyError> {
        let refuse = |reason: String| NotifyError::Channel { name: channel.name.clone(), reason };
        let url = Url::parse(&config.url).and_then(|base| base.join("/v2/enqueue"));
        Ok(Self {
            client: http::client(channel.timeout.get(), None).map_err(refuse)?,
            url: url.map_err(|error| refuse(format!("url: {error}")))?,
            routing_key: config.routing_key.clone(),
            texts,
        })
    }

    async fn send_all(&self, notification: &Notification) -> Result<(), SendError> {
        let events = events(notification, &self.texts);
        let sending = stream::iter(events).map(|event| self.enqueue(event));
        sending.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn enqueue(&self, mut event: Map<String, Value>) -> Result<(), SendError> {
        event.insert("routing_key".into(), self.routing_key.expose().into());
        let response = self.client.post(self.url.clone()).json(&event).send().await.map_err(http::failed)?;
        http::judge(&response)
    }
}

impl Channel for PagerDuty {
    fn kind(&self) -> &'static str {
        "pagerduty"
    }

    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.send_all(notification))
    }

    fn preview(&self, notification: &Notification) -> Result<String, SendError> {
        let events = events(notification, &self.texts);
        Ok(events.iter().map(|event| format!("{:#}\n", json!(event))).collect())
    }
}

/// The newest news of each episode, without the routing key.
fn events(notification: &Notification, texts: &Texts) -> Vec<Map<String, Value>> {
    let newest = |page: &PageKey| {
        let of_it = |other: &&PageKey| other.episode == page.episode;
        notification.pages.iter().rfind(of_it).is_some_and(|last| last == page)
    };
    let pages = notification.pages.iter().filter(|page| newest(page));
    let with_alert = pages.filter_map(|page| {
        let alert = notification.alerts.iter().find(|alert| alert.episode == page.episode)?;
        Some(event(page.kind, alert, notification, texts))
    });
    with_alert.collect()
}

fn event(kind: PageKind, alert: &Alert, notification: &Notification, texts: &Texts) -> Map<String, Value> {
    let action = match kind {
        PageKind::Fired | PageKind::Repeated(_) | PageKind::Escalated => "trigger",
        PageKind::Acknowledged => "acknowledge",
        PageKind::Resolved => "resolve",
    };
    let mut event = Map::new();
    event.insert("event_action".into(), action.into());
    event.insert("dedup_key".into(), alert.episode.as_str().into());
    if action != "trigger" {
        return event;
    }
    let url = texts.url(alert);
    let part = |name: &str| alert.labels.get(name).cloned();
    let source = part(label::HOST).or_else(|| part(label::SERVICE)).or_else(|| part(label::SLO));
    event.insert("client".into(), "Goldentime".into());
    event.insert("client_url".into(), url.as_str().into());
    event.insert(
        "payload".into(),
        json!({
            "summary": cut(&texts.summary(alert), SUMMARY_CHARS_MAX),
            "source": source.unwrap_or_else(|| "goldentime".into()),
            "severity": match alert.severity { Severity::Critical => "critical", Severity::Warning => "warning" },
            "timestamp": jiff::Timestamp::from_nanosecond(alert.starts_at.0.into()).ok(),
            "component": part(label::ENDPOINT),
            "group": notification.group_key,
            "class": part(label::SIGNAL),
            "custom_details": {"labels": alert.labels, "annotations": alert.annotations},
        }),
    );
    if let Some(runbook) = alert.annotations.get("runbook_url") {
        event.insert("links".into(), json!([{"href": runbook, "text": "runbook"}]));
    }
    event
}

#[cfg(test)]
mod tests {
    use super::super::super::message::testing::{notification_of, texts};
    use super::*;

    #[test]
    fn each_episode_is_an_incident_of_its_own_within_pagerdutys_limits() {
        let mut notification = notification_of(3, &"아주 느립니다 ".repeat(400));
        notification.pages[1].kind = PageKind::Acknowledged;
        notification.pages[2].kind = PageKind::Resolved;
        let events = events(&notification, &texts());
        let actions: Vec<_> = events.iter().map(|event| event["event_action"].clone()).collect();
        assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
        for (event, alert) in events.iter().zip(&notification.alerts) {
            assert_eq!(event["dedup_key"], alert.episode);
            assert!(alert.episode.len() <= 255, "PagerDuty's longest key");
        }
        let payload = &events[0]["payload"];
        assert!(payload["summary"].as_str().is_some_and(|text| text.chars().count() <= SUMMARY_CHARS_MAX));
        assert_eq!((&payload["severity"], &payload["source"]), (&"critical".into(), &"web-0".into()));
        assert_eq!(payload["timestamp"], "1970-01-01T00:00:07Z");
        assert!(events[1].get("payload").is_none());
    }

    #[test]
    fn what_fired_and_ended_in_one_message_is_told_to_have_ended() {
        let mut notification = notification_of(1, "slow");
        let resolved = PageKey { kind: PageKind::Resolved, ..notification.pages[0].clone() };
        notification.pages.push(resolved);
        let events = events(&notification, &texts());
        assert_eq!((events.len(), &events[0]["event_action"]), (1, &"resolve".into()));
    }
}

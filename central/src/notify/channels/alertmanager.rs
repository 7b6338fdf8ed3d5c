//! Alertmanager's webhook body, version 4, with `goldentime` added to each alert.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use std::collections::BTreeMap;

use goldentime_catalog::Notification;
use goldentime_model::{Alert, AlertStatus, Labels, StageTimes, UnixNanos};
use serde::Serialize;

use super::super::group::ALERTS_PER_MESSAGE_MAX;

/// What Go writes for "no time": the `endsAt` of an alert that fires.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
    status: &'static str,
    receiver: &'a str,
    group_labels: &'a Labels,
    common_labels: Labels,
    common_annotations: Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
    goldentime: Extra<'a>,
}

#[derive(Serialize)]
struct Extra<'a> {
    episode: &'a str,
    stages: BTreeMap<&'static str, String>,
    occurred_is_coarse: bool,
}

impl<'a> Body<'a> {
    pub(super) fn of(notification: &'a Notification, external_url: &'a str) -> Self {
        let alerts = &notification.alerts;
        let firing = alerts.iter().any(|alert| alert.status == AlertStatus::Firing);
        let shown = alerts.iter().take(ALERTS_PER_MESSAGE_MAX);
        Self {
            version: "4",
            group_key: &notification.group_key,
            truncated_alerts: alerts.len().saturating_sub(ALERTS_PER_MESSAGE_MAX),
            status: if firing { "firing" } else { "resolved" },
            receiver: &notification.channel,
            group_labels: &notification.group_labels,
            common_labels: common(alerts.iter().map(|alert| &alert.labels)),
            common_annotations: common(alerts.iter().map(|alert| &alert.annotations)),
            external_url,
            alerts: shown.map(|alert| Entry::of(alert, external_url)).collect(),
        }
    }
}

impl<'a> Entry<'a> {
    fn of(alert: &'a Alert, external_url: &str) -> Self {
        Self {
            status: match alert.status {
                AlertStatus::Firing => "firing",
                AlertStatus::Resolved => "resolved",
            },
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: rfc3339(alert.starts_at),
            ends_at: alert.ends_at.map_or_else(|| NO_TIME.to_owned(), rfc3339),
            generator_url: format!("{external_url}/?alert={}", alert.episode),
            fingerprint: alert.fingerprint.to_string(),
            goldentime: Extra {
                episode: &alert.episode,
                stages: stages(&alert.stages),
                occurred_is_coarse: alert.stages.occurred_is_coarse,
            },
        }
    }
}

fn stages(stages: &StageTimes) -> BTreeMap<&'static str, String> {
    stages.in_order().into_iter().filter_map(|(name, at)| Some((name, rfc3339(at?)))).collect()
}

/// Instants beyond the calendar cannot come from a clock; they are written as "no time".
fn rfc3339(at: UnixNanos) -> String {
    jiff::Timestamp::from_nanosecond(at.0.into()).map_or_else(|_| NO_TIME.to_owned(), |at| at.to_string())
}

fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let mut common = all.next().cloned().unwrap_or_default();
    for labels in all {
        common.retain(|name, value| labels.get(name) == Some(value));
    }
    common
}

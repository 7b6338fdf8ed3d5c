//! Notifications for tests.

use goldentime_catalog::{Notification, PageKey, PageKind};
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels, Second, Severity, StageTimes};

use super::Texts;
use crate::notify::config::Language;

pub(in crate::notify) fn texts() -> Texts {
    Texts::new(Language::En, None).expect("templates")
}

/// A firing alert of `host`.
pub(in crate::notify) fn alert_of(host: &str, summary: &str) -> Alert {
    let labels: Labels = [
        ("alertname", "slow-orders"),
        ("project", "shop"),
        ("environment", "prod"),
        ("service", "order-api"),
        ("host", host),
        ("severity", "page"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let fingerprint = Fingerprint::of(&labels);
    Alert {
        fingerprint,
        episode: Alert::episode_id("slow-orders", fingerprint, Second(7)),
        status: AlertStatus::Firing,
        severity: Severity::Critical,
        labels,
        annotations: Labels::from([("summary".into(), summary.into())]),
        first_breach: Second(7),
        starts_at: Second(7).start(),
        ends_at: None,
        stages: StageTimes { evaluated: Some(Second(7).start()), ..StageTimes::default() },
    }
}

/// A notification of `count` alerts.
pub(in crate::notify) fn notification_of(count: usize, summary: &str) -> Notification {
    let alerts: Vec<Alert> = (0..count).map(|n| alert_of(&format!("web-{n}"), summary)).collect();
    let page = |alert: &Alert| PageKey { episode: alert.episode.clone(), kind: PageKind::Fired };
    Notification {
        id: "n".into(),
        channel: "ops".into(),
        group_key: "{}:{}".into(),
        group_labels: alerts[0].labels.clone(),
        pages: alerts.iter().map(page).collect(),
        alerts,
        created_at: Second(7).start(),
        attempts: 0,
        recovered: false,
    }
}

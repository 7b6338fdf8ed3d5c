//! The alert that nothing can be said of a service.
//!
//! Agents that are connected but far behind leave windows that could be either. That is shown as
//! unknown at once; when it lasts, it pages on its own, once a service however many rules it blinds.

use goldentime_model::alert::label;
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels, ServiceId, Severity, StageTimes, UnixNanos};
use hashbrown::HashMap;

use super::engine::Finding;
use super::labels::severity_name;
use super::transition::{Change, Transition};

/// Name of the alert.
pub const ALERT_NAME: &str = "DataIncomplete";

/// Whether the alert of one service is firing.
#[derive(Debug, Default)]
pub(super) struct Incomplete {
    firing: Option<Alert>,
}

impl Incomplete {
    /// Fires when an instance has been unknown for `grace_ms`, and resolves when none is any more.
    pub(super) fn step(
        state: &mut Self,
        service: &ServiceId,
        unknown_since: Option<UnixNanos>,
        grace_ms: i64,
        now: UnixNanos,
        out: &mut Vec<Finding>,
    ) {
        let (change, alert) = match (unknown_since, state.firing.is_some()) {
            (Some(since), false) if now.since(since) >= grace_ms.saturating_mul(1_000_000) => {
                let alert = alert_of(service, since, now);
                state.firing = Some(alert.clone());
                (Change::Fired, alert)
            }
            (None, true) => {
                let Some(mut alert) = state.firing.take() else { return };
                alert.status = AlertStatus::Resolved;
                alert.ends_at = Some(now);
                (Change::Resolved, alert)
            }
            _ => return,
        };
        out.push(Finding {
            service: service.clone(),
            transition: Transition { change, alert, targets: Vec::new(), tell_resolve: true },
            subject: None,
        });
    }

    /// Goes on with the alert that was firing before the start.
    pub(super) fn adopt(state: &mut Self, service: &ServiceId, open: &mut HashMap<Fingerprint, Alert>) {
        if let Some(alert) = open.remove(&Fingerprint::of(&labels_of(service))) {
            state.firing = Some(alert);
        }
    }
}

fn labels_of(service: &ServiceId) -> Labels {
    let (project, environment, name) = service.parts();
    let about = match service.slo() {
        Some(slo) => (label::SLO, slo),
        None => (label::SERVICE, name),
    };
    [
        (label::ALERTNAME, ALERT_NAME),
        (label::PROJECT, project),
        (label::ENVIRONMENT, environment),
        about,
        (label::SEVERITY, severity_name(Severity::Warning)),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn alert_of(service: &ServiceId, since: UnixNanos, now: UnixNanos) -> Alert {
    let labels = labels_of(service);
    let fingerprint = Fingerprint::of(&labels);
    let name = service.slo().unwrap_or_else(|| service.service());
    let annotations = [
        ("summary", format!("Data of {name} is incomplete: its rules cannot be decided")),
        ("summary_ko", format!("{name} 데이터가 불완전하여 규칙을 판정할 수 없습니다")),
        (
            "description",
            "Agents that feed this service are connected but behind: what is missing could make its \
             windows good or bad. Look at the lag and the spool of its agents."
                .to_owned(),
        ),
    ];
    Alert {
        fingerprint,
        episode: Alert::episode_id(ALERT_NAME, fingerprint, since.second()),
        status: AlertStatus::Firing,
        severity: Severity::Warning,
        labels,
        annotations: annotations.map(|(name, text)| (name.to_owned(), text)).into(),
        first_breach: since.second(),
        starts_at: now,
        ends_at: None,
        stages: StageTimes { evaluated: Some(now), ..StageTimes::default() },
    }
}

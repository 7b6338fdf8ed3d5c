//! The labels of alerts.

use goldentime_model::alert::label;
use goldentime_model::{Labels, ServiceId, Severity};

use super::project::{Part, Projection};

/// The labels that identify the alerts of one part.
pub(super) fn labels_of(service: &ServiceId, projection: &Projection, part: &Part) -> Labels {
    let rule = projection.rule();
    let mut labels = rule.labels.clone();
    let (project, environment, name) = service.parts();
    let mut set = |name: &str, value: &str| labels.insert(name.to_owned(), value.to_owned());
    set(label::ALERTNAME, &rule.name);
    set(label::PROJECT, project);
    set(label::ENVIRONMENT, environment);
    set(label::SIGNAL, projection.signal().as_str());
    if let Some(slo) = &rule.slo {
        set(label::SLO, slo);
    }
    match service.slo() {
        // Which services are judged together is no part of what an alert is: the list may change while it fires.
        Some(slo) => set(label::SLO, slo),
        None => set(label::SERVICE, name),
    };
    match part {
        Part::Endpoint(key) => {
            set(label::ENDPOINT, &key.endpoint);
            set(label::METHOD, &key.method);
        }
        Part::Host(host) => {
            set(label::HOST, host);
        }
        Part::Service => {
            if let Some(host) = service.host() {
                set(label::HOST, host);
            }
        }
    }
    labels.entry(label::SEVERITY.to_owned()).or_insert_with(|| severity_name(rule.severity).to_owned());
    labels
}

pub(super) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

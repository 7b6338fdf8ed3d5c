//! Where the rules stand, as states of services and as SLO statuses.

use goldentime_model::alert::label;
use goldentime_model::indicator::Signal;
use goldentime_model::{Fingerprint, Severity};

use super::frame::{SloStatus, Standing, State};
use crate::evaluate::status::{RuleState, RuleStatus};

/// The state that one rule instance gives its service.
const fn state(status: &RuleStatus) -> State {
    match (status.state, status.severity) {
        (RuleState::Firing, Severity::Critical) => State::Critical,
        (RuleState::Firing, Severity::Warning) => State::Warning,
        (RuleState::Unknown, _) => State::Unknown,
        (RuleState::Pending, _) => State::Pending,
        (RuleState::NoData, _) => State::NoData,
        (RuleState::Ok, _) => State::Ok,
    }
}

/// A service stands as its worst rule does, since the first of those that stand like that.
#[must_use]
pub fn standing(statuses: &[RuleStatus]) -> Standing {
    let worst = statuses.iter().min_by_key(|status| (state(status), status.since));
    Standing {
        state: worst.map_or(State::Ok, state),
        since_ms: worst.map(|status| status.since.as_millis()),
        reason: worst.filter(|status| state(status) != State::Ok).map(|status| status.rule.to_string()),
        rules: statuses.len(),
    }
}

impl From<&RuleStatus> for SloStatus {
    fn from(status: &RuleStatus) -> Self {
        let part = |name: &str| status.labels.get(name).cloned();
        let allowed = 1.0 - status.objective;
        let worst = status.sli.map(|sli| sli.low);
        let budget_left = match status.signal {
            Signal::Traffic => None,
            _ => worst.filter(|_| allowed > 0.0).map(|worst| 1.0 - (1.0 - worst) / allowed),
        };
        Self {
            key: format!("{}:{}", status.rule, Fingerprint::of(&status.labels)),
            rule: status.rule.clone(),
            slo: status.slo.clone(),
            service: status.service.to_string(),
            endpoint: part(label::ENDPOINT),
            method: part(label::METHOD),
            host: part(label::HOST),
            signal: status.signal,
            state: status.state,
            severity: status.severity,
            since_ms: status.since.as_millis(),
            sli: status.sli,
            objective: status.objective,
            window_s: status.window_s,
            budget_left,
            watermark_s: status.watermark.0,
        }
    }
}

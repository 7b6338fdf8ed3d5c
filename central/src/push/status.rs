//! Where the rules stand, as states of services and as SLO statuses.

use goldentime_model::alert::label;
use goldentime_model::indicator::Signal;
use goldentime_model::{Fingerprint, Interval, Severity};

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

/// Share of bad events among those that were seen, from the share of good ones with the missing taken
/// at its worst and at its best. The last flush is always on its way: counted as bad, it would show a
/// service without one failure with most of its budget spent. None when nothing was seen.
pub(crate) fn bad_of_seen(good: Interval) -> Option<f64> {
    let seen = 1.0 - (good.high - good.low);
    (seen > 1e-9).then(|| ((1.0 - good.high) / seen).clamp(0.0, 1.0))
}

impl From<&RuleStatus> for SloStatus {
    fn from(status: &RuleStatus) -> Self {
        let part = |name: &str| status.labels.get(name).cloned();
        let allowed = 1.0 - status.objective;
        let of_period = status.budget.as_ref().and_then(|budget| budget.left).map(|left| left.low);
        let budget_left = match status.signal {
            _ if of_period.is_some() => of_period,
            Signal::Traffic if !status.strays => None,
            _ => status.sli.and_then(bad_of_seen).filter(|_| allowed > 0.0).map(|bad| 1.0 - bad / allowed),
        };
        Self {
            key: format!("{}:{}", status.rule, Fingerprint::of(&status.labels)),
            rule: status.rule.clone(),
            slo: status.slo.clone(),
            service: status.service.to_string(),
            services: status.services.clone(),
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
            strays: status.strays,
            budget_left,
            watermark_s: status.watermark.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_still_on_its_way_spends_no_budget() {
        let none_failed = Interval { low: 0.957, high: 1.0 };
        assert_eq!(bad_of_seen(none_failed), Some(0.0));
        let one_in_ten_of_the_seen = Interval { low: 0.45, high: 0.95 };
        let bad = bad_of_seen(one_in_ten_of_the_seen).expect("half was seen");
        assert!((bad - 0.1).abs() < 1e-12, "{bad}");
        assert_eq!(bad_of_seen(Interval { low: 0.0, high: 1.0 }), None);
    }
}

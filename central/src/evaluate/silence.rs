//! The starter rule "host silent": an agent's lease ended without a goodbye.

use goldentime_model::alert::label;
use goldentime_model::{Alert, AlertStatus, Fingerprint, Labels, Severity, StageTimes, UnixNanos};
use hashbrown::HashMap;

use super::labels::severity_name;
use super::transition::{Change, Transition};
use crate::ingest::agents::{AgentEvent, AgentIdentity};

/// Name of the alert.
pub const ALERT_NAME: &str = "HostSilent";

/// Hosts that are silent. Bounded by the agents that the uplink admits.
#[derive(Debug, Default)]
pub struct HostSilence {
    firing: HashMap<Fingerprint, Alert>,
}

impl HostSilence {
    /// Goes on with those of the `open` alerts that are its own.
    #[must_use]
    pub fn new(open: &[Alert]) -> Self {
        let own = |alert: &&Alert| alert.labels.get(label::ALERTNAME).is_some_and(|name| name == ALERT_NAME);
        Self { firing: open.iter().filter(own).map(|alert| (alert.fingerprint, alert.clone())).collect() }
    }

    /// Takes an agent's coming or going.
    pub fn take(&mut self, event: &AgentEvent, now: UnixNanos) -> Option<Transition> {
        match event {
            AgentEvent::LeaseEnded(agent) => {
                let alert = alert_of(agent, now);
                if self.firing.contains_key(&alert.fingerprint) {
                    return None;
                }
                self.firing.insert(alert.fingerprint, alert.clone());
                Some(transition(Change::Fired, alert))
            }
            AgentEvent::Connected(agent) | AgentEvent::Left(agent) => {
                let mut alert = self.firing.remove(&Fingerprint::of(&labels_of(agent)))?;
                alert.status = AlertStatus::Resolved;
                alert.ends_at = Some(now);
                Some(transition(Change::Resolved, alert))
            }
        }
    }
}

const fn transition(change: Change, alert: Alert) -> Transition {
    Transition { change, alert, targets: Vec::new(), tell_resolve: true }
}

fn labels_of(agent: &AgentIdentity) -> Labels {
    [
        (label::ALERTNAME, ALERT_NAME),
        (label::PROJECT, &agent.project),
        (label::ENVIRONMENT, &agent.environment),
        (label::HOST, &agent.host),
        (label::SEVERITY, severity_name(Severity::Critical)),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn alert_of(agent: &AgentIdentity, now: UnixNanos) -> Alert {
    let labels = labels_of(agent);
    let fingerprint = Fingerprint::of(&labels);
    let host = &agent.host;
    let annotations = [
        ("summary", format!("Host {host} is silent: its agent has not been heard for a whole lease")),
        ("summary_ko", format!("호스트 {host} 응답 없음: 에이전트 신호가 임대 시간 동안 끊겼습니다")),
        (
            "description",
            "The agent did not say goodbye. The host, its network or the agent is down; what it saw \
             since is kept in its spool and arrives when it is back."
                .to_owned(),
        ),
    ];
    Alert {
        fingerprint,
        episode: Alert::episode_id(ALERT_NAME, fingerprint, now.second()),
        status: AlertStatus::Firing,
        severity: Severity::Critical,
        labels,
        annotations: annotations.map(|(name, text)| (name.to_owned(), text)).into(),
        first_breach: now.second(),
        starts_at: now,
        ends_at: None,
        stages: StageTimes { evaluated: Some(now), ..StageTimes::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> AgentIdentity {
        AgentIdentity {
            agent: "a1".into(),
            project: "shop".into(),
            environment: "prod".into(),
            host: "web-7".into(),
        }
    }

    #[test]
    fn a_host_that_falls_silent_pages_once_and_resolves_when_it_is_back() {
        let mut silence = HostSilence::default();
        let fired = silence.take(&AgentEvent::LeaseEnded(agent()), UnixNanos(5)).expect("fires");
        assert_eq!((fired.change, fired.alert.labels["host"].as_str()), (Change::Fired, "web-7"));
        assert_eq!(silence.take(&AgentEvent::LeaseEnded(agent()), UnixNanos(6)), None);
        let resolved = silence.take(&AgentEvent::Connected(agent()), UnixNanos(7)).expect("resolves");
        assert_eq!((resolved.change, resolved.alert.episode), (Change::Resolved, fired.alert.episode));
    }

    #[test]
    fn a_host_that_says_goodbye_is_no_alert() {
        assert_eq!(HostSilence::default().take(&AgentEvent::Left(agent()), UnixNanos(5)), None);
    }

    #[test]
    fn a_host_that_was_silent_before_a_restart_resolves_after_it() {
        let fired =
            HostSilence::default().take(&AgentEvent::LeaseEnded(agent()), UnixNanos(5)).expect("fires");
        let mut restarted = HostSilence::new(&[fired.alert]);
        let resolved = restarted.take(&AgentEvent::Connected(agent()), UnixNanos(9)).expect("resolves");
        assert_eq!(resolved.change, Change::Resolved);
    }
}

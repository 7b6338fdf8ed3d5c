//! While a source fires, nobody is told of its targets.

use std::collections::{BTreeMap, HashMap};

use goldentime_model::{Alert, Fingerprint, Labels};

use super::config::routing::InhibitRuleConfig;
use super::matching::Matchers;

/// Rules, and the sources that fire of each.
#[derive(Debug, Default)]
pub(super) struct Inhibitor(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    source: Matchers,
    target: Matchers,
    equal: Vec<String>,
    /// By the values of the labels that must be equal: sources, and whether each is a target too.
    firing: HashMap<Vec<String>, BTreeMap<Fingerprint, bool>>,
}

impl Inhibitor {
    pub(super) fn new(rules: &[InhibitRuleConfig]) -> Result<Self, String> {
        let rule = |config: &InhibitRuleConfig| {
            Ok(Rule {
                source: Matchers::parse(&config.source_matchers)?,
                target: Matchers::parse(&config.target_matchers)?,
                equal: config.equal.clone(),
                firing: HashMap::new(),
            })
        };
        rules.iter().map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// Notes that an alert fires.
    pub(super) fn fires(&mut self, alert: &Alert) {
        for rule in self.0.iter_mut().filter(|rule| rule.source.match_all(&alert.labels)) {
            let is_target = rule.target.match_all(&alert.labels);
            rule.firing.entry(rule.key(&alert.labels)).or_default().insert(alert.fingerprint, is_target);
        }
    }

    /// Notes that it is over.
    pub(super) fn is_over(&mut self, alert: &Alert) {
        for rule in &mut self.0 {
            let key = rule.key(&alert.labels);
            if let Some(sources) = rule.firing.get_mut(&key) {
                sources.remove(&alert.fingerprint);
                if sources.is_empty() {
                    rule.firing.remove(&key);
                }
            }
        }
    }

    /// What inhibits an alert. As in Alertmanager, one that is source and target of a rule is not inhibited by
    /// another that is both: else two such would silence each other.
    pub(super) fn of(&self, alert: &Alert) -> Vec<Fingerprint> {
        let mut sources = Vec::new();
        for rule in self.0.iter().filter(|rule| rule.target.match_all(&alert.labels)) {
            let Some(firing) = rule.firing.get(&rule.key(&alert.labels)) else { continue };
            let is_source = rule.source.match_all(&alert.labels);
            let counts = firing.iter().filter(|(_, is_target)| !(is_source && **is_target));
            sources.extend(counts.map(|(source, _)| *source).filter(|source| *source != alert.fingerprint));
        }
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}

impl Rule {
    fn key(&self, labels: &Labels) -> Vec<String> {
        self.equal.iter().map(|name| labels.get(name).cloned().unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::testing::alert_of;
    use super::*;

    fn alert(host: &str, severity: &str) -> Alert {
        let mut alert = alert_of(host, "slow");
        alert.labels.insert("severity".into(), severity.into());
        alert.fingerprint = Fingerprint::of(&alert.labels);
        alert
    }

    fn inhibitor(source: &str, target: &str) -> Inhibitor {
        Inhibitor::new(&[InhibitRuleConfig {
            source_matchers: vec![source.into()],
            target_matchers: vec![target.into()],
            equal: vec!["host".into()],
        }])
        .expect("valid")
    }

    #[test]
    fn a_source_inhibits_its_targets_with_equal_labels_while_it_fires() {
        let mut inhibitor = inhibitor(r#"severity="page""#, r#"severity="ticket""#);
        let source = alert("web-1", "page");
        inhibitor.fires(&source);
        assert_eq!(inhibitor.of(&alert("web-1", "ticket")), [source.fingerprint]);
        assert_eq!(inhibitor.of(&alert("web-2", "ticket")), [], "another host");
        assert_eq!(inhibitor.of(&alert("web-1", "page")), [], "no target");
        inhibitor.is_over(&source);
        assert_eq!(inhibitor.of(&alert("web-1", "ticket")), []);
    }

    #[test]
    fn two_that_are_both_source_and_target_do_not_silence_each_other() {
        let mut inhibitor = inhibitor(r#"severity=~".+""#, r#"severity=~".+""#);
        for one in [alert("web-1", "page"), alert("web-1", "ticket")] {
            inhibitor.fires(&one);
            assert_eq!(inhibitor.of(&one), []);
        }
    }
}

//! What counts as what on a route.

use goldentime_model::Outcome;

use super::config::{Config, Rule};

/// Number of the rule that holds on a series; [`NO_RULE`] where none does.
pub(super) type RuleNumber = u16;
/// No rule holds.
pub(super) const NO_RULE: RuleNumber = RuleNumber::MAX;

/// All rules.
#[derive(Clone, Debug)]
pub(super) struct Rules(Vec<Rule>);

impl Rules {
    pub(super) fn new(config: &Config) -> Self {
        let mut rules = config.rules.clone();
        rules.truncate(usize::from(NO_RULE));
        Self(rules)
    }

    /// The first rule that matches.
    pub(super) fn find(&self, endpoint: &str, method: &str) -> RuleNumber {
        let found = self.0.iter().position(|rule| {
            let endpoints = &rule.endpoints;
            (endpoints.is_empty() || endpoints.iter().any(|pattern| matches(pattern, endpoint)))
                && (rule.methods.is_empty() || rule.methods.iter().any(|m| m.eq_ignore_ascii_case(method)))
        });
        found.and_then(|at| RuleNumber::try_from(at).ok()).unwrap_or(NO_RULE)
    }

    #[inline]
    pub(super) fn get(&self, number: RuleNumber) -> Option<&Rule> {
        self.0.get(usize::from(number))
    }
}

fn matches(pattern: &str, endpoint: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => endpoint.starts_with(prefix),
        None => pattern == endpoint,
    }
}

/// The outcome of a request: by the rule's verdicts, its statuses, then by the usual meaning of the
/// status. A line without a status is ok.
#[inline]
pub(super) fn outcome(rule: Option<&Rule>, status: Option<u16>, verdict: &[u8]) -> Outcome {
    if let Some(rule) = rule {
        let by_verdict = rule
            .verdicts
            .iter()
            .find(|known| known.value.as_bytes() == verdict || (known.value == "*" && !verdict.is_empty()));
        if let Some(known) = by_verdict {
            return known.outcome;
        }
        if let Some(known) = rule.statuses.iter().find(|known| Some(known.status) == status) {
            return known.outcome;
        }
    }
    status.and_then(Outcome::from_http_status).unwrap_or(Outcome::Ok)
}

/// Protocol switched: a WebSocket's line is written when it closes, hours later perhaps.
pub(super) const SWITCHING_PROTOCOLS: u16 = 101;

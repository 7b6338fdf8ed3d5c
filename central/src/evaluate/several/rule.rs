//! A rule over several services.

use std::sync::Arc;

use goldentime_model::ServiceId;
use goldentime_model::indicator::ANY;

use super::super::project::{Part, Projection, part_matches};
use super::super::ring::Tally;
use super::super::rule::Rule;
use goldentime_windows::SecondCell;

/// A rule over several services, with what follows from it.
#[derive(Clone, Debug)]
pub(super) struct Several {
    pub(super) projection: Arc<Projection>,
    /// Of what is counted and over which window. Where two centrals have different rules of one name, their sums are
    /// not added up.
    pub(super) digest: u64,
}

impl Several {
    /// Those of the rules that are over several services.
    pub(super) fn of(rules: &[Arc<Rule>]) -> Vec<Self> {
        let several = rules.iter().filter(|rule| rule.selector.services.is_some());
        several.map(|rule| Self::new(Arc::clone(rule))).collect()
    }

    fn new(rule: Arc<Rule>) -> Self {
        let counted = format!("{}\n{:?}\n{:?}\n{}", rule.name, rule.selector, rule.measure, rule.window_s);
        let digest = xxhash_rust::xxh64::xxh64(counted.as_bytes(), 0);
        Self { projection: Arc::new(Projection::new(rule)), digest }
    }

    pub(super) fn rule(&self) -> &Arc<Rule> {
        self.projection.rule()
    }

    /// The id under which the services of this project and environment are judged together.
    pub(super) fn group(&self, project: &str, environment: &str) -> Option<ServiceId> {
        let rule = self.rule();
        ServiceId::of_slo(project, environment, rule.slo.as_ref().unwrap_or(&rule.name)).ok()
    }

    /// Whether this is one of its groups.
    pub(super) fn has(&self, group: &ServiceId) -> bool {
        let selector = &self.rule().selector;
        let (project, environment, _) = group.parts();
        part_matches(selector.project.as_deref(), project)
            && part_matches(selector.environment.as_deref(), environment)
            && self.group(project, environment).as_ref() == Some(group)
    }

    /// Its only group, where it names project and environment.
    pub(super) fn only_group(&self) -> Option<ServiceId> {
        let selector = &self.rule().selector;
        let exact = |part: &'_ Option<String>| part.clone().filter(|part| part != ANY);
        self.group(&exact(&selector.project)?, &exact(&selector.environment)?)
    }

    /// The services of a group, where they are named.
    pub(super) fn named(&self, group: &ServiceId) -> Option<Vec<ServiceId>> {
        let names =
            self.rule().selector.services.as_ref().filter(|names| names.iter().all(|name| name != ANY))?;
        let (project, environment, _) = group.parts();
        Some(names.iter().filter_map(|name| ServiceId::new(project, environment, name).ok()).collect())
    }

    /// What a second of a service adds.
    pub(super) fn tally(&self, cell: &SecondCell) -> Tally {
        let mut sum = Tally::default();
        self.projection.tallies(cell, |part, tally| {
            if part == Part::Service {
                sum = sum.plus(tally);
            }
        });
        sum
    }
}

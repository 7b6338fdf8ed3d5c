//! An SLO's objectives, policies and conditions into rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use goldentime_model::alert::label;
use goldentime_model::config::Fault;
use goldentime_model::identity::DEFAULT_PART;
use goldentime_model::indicator::{By, check_service};
use goldentime_model::{ServiceId, Severity};

use super::super::rule::{GroupBy, Rule};
use super::annotations::{Extra, extra};
use super::catalog::Catalog;
use super::condition::{Judged, judged};
use super::documents::{BudgetingMethod, ConditionSpec};
use super::objective::{Aim, aim};
use super::read::{Document, Policy, Slo};
use super::rule_set::{NotificationTarget, RuleSet, SloSummary};
use super::site::Object;
use super::source::{Measurement, measurement};

/// Rules in one set; each costs memory for every service that it judges.
const RULES_MAX: usize = 50_000;

/// Compiles every SLO of a set.
pub(super) fn compile(catalog: &Catalog, faults: &mut Vec<Fault>) -> RuleSet {
    let mut compiler = Compiler { catalog, set: RuleSet::default(), places: BTreeMap::new() };
    compiler.check_references(faults);
    for slo in catalog.slos() {
        compiler.slo(slo, faults);
    }
    if compiler.set.rules.len() > RULES_MAX {
        let message = format!("{} rules are more than the {RULES_MAX} allowed", compiler.set.rules.len());
        faults.push(Fault { place: None, path: String::new(), message });
    }
    compiler.set
}

struct Compiler<'a> {
    catalog: &'a Catalog,
    set: RuleSet,
    /// Where each rule's condition stands, by the rule's name.
    places: BTreeMap<Arc<str>, String>,
}

/// What the rules of one objective share.
struct Shared<'a> {
    slo: &'a Slo,
    /// Name of the SLO, and of the objective if there are several.
    prefix: String,
    measurement: Measurement,
    aim: Aim,
    extra: Extra,
}

impl Compiler<'_> {
    /// A policy that no SLO uses must still name what exists; targets are listed once each.
    fn check_references(&mut self, faults: &mut Vec<Fault>) {
        for document in self.catalog.documents() {
            match document {
                Document::AlertPolicy(policy) => {
                    for condition in &policy.conditions {
                        self.catalog.condition(condition, faults);
                    }
                    for target in &policy.targets {
                        self.catalog.target(target, faults);
                    }
                }
                Document::AlertNotificationTarget(target) => {
                    self.set.targets.push(NotificationTarget {
                        name: target.metadata.name.as_str().into(),
                        kind: target.spec.target.clone(),
                        description: target.spec.description.clone(),
                        place: target.site.place("metadata.name"),
                    });
                }
                _ => {}
            }
        }
    }

    fn slo(&mut self, slo: &Slo, faults: &mut Vec<Fault>) {
        let (site, spec) = (&slo.object.site, &slo.object.spec);
        let name = &slo.object.metadata.name;
        let before = faults.len();
        if let Err(message) = check_service(&spec.service) {
            faults.push(site.fault("spec.service", message));
            return;
        }
        let measurements = self.measurements(slo, faults);
        if faults.len() > before {
            // What else is wrong with an SLO that measures nothing of ours is of no use to its reader.
            return;
        }
        if matches!(spec.budgeting_method, Some(method) if method != BudgetingMethod::Occurrences) {
            let message = "is not supported: every request counts alike here; write `Occurrences`";
            faults.push(site.fault("spec.budgetingMethod", message));
        }
        check_time_window(slo, faults);
        if spec.objectives.is_empty() {
            faults.push(site.fault("spec.objectives", "is empty; an SLO needs one objective at least"));
        }
        let own = extra(&slo.object.metadata, site, faults);
        let mut rules = 0;
        for (at, (objective, measurement)) in spec.objectives.iter().zip(measurements).enumerate() {
            let path = format!("spec.objectives[{at}]");
            if objective.composite_weight.is_some() {
                let message = "is not supported: each objective is judged by itself; leave it out";
                faults.push(site.fault(&format!("{path}.compositeWeight"), message));
            }
            let Some(measurement) = measurement else { continue };
            let Some(aim) = aim(objective, site, &path, &measurement, faults) else { continue };
            let prefix = match (&objective.display_name, spec.objectives.len()) {
                (_, 1) => name.clone(),
                (Some(display), _) => format!("{name}/{display}"),
                (None, _) => format!("{name}/{}", at + 1),
            };
            let shared = Shared { slo, prefix, measurement, aim, extra: own.clone() };
            for policy in &slo.policies {
                let Some(policy) = self.catalog.policy(policy, faults) else { continue };
                rules += self.policy(&shared, policy, faults);
            }
        }
        if rules == 0 {
            let message = "has no alert policy that alerts, so that nothing is judged and nobody is told";
            self.set.warnings.push(site.fault("metadata.name", message));
        }
        self.set.slos.push(SloSummary {
            name: name.as_str().into(),
            display_name: slo.object.metadata.display_name.clone(),
            service: spec.service.clone(),
            description: spec.description.clone(),
            rules,
        });
    }

    /// The measurement of each objective: its own, or the SLO's.
    fn measurements(&self, slo: &Slo, faults: &mut Vec<Fault>) -> Vec<Option<Measurement>> {
        let (site, service) = (&slo.object.site, slo.object.spec.service.as_str());
        let read = |wanted, faults: &mut Vec<Fault>| {
            let sli = self.catalog.indicator(wanted, faults)?;
            measurement(sli, service, self.catalog, faults)
        };
        let shared = slo.indicator.as_ref().map(|wanted| read(wanted, faults));
        let each = slo.objective_indicators.iter().enumerate();
        each.map(|(at, own)| match (own, &shared) {
            (Some(wanted), _) => read(wanted, faults),
            (None, Some(shared)) => shared.clone(),
            (None, None) => {
                let message = "measures nothing; give `indicator` or `indicatorRef` here or in `spec`";
                faults.push(site.fault(&format!("spec.objectives[{at}]"), message));
                None
            }
        })
        .collect()
    }

    fn policy(&mut self, shared: &Shared<'_>, policy: &Policy, faults: &mut Vec<Fault>) -> usize {
        let (site, spec) = (&policy.object.site, &policy.object.spec);
        if spec.alert_when_breaching == Some(false) {
            let message = "is false, so that this policy alerts nobody";
            self.set.warnings.push(site.fault("spec.alertWhenBreaching", message));
            return 0;
        }
        let targets: Vec<Arc<str>> = policy
            .targets
            .iter()
            .filter_map(|target| self.catalog.target(target, faults))
            .map(|target| target.metadata.name.as_str().into())
            .collect();
        let of_policy = extra(&policy.object.metadata, site, faults);
        let mut rules = 0;
        for condition in &policy.conditions {
            let Some(condition) = self.catalog.condition(condition, faults) else { continue };
            let Some(judged) = judged(condition, &shared.aim.limit, faults) else { continue };
            let of_condition = extra(&condition.metadata, &condition.site, faults);
            let all = shared.extra.clone().with(of_policy.clone()).with(of_condition);
            self.rule(shared, policy, condition, judged, all, targets.clone(), faults);
            rules += 1;
        }
        rules
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one rule, each from another document")]
    fn rule(
        &mut self,
        shared: &Shared<'_>,
        policy: &Policy,
        condition: &Object<ConditionSpec>,
        judged: Judged,
        extra: Extra,
        targets: Vec<Arc<str>>,
        faults: &mut Vec<Fault>,
    ) {
        let slo = &shared.slo.object;
        let condition_name = &condition.metadata.name;
        let name: Arc<str> = if shared.prefix == *condition_name {
            condition_name.as_str().into() // The same name need not be said twice.
        } else {
            format!("{}/{condition_name}", shared.prefix).into()
        };
        let origin = condition.site.place("metadata.name").to_string();
        if let Some(first) = self.places.insert(Arc::clone(&name), origin.clone()) {
            let message = format!("makes a second rule `{name}`; the first is at {first}");
            faults.push(condition.site.fault("metadata.name", message));
            return;
        }
        let low_traffic = extra.low_traffic();
        let severity = extra.severity.unwrap_or_else(|| condition.spec.severity.clone());
        let mut annotations = extra.annotations;
        let description =
            [&condition.spec.description, &policy.object.spec.description, &slo.spec.description];
        if let Some(description) = description.into_iter().flatten().next() {
            annotations.entry("description".into()).or_insert_with(|| description.clone());
        }
        let mut labels = extra.labels;
        labels.insert(label::SEVERITY.into(), severity.clone());
        let indicator = &shared.measurement.indicator;
        if indicator.selector.services.is_some()
            && let Err(error) = ServiceId::of_slo(DEFAULT_PART, DEFAULT_PART, &slo.metadata.name)
        {
            let message = format!("names an SLO over several services, whose name stands in theirs: {error}");
            faults.push(slo.site.fault("metadata.name", message));
        }
        self.set.rules.push(Arc::new(Rule {
            name,
            slo: Some(slo.metadata.name.as_str().into()),
            origin: origin.into(),
            selector: indicator.selector.clone(),
            group_by: match indicator.by {
                None => GroupBy::Service,
                Some(By::Endpoint) => GroupBy::Endpoint,
                Some(By::Host) => GroupBy::Host,
            },
            measure: shared.aim.measure.clone(),
            condition: judged.condition,
            requests_min: extra.requests_min.unwrap_or(0),
            low_traffic,
            window_s: judged.window_s,
            hold: judged.hold,
            severity: Severity::from_openslo(&severity),
            alert_on_no_data: policy.object.spec.alert_when_no_data.unwrap_or(false),
            alert_on_resolve: policy.object.spec.alert_when_resolved.unwrap_or(true),
            targets,
            labels,
            annotations,
        }));
    }
}

/// OpenSLO wants exactly one window, rolling or aligned to the calendar.
fn check_time_window(slo: &Slo, faults: &mut Vec<Fault>) {
    let (site, windows) = (&slo.object.site, &slo.object.spec.time_window);
    if windows.len() > 1 {
        faults.push(site.fault("spec.timeWindow[1]", "is a second window; OpenSLO allows one"));
    }
    let Some(window) = windows.first() else { return };
    if window.duration.count == 0 {
        faults.push(site.fault("spec.timeWindow[0].duration", "is empty"));
    }
    match &window.calendar {
        Some(calendar) if window.is_rolling => {
            let message =
                format!("starts at {} and yet is rolling; leave out one of the two", calendar.start_time);
            faults.push(site.fault("spec.timeWindow[0].calendar", message));
        }
        None if window.duration.fixed().is_none() && window.is_rolling => {
            let message =
                format!("`{}` has no fixed length; a rolling window is written in days", window.duration);
            faults.push(site.fault("spec.timeWindow[0].duration", message));
        }
        _ => {}
    }
}

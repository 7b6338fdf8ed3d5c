//! An SLO's objectives, policies and conditions into rules.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use goldentime_model::alert::label;
use goldentime_model::config::Fault;
use goldentime_model::identity::DEFAULT_PART;
use goldentime_model::indicator::{By, Measured, check_service};
use goldentime_model::{Labels, ServiceId, Severity};

use super::super::budget::objective::PRESENT_S;
use super::super::budget::{BudgetWindow, Maintenance, Method, Objective};
use super::super::rule::{Condition, GroupBy, Rule};
use super::annotations::{Extra, extra};
use super::budgeting;
use super::catalog::Catalog;
use super::condition::{Judged, Terms, burning, judged};
use super::documents::{BudgetingMethod, Objective as Written};
use super::objective::{Aim, Limit, aim, clean};
use super::read::{Document, Policy, Slo};
use super::rule_set::{NotificationTarget, RuleSet, SloSummary};
use super::site::Site;
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
    terms: Terms,
}

/// What a rule has of its own.
struct Draft<'a> {
    name: &'a str,
    site: &'a Site,
    /// Where it stands in `site`.
    path: &'static str,
    severity: String,
    description: Option<String>,
    judged: Judged,
    extra: Extra,
}

/// What the rules of one policy share.
struct Telling {
    targets: Vec<Arc<str>>,
    when_no_data: bool,
    when_resolved: bool,
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
        let window = budgeting::window(slo, faults);
        if spec.objectives.is_empty() {
            faults.push(site.fault("spec.objectives", "is empty; an SLO needs one objective at least"));
        }
        let own = extra(&slo.object.metadata, site, faults);
        let maintenance = self.maintenance(slo, &own, faults);
        let mut rules = 0;
        for (at, (objective, measurement)) in spec.objectives.iter().zip(measurements).enumerate() {
            let path = format!("spec.objectives[{at}]");
            let weight = weight(objective, slo, &path, faults);
            let Some(measurement) = measurement else { continue };
            let Some(mut aim) = aim(objective, site, &path, &measurement, faults) else { continue };
            let method = budgeting::method(spec.budgeting_method, objective, site, &path, &aim, faults);
            let (Some(method), Some(window)) = (method, window.clone()) else { continue };
            let terms = terms(spec.budgeting_method, method, &measurement);
            if terms.slice_s.is_some() {
                // Slices are good or bad, whatever makes them so.
                aim.limit = Limit::of_target(aim.target);
            }
            let prefix = match (&objective.display_name, spec.objectives.len()) {
                (_, 1) => name.clone(),
                (Some(display), _) => format!("{name}/{display}"),
                (None, _) => format!("{name}/{}", at + 1),
            };
            let first = self.set.rules.len();
            let shared = Shared { slo, prefix, measurement, aim, extra: own.clone(), terms };
            let telling = Telling { targets: Vec::new(), when_no_data: false, when_resolved: true };
            self.burn_rates(&shared, site, &own, &telling, faults);
            for policy in &slo.policies {
                let Some(policy) = self.catalog.policy(policy, faults) else { continue };
                self.policy(&shared, policy, faults);
            }
            rules += self.set.rules.len() - first;
            if terms.live_only.is_none() {
                self.objective(
                    &shared,
                    Promise { method, window, weight, maintenance: Arc::clone(&maintenance) },
                    first,
                );
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

    /// What is taken out of the budget, as the SLO and its service say.
    fn maintenance(&self, slo: &Slo, own: &Extra, faults: &mut Vec<Fault>) -> Arc<[Maintenance]> {
        let service = self.catalog.documents().find_map(|document| match document {
            Document::Service(service) if service.metadata.name == slo.object.spec.service => Some(service),
            _ => None,
        });
        let of_service = service.map(|service| extra(&service.metadata, &service.site, faults).maintenance);
        of_service.into_iter().flatten().chain(own.maintenance.iter().cloned()).collect()
    }

    fn policy(&mut self, shared: &Shared<'_>, policy: &Policy, faults: &mut Vec<Fault>) {
        let (site, spec) = (&policy.object.site, &policy.object.spec);
        if spec.alert_when_breaching == Some(false) {
            let message = "is false, so that this policy alerts nobody";
            self.set.warnings.push(site.fault("spec.alertWhenBreaching", message));
            return;
        }
        let targets = policy
            .targets
            .iter()
            .filter_map(|target| self.catalog.target(target, faults))
            .map(|target| target.metadata.name.as_str().into())
            .collect();
        let telling = Telling {
            targets,
            when_no_data: spec.alert_when_no_data.unwrap_or(false),
            when_resolved: spec.alert_when_resolved.unwrap_or(true),
        };
        let of_policy = extra(&policy.object.metadata, site, faults);
        self.burn_rates(shared, site, &of_policy, &telling, faults);
        for condition in &policy.conditions {
            let Some(condition) = self.catalog.condition(condition, faults) else { continue };
            let of_condition = extra(&condition.metadata, &condition.site, faults);
            let terms = Terms { short_window: of_condition.short_window, ..shared.terms };
            let Some(judged) = judged(condition, &shared.aim.limit, terms, faults) else { continue };
            let extra = shared.extra.clone().with(of_policy.clone()).with(of_condition);
            let description =
                [&condition.spec.description, &spec.description, &shared.slo.object.spec.description];
            let draft = Draft {
                name: &condition.metadata.name,
                site: &condition.site,
                path: "metadata.name",
                severity: extra.severity.clone().unwrap_or_else(|| condition.spec.severity.clone()),
                description: description.into_iter().flatten().next().cloned(),
                judged,
                extra,
            };
            self.rule(shared, draft, &telling, faults);
        }
    }

    /// The alerts of `goldentime.io/burn_rates` of an SLO or a policy.
    fn burn_rates(
        &mut self,
        shared: &Shared<'_>,
        site: &Site,
        written: &Extra,
        telling: &Telling,
        faults: &mut Vec<Fault>,
    ) {
        const PATH: &str = "metadata.annotations";
        for one in &written.burn_rates {
            let judged = match burning(one, &shared.aim.limit, shared.terms) {
                Ok(judged) => judged,
                Err(message) => {
                    let message = format!("`goldentime.io/burn_rates` {}: {message}", one.rate);
                    faults.push(site.fault(PATH, message));
                    continue;
                }
            };
            let mut extra = shared.extra.clone().with(written.clone());
            let severity = extra.severity.take().unwrap_or_else(|| one.severity.clone());
            let description = shared.slo.object.spec.description.clone();
            let name = format!("burn-{}", one.long);
            let draft = Draft { name: &name, site, path: PATH, severity, description, judged, extra };
            self.rule(shared, draft, telling, faults);
        }
    }

    fn rule(&mut self, shared: &Shared<'_>, draft: Draft<'_>, telling: &Telling, faults: &mut Vec<Fault>) {
        let Draft { name: own_name, site, path, severity, description, judged, extra } = draft;
        let slo = &shared.slo.object;
        let name: Arc<str> = if shared.prefix == *own_name {
            own_name.into() // The same name need not be said twice.
        } else {
            format!("{}/{own_name}", shared.prefix).into()
        };
        let origin = site.place(path).to_string();
        if let Some(first) = self.places.insert(Arc::clone(&name), origin.clone()) {
            let message = format!("makes a second rule `{name}`; the first is at {first}");
            faults.push(site.fault(path, message));
            return;
        }
        let mut annotations = extra.annotations;
        if let Some(description) = description {
            annotations.entry("description".into()).or_insert(description);
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
            objective: Some(shared.prefix.as_str().into()),
            origin: origin.into(),
            selector: indicator.selector.clone(),
            group_by: group_by(indicator.by),
            measure: shared.aim.measure.clone(),
            condition: judged.condition,
            requests_min: extra.requests_min.unwrap_or(0),
            window_s: judged.window_s,
            burn: judged.burn,
            hold: judged.hold,
            severity: Severity::from_openslo(&severity),
            alert_on_no_data: telling.when_no_data,
            alert_on_resolve: telling.when_resolved,
            targets: telling.targets.clone(),
            labels,
            annotations,
        }));
    }

    /// The objective of the rules from `first` on.
    fn objective(&mut self, shared: &Shared<'_>, promise: Promise, first: usize) {
        let slo = &shared.slo.object;
        let name: Arc<str> = shared.prefix.as_str().into();
        let indicator = &shared.measurement.indicator;
        let severity = "ticket".to_owned();
        let mut labels = shared.extra.labels.clone();
        labels.insert(label::SEVERITY.into(), severity);
        let counted = Rule {
            name: Arc::clone(&name),
            slo: Some(slo.metadata.name.as_str().into()),
            objective: Some(Arc::clone(&name)),
            origin: slo.site.place("metadata.name").to_string().into(),
            selector: indicator.selector.clone(),
            group_by: group_by(indicator.by),
            measure: shared.aim.measure.clone(),
            condition: Condition::BadShareAbove(clean(1.0 - shared.aim.target)),
            requests_min: 0,
            window_s: PRESENT_S,
            burn: None,
            hold: Duration::ZERO,
            severity: Severity::Warning,
            alert_on_no_data: false,
            alert_on_resolve: false,
            targets: Vec::new(),
            labels,
            annotations: Labels::new(),
        };
        let burns = self.set.rules[first..].iter().filter(|rule| rule.burn.is_some()).cloned().collect();
        let Promise { method, window, weight, maintenance } = promise;
        self.set.objectives.push(Arc::new(Objective {
            name,
            slo: slo.metadata.name.as_str().into(),
            counted: Arc::new(counted),
            method,
            target: shared.aim.target,
            window,
            maintenance,
            weight,
            burns,
        }));
    }
}

/// By what a budget is reckoned.
struct Promise {
    method: Method,
    window: BudgetWindow,
    weight: Option<f64>,
    maintenance: Arc<[Maintenance]>,
}

const fn group_by(by: Option<By>) -> GroupBy {
    match by {
        None => GroupBy::Service,
        Some(By::Endpoint) => GroupBy::Endpoint,
        Some(By::Host) => GroupBy::Host,
    }
}

/// What bears on all conditions of an objective.
fn terms(written: Option<BudgetingMethod>, method: Method, measurement: &Measurement) -> Terms {
    let live_only = match &measurement.indicator {
        indicator if indicator.selector.services.is_some() => {
            Some("sums of several services together are kept no longer")
        }
        indicator if matches!(indicator.measured, Measured::Stray(_)) => {
            Some("of what strays no sums are kept longer")
        }
        _ => None,
    };
    let slice_s = match (written, method) {
        (None | Some(BudgetingMethod::Occurrences), _) | (_, Method::Occurrences) => None,
        (_, Method::Slices { slice_s, .. }) => Some(slice_s),
    };
    Terms { live_only, slice_s, short_window: None }
}

/// The weight of an objective in a composite SLO: 1 where others have one.
fn weight(objective: &Written, slo: &Slo, path: &str, faults: &mut Vec<Fault>) -> Option<f64> {
    let objectives = &slo.object.spec.objectives;
    let is_composite = objectives.iter().any(|objective| objective.composite_weight.is_some());
    match objective.composite_weight {
        None => is_composite.then_some(1.0),
        Some(_) if objectives.len() < 2 => {
            let message = "weighs objectives against one another, and there is only one; leave it out";
            faults.push(slo.object.site.fault(&format!("{path}.compositeWeight"), message));
            None
        }
        Some(weight) if weight.is_finite() && weight > 0.0 => Some(weight),
        Some(_) => {
            faults.push(slo.object.site.fault(&format!("{path}.compositeWeight"), "must be above 0"));
            None
        }
    }
}

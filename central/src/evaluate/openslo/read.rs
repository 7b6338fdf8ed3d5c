//! From a text to documents.

use std::sync::Arc;

use goldentime_model::config::node::Value;
use goldentime_model::config::{Fault, Node, Source, nearest, yaml};

use super::documents::{
    API_VERSION, ConditionSpec, DataSourceSpec, Kind, PolicySpec, ServiceSpec, SliSpec, SloSpec, TargetSpec,
};
use super::site::{NameOr, Object, Site};

/// A document, read and checked by itself.
#[derive(Clone, Debug)]
pub(super) enum Document {
    DataSource(Object<DataSourceSpec>),
    Slo(Slo),
    Sli(Object<SliSpec>),
    AlertPolicy(Policy),
    AlertCondition(Object<ConditionSpec>),
    AlertNotificationTarget(Object<TargetSpec>),
    Service(Object<ServiceSpec>),
}

impl Document {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::DataSource(_) => Kind::DataSource,
            Self::Slo(_) => Kind::Slo,
            Self::Sli(_) => Kind::Sli,
            Self::AlertPolicy(_) => Kind::AlertPolicy,
            Self::AlertCondition(_) => Kind::AlertCondition,
            Self::AlertNotificationTarget(_) => Kind::AlertNotificationTarget,
            Self::Service(_) => Kind::Service,
        }
    }

    pub(super) fn name(&self) -> (&str, &Site) {
        match self {
            Self::DataSource(object) => (&object.metadata.name, &object.site),
            Self::Slo(slo) => (&slo.object.metadata.name, &slo.object.site),
            Self::Sli(object) => (&object.metadata.name, &object.site),
            Self::AlertPolicy(policy) => (&policy.object.metadata.name, &policy.object.site),
            Self::AlertCondition(object) => (&object.metadata.name, &object.site),
            Self::AlertNotificationTarget(object) => (&object.metadata.name, &object.site),
            Self::Service(object) => (&object.metadata.name, &object.site),
        }
    }
}

/// An SLO with what stands in it in place of references.
#[derive(Clone, Debug)]
pub(super) struct Slo {
    pub(super) object: Object<SloSpec>,
    pub(super) indicator: Option<NameOr<Object<SliSpec>>>,
    /// One for each objective, where it has its own.
    pub(super) objective_indicators: Vec<Option<NameOr<Object<SliSpec>>>>,
    pub(super) policies: Vec<NameOr<Policy>>,
}

/// An alert policy with what stands in it in place of references.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) object: Object<PolicySpec>,
    pub(super) conditions: Vec<NameOr<Object<ConditionSpec>>>,
    pub(super) targets: Vec<NameOr<Object<TargetSpec>>>,
}

/// Reads every document of a text. What cannot be read goes to `faults`.
pub(super) fn documents(source: &Arc<Source>, faults: &mut Vec<Fault>) -> Vec<Document> {
    match yaml::parse_many(source) {
        Ok(nodes) => nodes.into_iter().filter_map(|node| document(node, faults)).collect(),
        Err(found) => {
            faults.extend(found.0);
            Vec::new()
        }
    }
}

fn document(node: Node, faults: &mut Vec<Fault>) -> Option<Document> {
    let site = Site::document(node);
    if !matches!(site.node.value, Value::Map(_)) {
        faults.push(
            site.fault("", "is no OpenSLO document: expected `apiVersion`, `kind`, `metadata` and `spec`"),
        );
        return None;
    }
    let version = site.node.get("apiVersion").and_then(Node::text);
    if version != Some(API_VERSION) {
        let message = match version {
            Some(version) => format!("`{version}` is not supported; write `{API_VERSION}`"),
            None => format!("is missing; an OpenSLO document begins with `apiVersion: {API_VERSION}`"),
        };
        faults.push(site.fault("apiVersion", message));
        return None;
    }
    let kinds = || Kind::ALL.map(Kind::as_str);
    let written = site.node.get("kind").and_then(Node::text).unwrap_or_default();
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == written) else {
        let message = match nearest(written, kinds()) {
            Some(near) => format!("`{written}` is no kind of document; did you mean `{near}`?"),
            None => format!("`{written}` is no kind of document; write one of {}", kinds().join(", ")),
        };
        faults.push(site.fault("kind", message));
        return None;
    };
    match kind {
        Kind::DataSource => Object::read(site, faults).map(Document::DataSource),
        Kind::Slo => Slo::read(site, faults).map(Document::Slo),
        Kind::Sli => Object::read(site, faults).map(Document::Sli),
        Kind::AlertPolicy => Policy::read(site, faults).map(Document::AlertPolicy),
        Kind::AlertCondition => Object::read(site, faults).map(Document::AlertCondition),
        Kind::AlertNotificationTarget => Object::read(site, faults).map(Document::AlertNotificationTarget),
        Kind::Service => Object::read(site, faults).map(Document::Service),
    }
}

impl Slo {
    /// What stands in place of references is read first, so that its faults are told even where the
    /// SLO around it cannot be read.
    fn read(site: Site, faults: &mut Vec<Fault>) -> Option<Self> {
        let indicator = indicator_at(&site, "spec", faults);
        let objectives = match site.part("spec.objectives").map(|part| part.node.value) {
            Some(Value::List(items)) => items.len(),
            _ => 0,
        };
        let objective_indicators = (0..objectives)
            .map(|at| indicator_at(&site, &format!("spec.objectives[{at}]"), faults))
            .collect();
        let policies = list(&site, "spec.alertPolicies", "alertPolicyRef", faults, Policy::read);
        let object = Object::read(site, faults)?;
        Some(Self { object, indicator, objective_indicators, policies })
    }
}

impl Policy {
    fn read(site: Site, faults: &mut Vec<Fault>) -> Option<Self> {
        let conditions = list(&site, "spec.conditions", "conditionRef", faults, Object::read);
        let targets = list(&site, "spec.notificationTargets", "targetRef", faults, Object::read);
        let object = Object::read(site, faults)?;
        Some(Self { object, conditions, targets })
    }
}

/// The SLI that stands under `path.indicator` or is named by `path.indicatorRef`.
fn indicator_at(site: &Site, path: &str, faults: &mut Vec<Fault>) -> Option<NameOr<Object<SliSpec>>> {
    let part =
        |name: &str| site.part(&format!("{path}.{name}")).filter(|part| part.node.value != Value::Null);
    match (part("indicator"), part("indicatorRef")) {
        (Some(_), Some(_)) => {
            let message = "stands beside `indicator`; give one of the two";
            faults.push(site.fault(&format!("{path}.indicatorRef"), message));
            None
        }
        (Some(part), None) => Object::read(part, faults).map(|object| NameOr::Object(Box::new(object))),
        (None, Some(part)) => {
            let name = part.node.text()?.to_owned();
            Some(NameOr::Name { name, site: part })
        }
        (None, None) => None,
    }
}

/// A list whose items are names, `{<key>: name}` or the objects themselves.
fn list<T>(
    site: &Site,
    path: &str,
    key: &str,
    faults: &mut Vec<Fault>,
    read: impl Fn(Site, &mut Vec<Fault>) -> Option<T>,
) -> Vec<NameOr<T>> {
    let Some(Value::List(items)) = site.part(path).map(|part| part.node.value) else { return Vec::new() };
    let mut found = Vec::new();
    for at in 0..items.len() {
        let Some(item) = site.part(&format!("{path}[{at}]")) else { continue };
        if let Some(name) = item.node.text() {
            found.push(NameOr::Name { name: name.to_owned(), site: item });
        } else if let Some(entry) = item.node.entry(key) {
            match (entry.value.text(), &item.node.value) {
                (Some(name), Value::Map(entries)) if entries.len() == 1 => {
                    let name = name.to_owned();
                    found.extend(item.part(key).map(|site| NameOr::Name { name, site }));
                }
                (Some(_), _) => {
                    faults.push(item.fault("", format!("has keys beside `{key}`; give the name alone")))
                }
                (None, _) => faults.push(item.fault(key, "expected a name")),
            }
        } else if item.node.value == Value::Null {
            faults.push(item.fault("", format!("is empty; write `{key}: <name>` or the object itself")));
        } else {
            found.extend(read(item, faults).map(|object| NameOr::Object(Box::new(object))));
        }
    }
    found
}

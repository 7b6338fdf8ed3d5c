//! Documents by kind and name.

use std::collections::BTreeMap;

use goldentime_model::config::{Fault, nearest};

use super::documents::{ConditionSpec, DataSourceSpec, Kind, SliSpec, TargetSpec};
use super::read::{Document, Policy, Slo};
use super::site::{NameOr, Object, Site};

/// All documents of a set, by kind and name.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    documents: BTreeMap<(Kind, String), Document>,
}

impl Catalog {
    /// Adds a document. A name that its kind has already is refused.
    pub(super) fn add(&mut self, document: Document, faults: &mut Vec<Fault>) {
        let kind = document.kind();
        let (name, site) = document.name();
        if let Some(first) = self.documents.get(&(kind, name.to_owned())) {
            let place = first.name().1.place("metadata.name");
            let message = format!("a second {} `{name}`; the first is at {place}", kind.as_str());
            faults.push(site.fault("metadata.name", message));
            return;
        }
        self.documents.insert((kind, name.to_owned()), document);
    }

    /// Whether the document is an SLO whose name there is already.
    pub(super) fn has_slo(&self, document: &Document) -> bool {
        document.kind() == Kind::Slo
            && self.documents.contains_key(&(Kind::Slo, document.name().0.to_owned()))
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    pub(super) fn slos(&self) -> impl Iterator<Item = &Slo> {
        self.documents.values().filter_map(|document| match document {
            Document::Slo(slo) => Some(slo),
            _ => None,
        })
    }

    pub(super) fn data_source(
        &self,
        name: &str,
        site: &Site,
        faults: &mut Vec<Fault>,
    ) -> Option<&Object<DataSourceSpec>> {
        match self.find(Kind::DataSource, name, site, faults)? {
            Document::DataSource(object) => Some(object),
            _ => None,
        }
    }

    pub(super) fn indicator<'a>(
        &'a self,
        wanted: &'a NameOr<Object<SliSpec>>,
        faults: &mut Vec<Fault>,
    ) -> Option<&'a Object<SliSpec>> {
        match wanted {
            NameOr::Object(object) => Some(object),
            NameOr::Name { name, site } => match self.find(Kind::Sli, name, site, faults)? {
                Document::Sli(object) => Some(object),
                _ => None,
            },
        }
    }

    pub(super) fn policy<'a>(
        &'a self,
        wanted: &'a NameOr<Policy>,
        faults: &mut Vec<Fault>,
    ) -> Option<&'a Policy> {
        match wanted {
            NameOr::Object(policy) => Some(policy),
            NameOr::Name { name, site } => match self.find(Kind::AlertPolicy, name, site, faults)? {
                Document::AlertPolicy(policy) => Some(policy),
                _ => None,
            },
        }
    }

    pub(super) fn condition<'a>(
        &'a self,
        wanted: &'a NameOr<Object<ConditionSpec>>,
        faults: &mut Vec<Fault>,
    ) -> Option<&'a Object<ConditionSpec>> {
        match wanted {
            NameOr::Object(object) => Some(object),
            NameOr::Name { name, site } => match self.find(Kind::AlertCondition, name, site, faults)? {
                Document::AlertCondition(object) => Some(object),
                _ => None,
            },
        }
    }

    pub(super) fn target<'a>(
        &'a self,
        wanted: &'a NameOr<Object<TargetSpec>>,
        faults: &mut Vec<Fault>,
    ) -> Option<&'a Object<TargetSpec>> {
        match wanted {
            NameOr::Object(object) => Some(object),
            NameOr::Name { name, site } => {
                match self.find(Kind::AlertNotificationTarget, name, site, faults)? {
                    Document::AlertNotificationTarget(object) => Some(object),
                    _ => None,
                }
            }
        }
    }

    fn find(&self, kind: Kind, name: &str, site: &Site, faults: &mut Vec<Fault>) -> Option<&Document> {
        let found = self.documents.get(&(kind, name.to_owned()));
        if found.is_none() {
            let known = self.documents.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str());
            let hint = match nearest(name, known) {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; add a document of kind {} with that name", kind.as_str()),
            };
            faults.push(site.fault("", format!("there is no {} `{name}`{hint}", kind.as_str())));
        }
        found
    }
}

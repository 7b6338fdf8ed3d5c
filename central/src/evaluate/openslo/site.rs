//! An object that was read, and where.

use goldentime_model::config::node::{parse_path, path_text};
use goldentime_model::config::{Fault, Node, Place, decode};
use serde::de::DeserializeOwned;

use super::documents::{API_VERSION, Envelope, Metadata, Spec};

/// Where an object was written, to name the place of any part of it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) node: Node,
    /// Within its document, such as `spec.alertPolicies[0]`; empty for a document.
    path: String,
}

impl Site {
    pub(super) fn document(node: Node) -> Self {
        Self { node, path: String::new() }
    }

    /// A part of this object, if it was written.
    pub(super) fn part(&self, path: &str) -> Option<Self> {
        let node = self.node.find(&parse_path(path))?.clone();
        Some(Self { node, path: self.path_of(path) })
    }

    /// What is wrong with the part that `path` names; the place is that of the deepest part that
    /// was written.
    pub(super) fn fault(&self, path: &str, message: impl Into<String>) -> Fault {
        Fault { place: Some(self.place(path)), path: self.path_of(path), message: message.into() }
    }

    pub(super) fn place(&self, path: &str) -> Place {
        self.node.place_of(&parse_path(path))
    }

    fn path_of(&self, path: &str) -> String {
        let mut steps = parse_path(&self.path);
        steps.extend(parse_path(path));
        path_text(&steps)
    }

    /// Reads this object as a `T`; what is wrong goes to `faults`.
    pub(super) fn decode<T: DeserializeOwned>(&self, faults: &mut Vec<Fault>) -> Option<T> {
        match decode(&self.node) {
            Ok(value) => Some(value),
            Err(found) => {
                faults.extend(
                    found.0.into_iter().map(|fault| Fault { path: self.path_of(&fault.path), ..fault }),
                );
                None
            }
        }
    }
}

/// An object of some kind: a document, or one that stands in place of a reference.
#[derive(Clone, Debug)]
pub(super) struct Object<T> {
    pub(super) site: Site,
    pub(super) metadata: Metadata,
    pub(super) spec: T,
}

impl<T: Spec> Object<T> {
    /// Reads an object. In place of a reference `apiVersion` and `kind` may be left out, but not be
    /// others.
    pub(super) fn read(site: Site, faults: &mut Vec<Fault>) -> Option<Self> {
        let Envelope { api_version, kind, metadata, spec } = site.decode::<Envelope<T>>(faults)?;
        let expected = [("apiVersion", api_version, API_VERSION), ("kind", kind, T::KIND.as_str())];
        for (field, written, expected) in expected {
            if let Some(written) = written.filter(|written| written != expected) {
                faults.push(site.fault(field, format!("expected `{expected}` here, found `{written}`")));
                return None;
            }
        }
        if metadata.name.trim().is_empty() {
            faults.push(site.fault("metadata.name", "is empty; every object needs a name"));
            return None;
        }
        Some(Self { site, metadata, spec })
    }
}

/// A name of a document, or the object itself.
#[derive(Clone, Debug)]
pub(super) enum NameOr<T> {
    Name { name: String, site: Site },
    Object(Box<T>),
}

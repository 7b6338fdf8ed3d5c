//! The rules of a configuration that its types cannot say.

use serde::de::DeserializeOwned;

use super::fault::{Fault, Faults};
use super::node::{Node, parse_path};

/// A configuration that [`super::load()`] can read.
pub trait Settings: DeserializeOwned {
    /// Refuses what the types allow and the program does not: values out of range, settings that
    /// contradict each other. All of it, not only the first.
    fn validate(&self, check: &mut Check);
}

/// Collects what is wrong, by the setting's name.
#[derive(Debug, Default)]
pub struct Check {
    prefix: String,
    found: Vec<(String, String)>,
}

impl Check {
    /// Nothing found yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses a setting, named as `listen` or `tail[0].path` below the present section. The message
    /// says what is wrong and the way out.
    pub fn refuse(&mut self, setting: &str, message: impl Into<String>) {
        let path = match (self.prefix.as_str(), setting) {
            ("", setting) => setting.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, setting) => format!("{prefix}.{setting}"),
        };
        self.found.push((path, message.into()));
    }

    /// Refuses a setting unless `holds`.
    pub fn require(&mut self, holds: bool, setting: &str, message: impl Into<String>) {
        if !holds {
            self.refuse(setting, message);
        }
    }

    /// Checks a section; what it refuses is named below `section`.
    pub fn section(&mut self, section: &str, check: impl FnOnce(&mut Self)) {
        let before = self.prefix.clone();
        self.prefix = if before.is_empty() { section.to_owned() } else { format!("{before}.{section}") };
        check(self);
        self.prefix = before;
    }

    /// Whether nothing was refused so far: sums over several settings mean nothing before.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// What was refused, with the places where it was written in `node`.
    #[must_use]
    pub fn into_faults(self, node: &Node) -> Faults {
        let fault = |(path, message): (String, String)| Fault {
            place: Some(node.place_of(&parse_path(&path))),
            path,
            message,
        };
        Faults(self.found.into_iter().map(fault).collect())
    }
}

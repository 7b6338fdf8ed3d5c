//! Starter rules: what every installation wants to be told of before it has rules of its own.
//!
//! OpenSLO files like any others, one rule each, switched on in the configuration by name. An SLO of
//! the same name in the folder takes a starter rule's place.

use std::path::Path;
use std::sync::Arc;

use goldentime_model::config::Source;
use goldentime_model::config::load::source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StarterRule {
    /// All of them.
    All,
    /// More than 5% of a service's requests in a minute fail, from 50 requests on.
    Errors,
    /// In most of five seconds far more of a service's requests fail than in the minutes before.
    ErrorSurge,
    /// For half a minute a service has far fewer requests than in the minutes before.
    TrafficDrop,
    /// A service's p95 over a minute is above a second, from 50 requests on.
    Latency,
    /// A file system is more than 90% full.
    Disk,
    /// A host's memory is used up.
    Memory,
}

/// The files: what they are called where they are shown, and what is in them.
const FILES: [(StarterRule, &str, &str); 6] = [
    (StarterRule::Errors, "starter-errors.yaml", include_str!("starter/errors.yaml")),
    (StarterRule::ErrorSurge, "starter-error-surge.yaml", include_str!("starter/error-surge.yaml")),
    (StarterRule::TrafficDrop, "starter-traffic-drop.yaml", include_str!("starter/traffic-drop.yaml")),
    (StarterRule::Latency, "starter-latency.yaml", include_str!("starter/latency.yaml")),
    (StarterRule::Disk, "starter-disk.yaml", include_str!("starter/disk.yaml")),
    (StarterRule::Memory, "starter-memory.yaml", include_str!("starter/memory.yaml")),
];

/// The files of the rules that are `wanted`, each once.
#[must_use]
pub fn sources(wanted: &[StarterRule]) -> Vec<Arc<Source>> {
    let is_wanted = |rule| wanted.contains(&StarterRule::All) || wanted.contains(&rule);
    let files = FILES.iter().filter(|(rule, _, _)| is_wanted(*rule));
    files.map(|(_, name, text)| source(Path::new(name), (*text).to_owned())).collect()
}

/// All files in one, to copy from.
#[must_use]
pub fn text() -> String {
    FILES.map(|(_, _, text)| text).join("---\n")
}

#[cfg(test)]
mod tests {
    use super::super::RuleSet;
    use super::*;

    #[test]
    fn every_starter_rule_loads_and_says_what_it_means_in_both_languages() {
        let set = RuleSet::compile_over(&sources(&[StarterRule::All]), &[]).expect("valid");
        assert_eq!((set.rules.len(), set.warnings.len()), (FILES.len(), 0));
        for rule in &set.rules {
            assert!(rule.annotations.contains_key("description"), "{}", rule.name);
            assert!(rule.annotations.contains_key("description_ko"), "{}", rule.name);
        }
    }

    #[test]
    fn what_is_printed_can_be_put_into_the_folder_as_it_is() {
        let folder = [source(Path::new("mine.yaml"), text())];
        let set = RuleSet::compile_over(&sources(&[StarterRule::All]), &folder).expect("valid");
        assert_eq!(set.rules.len(), FILES.len());
        assert!(set.rules.iter().all(|rule| rule.origin.starts_with("mine.yaml")), "the folder's own");
    }

    #[test]
    fn a_single_one_is_switched_on_by_its_name() {
        let set = RuleSet::compile_over(&sources(&[StarterRule::Disk]), &[]).expect("valid");
        assert_eq!(set.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["starter-disk"]);
    }
}

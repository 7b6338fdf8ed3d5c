//! SIGHUP: the configuration is read and checked again.
//!
//! Nothing of it is taken in while the agent runs. What is wrong with it is told before a restart
//! would fail on it, and what differs from the running one is named, so that whoever changed it knows
//! what a restart will do. A restart goes on where reading was left and loses no line.

use std::path::Path;

use serde_json::Value;

use crate::config::Config;
use crate::memory;

/// Settings named in one message; of further ones only the number is told.
const NAMED_MAX: usize = 20;

/// Reads `file` and what is laid over it as at the start, compares it with what `running` was started
/// with, and says in the log what comes of it.
pub fn check_again(file: &Path, running: &Config) {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(faults) => {
            for fault in &faults.0 {
                tracing::error!("{fault}");
            }
            tracing::error!(
                faults = faults.0.len(),
                "the configuration is refused; the agent goes on with the one it was started with"
            );
            return;
        }
    };
    if let Err(too_much) = memory::bounds(&config) {
        tracing::error!("{too_much}");
        tracing::error!("the configuration is refused; the agent goes on with the one it was started with");
        return;
    }
    if config == *running {
        tracing::info!("the configuration is valid and as it was at the start");
        return;
    }
    let mut changed = changed_settings(running, &config);
    let count = changed.len();
    changed.truncate(NAMED_MAX);
    tracing::warn!(
        count,
        changed = changed.join(", "),
        "the configuration is valid and has changed: restart the agent to take it in; it goes on where it \
         stopped reading"
    );
}

/// The settings that differ, as they are named in the reference. Never empty for configurations that
/// differ.
fn changed_settings(before: &Config, after: &Config) -> Vec<String> {
    let values = serde_json::to_value(before).and_then(|before| Ok((before, serde_json::to_value(after)?)));
    let mut changed = Vec::new();
    if let Ok((before, after)) = values {
        compare("", &before, &after, &mut changed);
    }
    // Secrets all look alike when they are written out.
    if before.central.join_token != after.central.join_token {
        changed.push("central.join_token".to_owned());
    }
    let password = |config: &Config| {
        let sasl = config.kafka.as_ref().and_then(|kafka| kafka.connection.sasl.clone());
        sasl.map(|sasl| sasl.password)
    };
    if let (Some(one), Some(other)) = (password(before), password(after))
        && one != other
    {
        changed.push("kafka.connection.sasl.password".to_owned());
    }
    changed.sort();
    changed.dedup();
    changed
}

/// Goes into objects and into lists of the same length; what is left differs as a whole.
fn compare(path: &str, before: &Value, after: &Value, changed: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = |of: &serde_json::Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                compare(&path, &value(one), &value(other), changed);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}[{at}]"), one, other, changed);
            }
        }
        _ if before != after => changed.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Config {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("agent.yaml");
        std::fs::write(&file, text).expect("written");
        Config::load(&file).expect("valid")
    }

    #[test]
    fn each_setting_that_differs_is_named_once() {
        let before = read(
            "environment: prod\ncentral: {join_token: one}\ninputs:\n  tail:\n  - paths: [/a]\n    format: {type: \
             json}\n",
        );
        let after = read(
            "environment: test\ncentral: {join_token: two}\ninputs:\n  tail:\n  - paths: [/b]\n    format: {type: \
             regex, pattern: '(?<status>x)'}\n",
        );
        assert_eq!(changed_settings(&before, &before), Vec::<String>::new());
        assert_eq!(
            changed_settings(&before, &after),
            [
                "central.join_token",
                "environment",
                "inputs.tail[0].format.pattern",
                "inputs.tail[0].format.type",
                "inputs.tail[0].paths[0]"
            ]
        );
    }

    #[test]
    fn a_list_that_grew_or_shrank_is_named_as_a_whole() {
        let after = read("inputs:\n  tail:\n  - paths: [/a]\n    format: {type: json}\n");
        assert_eq!(changed_settings(&Config::default(), &after), ["inputs.tail"]);
    }
}

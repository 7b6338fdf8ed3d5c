//! Settings from the environment: `GOLDENTIME_CENTRAL__HTTP__LISTEN=127.0.0.1:7800`.
//!
//! After the program's prefix, two underscores go one level down. Names are matched without regard
//! to case. A value is read as one word; one that begins with `[` or `{` is read as YAML.

use std::sync::Arc;

use super::fault::{Fault, Faults};
use super::node::{Entry, Node, Scalar, Value};
use super::source::{Place, Source};
use super::yaml;

/// The prefix of a program's variables: `GOLDENTIME_CENTRAL__` for `central`.
#[must_use]
pub fn prefix(program: &str) -> String {
    format!("GOLDENTIME_{}__", program.to_ascii_uppercase().replace('-', "_"))
}

/// The tree that the variables with `prefix` describe, in the order of their names.
pub fn parse(prefix: &str, variables: &[(String, String)]) -> Result<Vec<Node>, Faults> {
    let mut mine: Vec<_> = variables.iter().filter(|(name, _)| name.starts_with(prefix)).collect();
    mine.sort();
    let (mut nodes, mut faults) = (Vec::new(), Vec::new());
    for (name, value) in mine {
        // The value is not kept for quoting: it may be a secret.
        let source = Arc::new(Source { name: format!("environment variable {name}"), text: String::new() });
        let place = Place::whole(source);
        let steps: Vec<String> = name[prefix.len()..].split("__").map(str::to_ascii_lowercase).collect();
        if steps.iter().any(String::is_empty) {
            faults.push(Fault::at(place, format!("names no setting; write {prefix}SECTION__KEY")));
            continue;
        }
        match value_of(value, &place) {
            Ok(leaf) => nodes.push(steps.into_iter().rev().fold(leaf, |value, key| Node {
                place: place.clone(),
                value: Value::Map(vec![Entry { key, key_place: place.clone(), value }]),
            })),
            Err(fault) => faults.push(fault),
        }
    }
    Faults(faults).into_result().map(|()| nodes)
}

fn value_of(text: &str, place: &Place) -> Result<Node, Fault> {
    let trimmed = text.trim();
    let value = if trimmed.starts_with(['[', '{']) {
        let source = Source { name: place.source.name.clone(), text: trimmed.to_owned() };
        let parsed = yaml::parse(&Arc::new(source)).map_err(|faults| {
            let message = faults.0.into_iter().next().map_or_else(String::new, |fault| fault.message);
            Fault::at(place.clone(), format!("begins like YAML but is none: {message}"))
        })?;
        return Ok(replaced(parsed, place));
    } else if let Ok(value) = trimmed.parse::<bool>() {
        Scalar::Bool(value)
    } else if let Ok(value) = trimmed.parse::<u64>() {
        Scalar::Unsigned(value)
    } else if let Ok(value) = trimmed.parse::<i64>() {
        Scalar::Signed(value)
    } else if let Some(value) = trimmed.parse::<f64>().ok().filter(|value| value.is_finite()) {
        Scalar::Float(value)
    } else {
        Scalar::Text
    };
    Ok(Node { place: place.clone(), value: Value::Scalar(value, text.to_owned()) })
}

/// The same tree with every place the variable as a whole.
fn replaced(node: Node, place: &Place) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| replaced(item, place)).collect()),
        Value::Map(entries) => {
            let entry = |entry: Entry| Entry {
                key: entry.key,
                key_place: place.clone(),
                value: replaced(entry.value, place),
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
        scalar => scalar,
    };
    Node { place: place.clone(), value }
}

//! A tree of settings into a typed value, with everything that is wrong told at once.

use serde::de::DeserializeOwned;

use super::de::{NodeReader, Notes, UnknownKey};
use super::fault::{Fault, Faults};
use super::node::{Node, Step, path_text};
use super::refused::Refused;

/// Faults told of one file; more would not be read.
const FAULTS_MAX: usize = 50;

/// Reads `node` as a `T`.
///
/// serde stops at the first value that it refuses. To tell of all of them, what was refused is left
/// out and the rest is read again; a field that is then missing because of that is not told.
pub fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Faults> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut left_out: Vec<&Node> = Vec::new();
    loop {
        let notes = Notes { left_out: left_out.clone(), ..Notes::default() };
        let read = T::deserialize(NodeReader::new(node, &notes));
        let unknown = notes.unknown.into_inner();
        for UnknownKey { fault, .. } in &unknown {
            if !faults.contains(fault) {
                faults.push(fault.clone());
            }
        }
        let refused = match read {
            Ok(value) if faults.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(refused) => refused,
        };
        let path = refused.path();
        let Some(culprit) = node.find(&path) else {
            faults.push(fault(node, &path, refused));
            break;
        };
        // A missing field was left out by us if it is there, and was told already if it is misspelt.
        let told = refused.missing.is_some_and(|field| {
            culprit.get(field).is_some()
                || unknown.iter().any(|key| key.map == path && key.meant.as_deref() == Some(field))
        });
        if !told {
            faults.push(fault(node, &path, refused));
        }
        if faults.len() >= FAULTS_MAX || path.is_empty() {
            break;
        }
        left_out.push(culprit);
    }
    faults.sort_by_key(|fault| fault.place.as_ref().map(|place| (place.line, place.column)));
    Err(Faults(faults))
}

fn fault(node: &Node, path: &[Step], refused: Refused) -> Fault {
    let place = refused.place.unwrap_or_else(|| node.place_of(path));
    Fault { place: Some(place), path: path_text(path), message: refused.message }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde::Deserialize;

    use super::super::source::Source;
    use super::super::yaml;
    use super::*;
    use crate::units::{ByteSize, HumanDuration};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Example {
        name: String,
        #[serde(default)]
        flush_interval: Option<HumanDuration>,
        #[serde(default)]
        memory: Option<ByteSize>,
        #[serde(default)]
        inputs: Vec<Input>,
        #[serde(default)]
        labels: BTreeMap<String, String>,
        #[serde(default)]
        format: Format,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Input {
        path: String,
        #[serde(default)]
        lines_max: u32,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Format {
        #[default]
        Json,
        Nginx(String),
    }

    fn read(text: &str) -> Result<Example, String> {
        let source = Arc::new(Source { name: "t.yaml".into(), text: text.into() });
        let node = yaml::parse(&source).map_err(|faults| faults.to_string())?;
        decode(&node).map_err(|faults| {
            let line =
                |fault: &Fault| format!("{}: {}", fault.place.as_ref().expect("known"), fault.summary());
            faults.0.iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }

    #[test]
    fn a_good_text_is_read() {
        let example = read(
            "name: 12\nflush_interval: 150ms\nmemory: 64MiB\nlabels: {version: 1.10}\n\
             format:\n  nginx: combined\ninputs:\n- path: /a\n  lines_max: 5\n",
        )
        .expect("valid");
        assert_eq!(example.name, "12");
        assert_eq!(example.labels["version"], "1.10");
        assert_eq!(example.format, Format::Nginx("combined".into()));
        assert_eq!(example.inputs, [Input { path: "/a".into(), lines_max: 5 }]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_in_order() {
        let faults = read(
            "nam: x\nflush_interval: 30\nmemory: 64M\ninputs:\n- path: /a\n  lines_max: -5\n- pth: /b\nformat: xml\n",
        )
        .expect_err("refused");
        assert_eq!(
            faults,
            "t.yaml:1:1: nam: unknown key `nam`; did you mean `name`?\n\
             t.yaml:2:17: flush_interval: `30` has no unit; write for example `30s`\n\
             t.yaml:3:9: memory: `64M` has the unknown unit `M`; known are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB\n\
             t.yaml:6:14: inputs[0].lines_max: expected a whole number from 0 to 4294967295, found `-5`\n\
             t.yaml:7:3: inputs[1].pth: unknown key `pth`; did you mean `path`?\n\
             t.yaml:8:9: format: unknown value `xml`; known are json, nginx"
        );
    }

    #[test]
    fn an_empty_list_or_map_may_be_left_empty() {
        assert_eq!(read("name: a\ninputs:\nlabels:\n").expect("valid").inputs, []);
    }

    #[test]
    fn a_value_of_the_wrong_shape_says_what_was_expected() {
        assert_eq!(
            read("name: [a]\ninputs: /var/log\n").expect_err("refused"),
            "t.yaml:1:7: name: expected text, found a list\n\
             t.yaml:2:9: inputs: expected a list, found `/var/log`"
        );
        assert_eq!(read("name:\n").expect_err("refused"), "t.yaml:1:1: name: expected text, found nothing");
    }
}

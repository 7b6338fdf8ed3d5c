//! YAML text to [`Node`]s, within limits.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Location, Options, Spanned};

use super::fault::{Fault, Faults};
use super::node::{Entry, Node, Scalar, Value};
use super::source::{Place, Source};

/// Largest text that is read; a file of settings has a few kilobytes.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Values in one text, those that aliases repeat included.
const NODES_MAX: usize = 200_000;
/// Maps and lists inside each other.
const DEPTH_MAX: usize = 64;

/// Reads a text of one document. An empty one is [`Value::Null`].
pub fn parse(source: &Arc<Source>) -> Result<Node, Faults> {
    let mut documents = parse_many(source)?;
    match documents.len() {
        0 => Ok(Node { place: Place::whole(Arc::clone(source)), value: Value::Null }),
        1 => Ok(documents.remove(0)),
        _ => {
            Err(Fault::at(documents[1].place.clone(), "a second document (`---`) is not allowed here").into())
        }
    }
}

/// Reads a text of any number of documents, empty ones left out.
pub fn parse_many(source: &Arc<Source>) -> Result<Vec<Node>, Faults> {
    if source.text.len() > TEXT_BYTES_MAX {
        let message = format!("{} bytes are more than the {TEXT_BYTES_MAX} allowed", source.text.len());
        return Err(Fault::at(Place::whole(Arc::clone(source)), message).into());
    }
    let reader = Reader { source, text: source.text.trim_start_matches('\u{feff}') };
    match serde_saphyr::from_multiple_with_options::<Spanned<Raw>>(reader.text, options()) {
        Ok(documents) => {
            let nodes = documents.into_iter().map(|document| reader.node(document));
            Ok(nodes.filter(|node| node.value != Value::Null).collect())
        }
        Err(error) => {
            let place =
                error.location().map_or_else(|| Place::whole(Arc::clone(source)), |l| reader.place(l));
            let message = error.without_snippet().to_string();
            // The library ends its message with the place, which we show in our own way.
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Err(Fault::at(place, message).into())
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_depth: DEPTH_MAX,
            max_documents: 10_000,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// What the YAML library makes of a value before places are worked out.
enum Raw {
    Null,
    Scalar(Scalar, String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

struct RawVisitor;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Bool(value), value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Unsigned(value), value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        let scalar = u64::try_from(value).map_or(Scalar::Signed(value), Scalar::Unsigned);
        Ok(Raw::Scalar(scalar, value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Float(value), value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Text, value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Text, value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// Knows the text, to give each value its place and each number its spelling.
struct Reader<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
}

impl Reader<'_> {
    fn node(&self, raw: Spanned<Raw>) -> Node {
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Scalar(Scalar::Text, text) => Value::Scalar(Scalar::Text, text),
            Raw::Scalar(scalar, text) => Value::Scalar(scalar, self.spelling(raw.defined).unwrap_or(text)),
            Raw::List(items) => Value::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => {
                Value::Map(entries.into_iter().map(|(key, value)| self.entry(key, value)).collect())
            }
        };
        Node { place: self.place(raw.referenced), value }
    }

    fn entry(&self, key: Spanned<String>, value: Spanned<Raw>) -> Entry {
        let key_place = self.place(key.referenced);
        let mut value = self.node(value);
        if value.value == Value::Null {
            value.place = key_place.clone();
        }
        Entry { key: key.value, key_place, value }
    }

    fn place(&self, location: Location) -> Place {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            source: Arc::clone(self.source),
            line: number(location.line()),
            column: number(location.column()),
        }
    }

    /// A number as it was written: `1.10` may be meant as a version.
    fn spelling(&self, location: Location) -> Option<String> {
        let start = usize::try_from(location.span().byte_offset()?).ok()?;
        let length = usize::try_from(location.span().byte_len()?).ok()?;
        let written = self.text.get(start..start.checked_add(length)?)?.trim();
        (!written.is_empty()).then(|| written.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<Source> {
        Arc::new(Source { name: "test.yaml".into(), text: text.into() })
    }

    #[test]
    fn every_value_and_key_knows_its_line_and_column() {
        let node =
            parse(&source("http:\n  listen: 127.0.0.1:7700\nlist:\n  - a\n  - 1.10\n")).expect("valid");
        let listen = node.get("http").and_then(|http| http.entry("listen")).expect("there");
        assert_eq!(listen.key_place.to_string(), "test.yaml:2:3");
        assert_eq!(listen.value.place.to_string(), "test.yaml:2:11");
        let Value::List(items) = &node.get("list").expect("there").value else { panic!("a list") };
        assert_eq!(items[1].place.to_string(), "test.yaml:5:5");
        assert_eq!(items[1].value, Value::Scalar(Scalar::Float(1.1), "1.10".into()));
    }

    #[test]
    fn documents_of_one_text_keep_their_lines() {
        let documents = parse_many(&source("---\na: 1\n---\n---\nb: 2.50\n")).expect("valid");
        assert_eq!(documents.len(), 2);
        let b = documents[1].get("b").expect("there");
        assert_eq!((b.place.to_string().as_str(), b.text()), ("test.yaml:5:4", Some("2.50")));
    }

    #[test]
    fn words_that_only_old_yaml_takes_for_booleans_are_text() {
        let node = parse(&source("country: no\nquoted: '5'")).expect("valid");
        assert_eq!(node.get("country").expect("there").value, Value::Scalar(Scalar::Text, "no".into()));
        assert_eq!(node.get("quoted").expect("there").value, Value::Scalar(Scalar::Text, "5".into()));
    }

    #[test]
    fn broken_yaml_names_its_place() {
        let faults = parse(&source("a: 1\nb: [1, 2\nc: 3\n")).expect_err("refused");
        assert!(faults.0[0].place.as_ref().expect("known").line >= 2, "{faults}");
        let faults = parse(&source("a: 1\na: 2\n")).expect_err("refused");
        assert_eq!(faults.0[0].place.as_ref().expect("known").to_string(), "test.yaml:2:1");
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(parse(&source(&text)).is_err());
    }

    #[test]
    fn a_tower_of_lists_is_refused() {
        assert!(parse(&source(&"[".repeat(100_000))).is_err());
        assert!(parse(&source(&"- ".repeat(100_000))).is_err());
    }
}

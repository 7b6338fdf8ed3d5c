//! Settings that are one of several kinds, each with settings of its own, told apart by one of them
//! (serde's internally tagged enumerations: `type: nginx`).

use serde_json::{Map, Value};

/// The kinds of one setting.
pub(super) struct Variants<'a> {
    /// The setting that tells them apart.
    pub(super) tag: &'a str,
    /// Value of the tag, and the schema, of each.
    pub(super) all: Vec<(&'a str, &'a Value)>,
}

/// The variants of `schema`; `None` for one of another make.
pub(super) fn variants(schema: &Value) -> Option<Variants<'_>> {
    let choices = schema.get("oneOf")?.as_array()?;
    let first = properties(choices.first()?)?;
    let (tag, _) = first.iter().find(|(_, property)| property.get("const").is_some())?;
    let variant = |choice| Some((properties(choice)?.get(tag)?.get("const")?.as_str()?, choice));
    Some(Variants { tag, all: choices.iter().map(variant).collect::<Option<_>>()? })
}

/// The settings of an object.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

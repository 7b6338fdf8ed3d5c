//! Which input a record belongs to, and the line in it.

use std::borrow::Cow;

use serde_json::Value;

use super::config::{Match, RawInput};

/// Fields that usually name the host.
const HOST_FIELDS: [&str; 4] = ["host", "hostname", "_HOSTNAME", "kubernetes.host"];

/// A record as it came: its key, its bytes, and what they are where they are JSON.
pub struct Look<'a> {
    key: &'a [u8],
    record: &'a [u8],
    object: Option<Value>,
}

/// What a record has instead of a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLine {
    /// It has to be a JSON object.
    #[error("input `{0}` looks for fields, and the record is no JSON object")]
    NotJson(String),
    /// A field is missing.
    #[error("input `{0}` looks for the line in `{1}`, and the record has no such text")]
    Missing(String, String),
}

impl NoLine {
    /// Stable reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "raw_not_json",
            Self::Missing(..) => "raw_no_line",
        }
    }
}

impl<'a> Look<'a> {
    /// Looks at a record.
    #[must_use]
    pub fn at(key: &'a [u8], record: &'a [u8]) -> Self {
        let record = record.trim_ascii();
        let is_object = record.first() == Some(&b'{');
        let object = if is_object { serde_json::from_slice(record).ok() } else { None };
        Self { key, record, object }
    }

    /// Whether it has all that is asked for.
    #[must_use]
    pub fn is(&self, wanted: &Match) -> bool {
        let has_key = wanted.key.as_ref().is_none_or(|key| is_like(key.as_bytes(), self.key));
        has_key
            && wanted.fields.iter().all(|(name, value)| {
                self.text(name).is_some_and(|text| is_like(value.as_bytes(), text.as_bytes()))
            })
    }

    /// The line that an input reads.
    pub fn line(&self, input: &RawInput) -> Result<Cow<'_, [u8]>, NoLine> {
        let Some(field) = &input.line_field else { return Ok(Cow::Borrowed(self.record)) };
        if self.object.is_none() {
            return Err(NoLine::NotJson(input.name.clone()));
        }
        match self.text(field) {
            Some(Cow::Borrowed(line)) => Ok(Cow::Borrowed(line.trim_ascii().as_bytes())),
            Some(Cow::Owned(line)) => Ok(Cow::Owned(line.into_bytes())),
            None => Err(NoLine::Missing(input.name.clone(), field.clone())),
        }
    }

    /// The host that it names.
    #[must_use]
    pub fn host(&self, input: &RawInput) -> Option<Cow<'_, str>> {
        match &input.host_field {
            Some(field) => self.text(field),
            None => HOST_FIELDS.iter().find_map(|field| self.text(field)),
        }
    }

    /// A field's text, number or truth; objects inside are entered at points.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match find(self.object.as_ref()?, name)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// Whether `name` is one under which a line names its host, where the record names none.
#[must_use]
pub fn is_host_field(input: &RawInput, name: &str) -> bool {
    match &input.host_field {
        Some(field) => field == name,
        None => HOST_FIELDS.contains(&name),
    }
}

/// A name with a point may be one field's, or lead into objects.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    if let Some(found) = object.get(name) {
        return Some(found);
    }
    name.match_indices('.').find_map(|(at, _)| find(object.get(&name[..at])?, &name[at + 1..]))
}

/// Whether a text is as a pattern says, in which `*` stands for any characters.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on when what follows the last `*` does not fit.
    let mut again: Option<(usize, usize)> = None;
    while from < text.len() {
        if pattern.get(at) == Some(&b'*') {
            again = Some((at + 1, from));
            at += 1;
        } else if pattern.get(at) == Some(&text[from]) {
            (at, from) = (at + 1, from + 1);
        } else if let Some((behind, taken)) = again {
            again = Some((behind, taken + 1));
            (at, from) = (behind, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_nothing_else_does() {
        for (pattern, text, is) in [
            ("nginx", "nginx", true),
            ("nginx", "nginx2", false),
            ("nginx.*", "nginx.access", true),
            ("*.access", "nginx.access", true),
            ("n*x*s", "nginx.access", true),
            ("n*x*t", "nginx.access", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", false),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), text.as_bytes()), is, "{pattern} {text}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name_and_inside_objects() {
        let record = br#"{"a.b":1,"kubernetes":{"labels":{"app.kubernetes.io/name":"shop"},"host":"node-1"},"n":null}"#;
        let look = Look::at(b"", record);
        assert_eq!(look.text("a.b").as_deref(), Some("1"));
        assert_eq!(look.text("kubernetes.labels.app.kubernetes.io/name").as_deref(), Some("shop"));
        for missing in ["n", "kubernetes", "kubernetes.labels.app", "a"] {
            assert_eq!(look.text(missing), None, "{missing}");
        }
    }
}

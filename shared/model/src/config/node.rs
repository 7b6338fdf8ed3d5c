//! A tree of settings in which every value knows where it was written.

use super::source::Place;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it was written; of an empty value the place of its key, which is what the reader sees.
    pub place: Place,
    /// What was written.
    pub value: Value,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing (`key:` or `null`): like leaving the key out.
    Null,
    /// A word or number, with the text as written, so that `1.10` can still be read as text.
    Scalar(Scalar, String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of writing. Keys are unique.
    Map(Vec<Entry>),
}

/// What an unquoted word means to YAML 1.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from 0.
    Unsigned(u64),
    /// A whole number below 0.
    Signed(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// Anything else, and all that is quoted.
    Text,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_place: Place,
    /// What stands under it.
    pub value: Node,
}

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a map.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl Node {
    /// The entry of a map under `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The value of a map under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text of a scalar, as written.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// The place of what `path` names: of the deepest part of it that exists.
    #[must_use]
    pub fn place_of(&self, path: &[Step]) -> Place {
        let deepest = (0..=path.len()).rev().find_map(|length| self.find(&path[..length]));
        deepest.unwrap_or(self).place.clone()
    }

    /// The value that `path` names.
    #[must_use]
    pub fn find(&self, path: &[Step]) -> Option<&Self> {
        let Some((step, rest)) = path.split_first() else { return Some(self) };
        match (step, &self.value) {
            (Step::Key(key), _) => self.get(key)?.find(rest),
            (Step::Index(at), Value::List(items)) => items.get(*at)?.find(rest),
            (Step::Index(_), _) => None,
        }
    }

    /// What it is, in words for a message.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Scalar(_, text) => format!("`{}`", text.chars().take(60).collect::<String>()),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }
}

/// A path as people write it: `inputs.tail[0].format`.
#[must_use]
pub fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Step::Index(at) => text.push_str(&format!("[{at}]")),
        }
    }
    text
}

/// Reads [`path_text`] back.
#[must_use]
pub fn parse_path(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in text.split('.').filter(|part| !part.is_empty()) {
        let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        }
        while let Some((number, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            if let Ok(at) = number.parse() {
                steps.push(Step::Index(at));
            }
            rest = after;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_back_as_it_is_shown() {
        for text in ["", "http", "inputs.tail[0].format", "a[1][2].b"] {
            assert_eq!(path_text(&parse_path(text)), text);
        }
    }
}

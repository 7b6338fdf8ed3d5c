//! The manual page of a configuration, written from its types: what a field's comment says is what
//! the reader reads, so the page cannot grow old.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use self::variants::{Variants, properties, variants};

mod variants;

/// Sections inside each other.
const DEPTH_MAX: usize = 8;

/// A page in Markdown for a JSON schema as schemars makes it from a configuration's types: a section
/// for each part, and in it each setting with its kind, its default and what it does. A setting that
/// is one of several kinds has a section too, with what each kind is and the settings that it has.
#[must_use]
pub fn markdown(title: &str, schema: &Value) -> String {
    let page = Page { definitions: schema.get("$defs").and_then(Value::as_object) };
    let mut text = format!("# {title}\n");
    if let Some(description) = schema.get("description").and_then(Value::as_str) {
        let _ = write!(text, "\n{description}\n");
    }
    page.section(&mut text, "", schema, None, &[]);
    let mut kinds = BTreeMap::new();
    explained_kinds(schema, &mut kinds);
    if !kinds.is_empty() {
        text.push_str("\n## How settings are written\n\n| kind | is written as |\n|---|---|\n");
        for (kind, form) in kinds {
            let _ = writeln!(text, "| {kind} | {} |", cell(form));
        }
    }
    text
}

/// The kinds of settings whose form has to be said: those with a title and a `$comment`.
fn explained_kinds<'a>(schema: &'a Value, kinds: &mut BTreeMap<&'a str, &'a str>) {
    let text = |name| schema.get(name).and_then(Value::as_str);
    if let (Some(kind), Some(form)) = (text("title"), text("$comment")) {
        kinds.insert(kind, form);
    }
    match schema {
        Value::Object(entries) => entries.values().for_each(|value| explained_kinds(value, kinds)),
        Value::Array(items) => items.iter().for_each(|value| explained_kinds(value, kinds)),
        _ => {}
    }
}

struct Page<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl<'a> Page<'a> {
    /// The settings of `schema`, without the one that told which variant it is. `above` are the schemas that it stands
    /// in: a type that holds itself is named, and not followed again.
    fn section(
        &self,
        text: &mut String,
        path: &str,
        schema: &'a Value,
        tag: Option<&str>,
        above: &[&'a Value],
    ) {
        let above = &[above, &[schema]].concat();
        if let Some(variants) = variants(schema) {
            self.variants(text, path, &variants, above);
        }
        let Some(settings) = properties(schema) else { return };
        let (mut table, mut below) = (String::new(), Vec::new());
        for (name, setting) in settings.iter().filter(|(name, _)| Some(name.as_str()) != tag) {
            let (inner, suffix) = self.inner(setting);
            let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let about = description(setting).or_else(|| description(inner)).unwrap_or_default();
            let required = schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|names| names.iter().any(|required| required == name));
            let holds_itself = above.iter().any(|outer| std::ptr::eq(*outer, inner));
            if above.len() <= DEPTH_MAX && has_section(inner) && !holds_itself {
                let note = match setting.get("default") {
                    Some(default) if is_empty(default) => "\nDefault: empty.\n",
                    None if required => "\nRequired.\n",
                    _ => "",
                };
                below.push((format!("{full}{suffix}"), about, inner, note));
                continue;
            }
            let default = match (setting.get("default"), required) {
                (Some(value), _) if is_empty(value) => "empty".into(),
                (Some(value), _) if !value.is_null() => format!("`{}`", plain(value)),
                (_, true) => "required".into(),
                _ => "none".into(),
            };
            let kind = if holds_itself { "list of the same settings".into() } else { self.kind(setting) };
            let _ = writeln!(table, "| `{name}` | {kind} | {default} | {} |", cell(&about));
        }
        if !table.is_empty() {
            let _ = write!(text, "\n| setting | kind | default | what it does |\n|---|---|---|---|\n{table}");
        }
        for (path, about, inner, note) in below {
            let _ = write!(text, "\n## `{path}`\n");
            if !about.is_empty() {
                let _ = write!(text, "\n{about}\n");
            }
            text.push_str(note);
            self.section(text, &path, inner, None, above);
        }
    }

    /// What each variant is, and then those that have settings, one by one.
    fn variants(&self, text: &mut String, path: &str, variants: &Variants<'a>, above: &[&'a Value]) {
        let tag = variants.tag;
        let _ = write!(text, "\nOne of these, by its `{tag}`:\n\n| `{tag}` | what it is |\n|---|---|\n");
        for (name, schema) in &variants.all {
            let about = description(schema).or_else(|| description(self.inner(schema).0)).unwrap_or_default();
            let _ = writeln!(text, "| `{name}` | {} |", cell(&about));
        }
        for (name, schema) in &variants.all {
            let (behind, _) = self.inner(schema);
            let has_more = !std::ptr::eq(behind, *schema);
            let own = properties(schema).map_or(0, |own| own.len() - 1);
            if own == 0 && !has_more {
                continue;
            }
            let _ = write!(text, "\n### `{path}` with `{tag}: {name}`\n");
            self.section(text, path, schema, Some(tag), above);
            if has_more {
                self.section(text, path, behind, Some(tag), above);
            }
        }
    }

    /// The schema that says what a setting is, behind references, options and lists; and what is put
    /// behind its name to show a list.
    fn inner(&self, schema: &'a Value) -> (&'a Value, &'static str) {
        let mut schema = schema;
        for _ in 0..DEPTH_MAX {
            if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
                let name = target.rsplit('/').next().unwrap_or(target);
                let Some(found) = self.definitions.and_then(|all| all.get(name)) else { break };
                schema = found;
            } else if let Some(present) = optional(schema) {
                schema = present;
            } else if let Some(items) = schema.get("items").filter(|_| is(schema, "array")) {
                let (inner, _) = self.inner(items);
                return if has_section(inner) { (inner, "[]") } else { (schema, "") };
            } else {
                break;
            }
        }
        (schema, "")
    }

    fn kind(&self, setting: &'a Value) -> String {
        let (schema, _) = self.inner(setting);
        if let Some(title) = schema.get("title").and_then(Value::as_str) {
            return title.to_owned();
        }
        if let Some(words) = words(schema) {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        }
        if let Some(items) = schema.get("items") {
            return format!("list of {}", self.kind(items));
        }
        if let Some(values) = schema.get("additionalProperties").filter(|_| is(schema, "object")) {
            return format!("map of {}", self.kind(values));
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("any")
            }
            _ => "any",
        };
        match kind {
            "string" => "text".into(),
            "boolean" => "`true`, `false`".into(),
            "integer" => "whole number".into(),
            other => other.to_owned(),
        }
    }
}

fn is(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(some)) => some.iter().any(|one| one == kind),
        _ => false,
    }
}

fn has_section(schema: &Value) -> bool {
    properties(schema).is_some_and(|settings| !settings.is_empty()) || variants(schema).is_some()
}

/// The present one of `anyOf: [X, null]`, or the only one of `allOf: [X]`.
fn optional(schema: &Value) -> Option<&Value> {
    let choices = schema.get("anyOf").or_else(|| schema.get("allOf"))?.as_array()?;
    let mut present = choices.iter().filter(|choice| !is(choice, "null"));
    let only = present.next()?;
    present.next().is_none().then_some(only)
}

/// The words of an enumeration.
fn words(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let choices = schema.get("oneOf")?.as_array()?;
    let word = |choice: &'static str| move |value: &Value| value.get(choice).is_some();
    choices
        .iter()
        .all(word("const"))
        .then(|| choices.iter().filter_map(|choice| choice.get("const")?.as_str()).collect())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

fn description(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(str::to_owned)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text that cannot break a table's row.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::units::{ByteSize, HumanDuration};

    /// Settings of an example.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Example {
        /// Where state is kept.
        state_dir: String,
        /// How often to flush. Limits: `10ms` to `10s`.
        flush: HumanDuration,
        /// How lines look: `a|b`.
        format: Format,
        /// Names for hosts.
        names: BTreeMap<String, String>,
        /// What is read.
        inputs: Vec<Input>,
        /// Where it goes.
        output: Output,
        /// Limits of memory.
        limits: Option<Limits>,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Format {
        #[default]
        Text,
        Json,
    }

    /// Where data goes.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Output {
        /// Nowhere.
        #[default]
        Null,
        /// Into a file.
        File {
            /// Its path.
            path: String,
        },
        /// To a server.
        Server(Server),
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Server {
        /// Its address.
        address: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Input {
        /// Files to read.
        path: String,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Node {
        /// What comes here.
        matches: Vec<String>,
        /// The nodes below.
        nodes: Vec<Node>,
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Tree {
        /// Where it begins.
        top: Option<Node>,
    }

    #[test]
    fn a_type_that_holds_itself_is_followed_once() {
        let page = markdown("Tree", &schemars::schema_for!(Tree).to_value());
        assert!(page.contains("| `nodes` | list of the same settings |"), "{page}");
        assert!(page.contains("## `top`") && !page.contains("nodes[]"), "{page}");
    }

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Limits {
        /// Bytes of all lines that wait.
        #[serde(default)]
        queue_bytes_max: ByteSize,
    }

    #[test]
    fn the_page_has_each_setting_with_kind_default_and_effect() {
        let page = markdown("Example", &schemars::schema_for!(Example).to_value());
        assert_eq!(
            page,
            "# Example\n\nSettings of an example.\n\n\
             | setting | kind | default | what it does |\n|---|---|---|---|\n\
             | `state_dir` | text | empty | Where state is kept. |\n\
             | `flush` | duration | `0s` | How often to flush. Limits: `10ms` to `10s`. |\n\
             | `format` | `text`, `json` | `text` | How lines look: `a\\|b`. |\n\
             | `names` | map of text | empty | Names for hosts. |\n\n\
             ## `inputs[]`\n\nWhat is read.\n\nDefault: empty.\n\n\
             | setting | kind | default | what it does |\n|---|---|---|---|\n\
             | `path` | text | required | Files to read. |\n\n\
             ## `output`\n\nWhere it goes.\n\n\
             One of these, by its `type`:\n\n\
             | `type` | what it is |\n|---|---|\n\
             | `null` | Nowhere. |\n| `file` | Into a file. |\n| `server` | To a server. |\n\n\
             ### `output` with `type: file`\n\n\
             | setting | kind | default | what it does |\n|---|---|---|---|\n\
             | `path` | text | required | Its path. |\n\n\
             ### `output` with `type: server`\n\n\
             | setting | kind | default | what it does |\n|---|---|---|---|\n\
             | `address` | text | required | Its address. |\n\n\
             ## `limits`\n\nLimits of memory.\n\n\
             | setting | kind | default | what it does |\n|---|---|---|---|\n\
             | `queue_bytes_max` | size | `0B` | Bytes of all lines that wait. |\n\n\
             ## How settings are written\n\n\
             | kind | is written as |\n|---|---|\n\
             | duration | Numbers with units, the larger first: `150ms`, `5m`, `1h30m`. Units are `ns`, `us`, \
             `ms`, `s`, `m` (minutes), `h` and `d`. |\n\
             | size | A number with its unit, such as `64MiB` or `10GB`: `KiB` to `TiB` count in 1024, \
             `kB` to `TB` in 1000. |\n"
        );
    }
}

//! The error of reading a value: its path, its place, and words for people.

use std::fmt;

use serde::de::{self, Unexpected};

use super::fault::nearest;
use super::node::Step;
use super::source::Place;

/// Why a value was refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// From the value that the caller reads to the one that is refused, innermost step first.
    reversed: Vec<Step>,
    pub(super) place: Option<Place>,
    pub(super) message: String,
    /// The field that a map lacks.
    pub(super) missing: Option<&'static str>,
}

impl Refused {
    pub(super) fn new(message: String) -> Self {
        Self { reversed: Vec::new(), place: None, message, missing: None }
    }

    /// Notes the place unless something further inside has done so.
    pub(super) fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }

    pub(super) fn inside(mut self, step: Step) -> Self {
        self.reversed.push(step);
        self
    }

    pub(super) fn path(&self) -> Vec<Step> {
        self.reversed.iter().rev().cloned().collect()
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {}, found {}", in_words(&expected.to_string()), Found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {}, found {}", in_words(&expected.to_string()), Found(found)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(unknown("value", variant, expected))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(unknown("key", field, expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("`{field}` is missing")) }
    }
}

/// What serde expects by the names of Rust's types, in words for people.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" => "text",
        _ if expected.starts_with("internally tagged enum ") => "a map with `type` in it",
        other => other,
    }
}

struct Found<'a>(Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a map"),
            Unexpected::Bool(value) => write!(f, "`{value}`"),
            Unexpected::Unsigned(value) => write!(f, "`{value}`"),
            Unexpected::Signed(value) => write!(f, "`{value}`"),
            Unexpected::Float(value) => write!(f, "`{value}`"),
            Unexpected::Str(text) => write!(f, "`{}`", text.chars().take(60).collect::<String>()),
            other => write!(f, "{other}"),
        }
    }
}

/// Words for a name that does not exist, with the nearest that does.
pub(super) fn unknown(kind: &str, written: &str, expected: &[&str]) -> String {
    let written: String = written.chars().take(60).collect();
    match (nearest(&written, expected.iter().copied()), expected) {
        (Some(near), _) => format!("unknown {kind} `{written}`; did you mean `{near}`?"),
        (None, []) => format!("unknown {kind} `{written}`; none is allowed here"),
        (None, _) => format!("unknown {kind} `{written}`; known are {}", expected.join(", ")),
    }
}

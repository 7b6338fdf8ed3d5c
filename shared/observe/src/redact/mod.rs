//! Takes out of log records what must not leave the host: Korean resident registration numbers and
//! telephone numbers, payment cards ([`numbers`]), tokens and passwords ([`secrets`]).
//!
//! On by default. A line that holds nothing suspicious is looked at once and not copied.

pub mod numbers;
pub mod secrets;

use std::borrow::Cow;

/// What stands in the place of what was taken out: `[redacted:<kind>]`.
fn mark(kind: &str) -> String {
    format!("[redacted:{kind}]")
}

/// The text without what must not leave the host.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    match secrets::redact(text) {
        Cow::Borrowed(text) => numbers::redact(text),
        Cow::Owned(text) => Cow::Owned(numbers::redact(&text).into_owned()),
    }
}

/// The value of a named field without what must not leave the host: all of it where the name speaks of
/// a secret.
#[must_use]
pub fn redact_field<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if secrets::is_named(name) { Cow::Owned(mark("secret")) } else { redact(value) }
}

#[cfg(test)]
mod tests;

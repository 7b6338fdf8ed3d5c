//! Tokens and passwords.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use regex::{Captures, Regex};

use super::mark;

/// Passwords in URLs, values of keys that name a secret, bearer tokens, JSON web tokens, and the
/// forms of well-known providers' keys.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<url>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)(?P<url_secret>[^\s/@]+)@",
        r#"|(?P<auth>(?i:bearer|basic) +)(?P<auth_secret>[A-Za-z0-9._~+/=-]{8,})"#,
        r#"|(?P<key>(?i:[a-z0-9_.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|credential|session[_-]?id))["']?\s*[=:]\s*["']?(?:(?i:bearer|basic) +)?)(?P<key_secret>[^\s"'&,;}\[]{3,})"#,
        r"|(?P<jwt>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        r"|(?P<known>\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|sk_live_[A-Za-z0-9]{16,}|gt1\.[A-Za-z0-9]+\.[A-Za-z0-9]+))",
    ))
    .expect("a constant expression is valid")
});

/// What a line holds if it can hold a secret, in lower case.
static HINTS: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| {
    let hints: [&[u8]; 17] = [
        b"://",
        b"bearer",
        b"basic ",
        b"passw",
        b"pwd",
        b"secret",
        b"token",
        b"key",
        b"authorization",
        b"credential",
        b"session",
        b"eyj",
        b"akia",
        b"gh",
        b"xox",
        b"sk_live",
        b"gt1.",
    ];
    hints.into_iter().map(Finder::new).collect()
});

/// The text without secrets.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    if !HINTS.iter().any(|hint| hint.find(lower.as_bytes()).is_some()) {
        return Cow::Borrowed(text);
    }
    SECRET.replace_all(text, |found: &Captures<'_>| {
        let kept = |name: &str| found.name(name).map(|kept| kept.as_str());
        if let Some(before) = kept("url") {
            format!("{before}{}@", mark("password"))
        } else if let Some(before) = kept("auth") {
            format!("{before}{}", mark("token"))
        } else if let Some(before) = kept("key") {
            format!("{before}{}", mark("secret"))
        } else {
            mark("token")
        }
    })
}

//! Tokens and passwords.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use regex::{Captures, Regex};

use super::mark;

/// Passwords and tokens in URLs, values of keys that name a secret, cookies, bearer tokens, JSON web
/// tokens, private keys, and the forms of well-known providers' keys. A quoted value goes up to its
/// own closing quote.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let expression = concat!(
        r"(?P<url>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)(?P<url_secret>[^\s/@]+)@",
        r"|(?P<user>(?i:https?)://)(?P<user_secret>[^\s/:@]+)@",
        r#"|(?P<cookie>(?i:cookie)["']?\s*[:=]\s*["']?)(?P<cookie_secret>[^\s;="']+=[^\s;"']*(?:; ?[^\s;="']+=[^\s;"']*)*)"#,
        r#"|(?P<key>(?i:[a-z0-9_.-]*(?:NAMES))\\?["']?\s*[=:]\s*(?:(?i:bearer|basic)\s+)?)"#,
        r#"(?P<key_secret>\\"[^"\\]+|"(?:[^"\\]|\\.)+|'(?:[^'\\]|\\.)+|[^\s"'&;}\[\\]{3,})"#,
        r#"|(?P<auth>(?i:bearer|basic) +)(?P<auth_secret>[A-Za-z0-9._~+/=-]{8,})"#,
        r"|(?P<jwt>\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
        r"|(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?)",
        r"|(?P<known>\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}",
        r"|xox[abprs]-[A-Za-z0-9-]{10,}|[rs]k_live_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{20,}|AIza[A-Za-z0-9_-]{30,}",
        r"|npm_[A-Za-z0-9]{30,}|gta_[A-Za-z0-9_-]{16,}|gt1\.[A-Za-z0-9]+\.[A-Za-z0-9]+))",
    );
    Regex::new(&expression.replace("NAMES", NAMES)).expect("a constant expression is valid")
});

/// How names of secrets end, in an expression that does not heed case.
const NAMES: &str = "passw(?:or)?d|passwd|passphrase|pwd|secret|token|(?:api|access|account|private|secret\
    |encryption|signing)[_-]?key|authorization|credentials?|session(?:[_-]?id)?";

static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!("(?i)(?:{NAMES}|cookie)$")).expect("a constant expression is valid")
});

/// Whether a field of this name holds a secret.
pub(super) fn is_named(name: &str) -> bool {
    NAMED.is_match(name)
}

/// What a line holds if it can hold a secret, in lower case.
const HINTS: [&str; 25] = [
    "://",
    "bearer",
    "basic ",
    "passw",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "key",
    "authorization",
    "credential",
    "session",
    "cookie",
    "eyj",
    "akia",
    "gh",
    "github_pat",
    "glpat",
    "xox",
    "k_live",
    "sk-",
    "aiza",
    "npm_",
    "gta_",
    "gt1.",
];

static HINT: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| HINTS.iter().map(Finder::new).collect());

/// The text without secrets.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    if !HINT.iter().any(|hint| hint.find(lower.as_bytes()).is_some()) {
        return Cow::Borrowed(text);
    }
    let (mut clean, mut at) = (String::new(), 0);
    while let Some(found) = SECRET.captures_at(text, at) {
        let secret = Secret::of(&found);
        clean.push_str(&text[at..secret.start]);
        clean.push_str(&mark(secret.kind));
        at = secret.end;
    }
    if at == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[at..]);
    Cow::Owned(clean)
}

/// The part of a match that goes.
struct Secret {
    start: usize,
    end: usize,
    kind: &'static str,
}

impl Secret {
    fn of(found: &Captures<'_>) -> Self {
        let part = |name: &str| found.name(name).map(|part| (part.start(), part.end(), part.as_str()));
        if let Some((start, end, _)) = part("url_secret") {
            return Self { start, end, kind: "password" };
        }
        if let Some((start, end, value)) = part("key_secret") {
            let quote = value.bytes().take_while(|byte| matches!(byte, b'\\' | b'"' | b'\'')).count();
            let length = if quote == 0 { unquoted(value) } else { value.len() };
            return Self { start: start + quote, end: end - value.len() + length, kind: "secret" };
        }
        let token = ["user_secret", "auth_secret", "cookie_secret"].into_iter().find_map(part);
        let (start, end, _) = token.unwrap_or_else(|| {
            let whole = found.get(0).expect("group 0 is the whole match");
            (whole.start(), whole.end(), whole.as_str())
        });
        Self { start, end, kind: "token" }
    }
}

/// How far a value without quotes goes: commas are a part of it, unless a further pair begins behind.
fn unquoted(value: &str) -> usize {
    let pair = value.match_indices(',').find(|(at, _)| {
        let next = value[at + 1..].split(',').next().unwrap_or_default();
        next.is_empty() || next.contains(['=', ':'])
    });
    pair.map_or(value.len(), |(at, _)| at)
}

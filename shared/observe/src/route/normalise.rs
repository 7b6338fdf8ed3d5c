//! Endpoints from raw paths.

use goldentime_model::naming::check_given_endpoint;

use super::config::RouteError;

/// Patterns that a new path is tried against.
const PATTERNS_MAX: usize = 1000;
/// Parts of a path that are kept apart; what is deeper becomes `{rest}`.
const PARTS_MAX: usize = 16;
/// From this length on a part with digits in it is taken for a token.
const TOKEN_BYTES_MIN: usize = 16;
/// From this length on a part is taken for a token whatever it holds.
const LONG_BYTES_MIN: usize = 64;
/// From this length on hexadecimal digits with at least one number among them are an id.
const HEX_BYTES_MIN: usize = 8;

/// Explicit patterns, then normalisation.
#[derive(Clone, Debug)]
pub(super) struct Normaliser {
    patterns: Vec<Pattern>,
    normalise: bool,
}

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Exact(String),
    Any,
    Rest,
}

impl Normaliser {
    pub(super) fn new(patterns: &[String], normalise: bool) -> Result<Self, RouteError> {
        Self::check_count(patterns)?;
        let patterns = patterns.iter().map(|text| Pattern::compile(text)).collect::<Result<_, _>>()?;
        Ok(Self { patterns, normalise })
    }

    /// Refuses more patterns than a new path is tried against.
    pub(super) fn check_count(patterns: &[String]) -> Result<(), RouteError> {
        if patterns.len() > PATTERNS_MAX {
            return Err(RouteError::TooMany(patterns.len(), PATTERNS_MAX));
        }
        Ok(())
    }

    /// Refuses what is no pattern.
    pub(super) fn check(pattern: &str) -> Result<(), RouteError> {
        Pattern::compile(pattern).map(|_| ())
    }

    /// The endpoint of a raw path, written to `out`. Query string and fragment are cut.
    pub(super) fn endpoint(&self, path: &str, out: &mut String) {
        out.clear();
        let path = without_query(path);
        if let Some(pattern) = self.patterns.iter().find(|pattern| pattern.matches(path)) {
            out.push_str(&pattern.text);
        } else if self.normalise {
            normalise(path, out);
        } else {
            out.push_str(path);
        }
    }
}

/// The path without origin (`http://host/…` as proxies ask), query and fragment.
fn without_query(path: &str) -> &str {
    let path = match path.split_once("://") {
        Some(("http" | "https", rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => path,
    };
    path.find(['?', '#']).map_or(path, |at| &path[..at])
}

fn normalise(path: &str, out: &mut String) {
    if !path.starts_with('/') {
        out.push_str(path);
        return;
    }
    let parts = path.split('/').filter(|part| !part.is_empty());
    for (depth, part) in parts.enumerate() {
        out.push('/');
        if depth == PARTS_MAX {
            out.push_str("{rest}");
            return;
        }
        out.push_str(if is_id(part) { "{id}" } else { part });
    }
    if out.is_empty() {
        out.push('/');
    }
}

/// Whether a part of a path names one thing of many.
fn is_id(part: &str) -> bool {
    let bytes = part.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == bytes.len() {
        return true;
    }
    if bytes.len() >= LONG_BYTES_MIN || is_uuid(bytes) {
        return true;
    }
    if digits == 0 {
        return false;
    }
    if bytes.len() >= HEX_BYTES_MIN && bytes.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    // `-42`, `1,2,3`, `2026-11-22`: numbers with marks between them.
    if bytes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b',' | b'.' | b':' | b'_')) {
        return true;
    }
    let is_token =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'%' | b'~');
    bytes.len() >= TOKEN_BYTES_MIN && digits >= 3 && bytes.iter().all(is_token)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

impl Pattern {
    fn compile(text: &str) -> Result<Self, RouteError> {
        let inner = text.strip_prefix('/').ok_or_else(|| RouteError::NoSlash(text.to_owned()))?;
        check_given_endpoint(text).map_err(|message| RouteError::Name(text.to_owned(), message))?;
        let mut parts = Vec::new();
        for part in inner.split('/').filter(|part| !part.is_empty()) {
            if parts.last() == Some(&Part::Rest) {
                return Err(RouteError::AfterRest(text.to_owned()));
            }
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            parts.push(match name {
                Some(name) if name.ends_with('*') => Part::Rest,
                Some(name) if !name.contains(['{', '}']) => Part::Any,
                None if !part.contains(['{', '}']) => Part::Exact(part.to_owned()),
                _ => return Err(RouteError::Braces(text.to_owned())),
            });
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    fn matches(&self, path: &str) -> bool {
        let mut given = path.split('/').filter(|part| !part.is_empty());
        for part in &self.parts {
            let matched = match (part, given.next()) {
                (Part::Rest, _) => return true,
                (Part::Any, Some(_)) => true,
                (Part::Exact(wanted), Some(part)) => wanted == part,
                (_, None) => false,
            };
            if !matched {
                return false;
            }
        }
        given.next().is_none()
    }
}

//! A query in the server's language. Every text that was asked for is a value in it, never a part of
//! its grammar.

use serde_json::{Value, json};

use super::document::grade;
use crate::grams;
use crate::level::{Level, Levels};
use crate::query::{Query, ServicePattern};

/// Conditions that every line which is meant meets. Where [`is_exact`] no other line does; else the
/// lines are candidates.
pub(super) fn filters(query: &Query) -> Vec<Value> {
    let mut all = Vec::new();
    if query.from.0 > i64::MIN || query.until.0 < i64::MAX {
        all.push(json!({"range": {"at": {"gte": query.from.0, "lt": query.until.0}}}));
    }
    if query.levels != Levels::ALL {
        let grades: Vec<_> = query.levels.each().map(grade).collect();
        all.push(json!({"terms": {"grade": grades}}));
    }
    if let Some(pattern) = &query.service {
        all.extend(service(pattern));
    }
    if let Some(host) = &query.host {
        all.push(json!({"term": {"host": host}}));
    }
    if let Some(trace) = &query.trace_id {
        all.push(json!({"term": {"trace_id": trace}}));
    }
    for term in &query.terms.wanted {
        let words: Vec<_> =
            grams::of_term_in_line(term).into_iter().map(|word| json!({"term": {"words": word}})).collect();
        if !words.is_empty() {
            let text = json!({"bool": {"filter": words}});
            all.push(json!({"bool": {"should": [text, {"term": {"trace_id": term}}]}}));
        }
    }
    all
}

/// Whether the conditions are all there is to the query.
pub(super) fn is_exact(query: &Query) -> bool {
    // The server knows more letters that differ by case only.
    query.terms.is_empty() && query.trace_id.as_ref().is_none_or(|trace| trace.is_ascii())
}

/// The conditions as one query.
pub(super) fn all_of(filters: &[Value]) -> Value {
    json!({"bool": {"filter": filters}})
}

/// Lines at `error` or graver.
pub(super) fn errors() -> Value {
    let grades: Vec<_> = Levels::at_least(Level::Error).each().map(grade).collect();
    json!({"terms": {"grade": grades}})
}

fn service(pattern: &ServicePattern) -> Option<Value> {
    if let Some(one) = pattern.exact() {
        return Some(json!({"term": {"service": one.as_str()}}));
    }
    let parts = pattern.parts();
    if parts.iter().all(Option::is_none) {
        return None;
    }
    // No name holds a slash, so that a star does not reach from one part into the next.
    let written = parts.map(|part| part.map_or_else(|| "*".to_owned(), escaped)).join("/");
    Some(json!({"wildcard": {"service": {"value": written}}}))
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '*' | '?' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_they_are() {
        let pattern: ServicePattern = "shop/*/a?\\b".parse().expect("a pattern");
        let asked = service(&pattern).expect("a condition");
        assert_eq!(asked["wildcard"]["service"]["value"], "shop/*/a\\?\\\\b");
        assert!(service(&"*/*/*".parse().expect("a pattern")).is_none());
    }
}

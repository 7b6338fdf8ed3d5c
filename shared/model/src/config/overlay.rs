//! Laying one tree of settings over another.
//!
//! Maps are merged key by key, lists are appended, anything else is replaced by what comes later. So
//! a file of `agent.d/` can add one more input and change one limit without repeating the rest.

use super::node::{Node, Value};

/// Lays `over` over `base`.
pub fn overlay(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        // An empty file changes nothing; an empty value (`key:`) puts its setting back to the default.
        (_, Value::Null) if over.place.line == 0 => {}
        (Value::Map(entries), Value::Map(more)) => {
            for entry in more {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => {
                        overlay(&mut known.value, entry.value);
                        known.key_place = entry.key_place;
                    }
                    None => entries.push(entry),
                }
            }
        }
        (Value::List(items), Value::List(more)) => items.extend(more),
        (_, value) => *base = Node { place: over.place, value },
    }
}

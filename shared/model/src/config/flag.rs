//! Settings from the command line.

use std::sync::Arc;

use super::node::{Entry, Node, Scalar, Value};
use super::source::{Place, Source};

/// A list that was given as a flag. It takes the place of what files and environment say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As it was written: `--roles`.
    pub name: &'static str,
    /// The setting, at the top of the file.
    pub setting: &'static str,
    /// Its items.
    pub items: Vec<String>,
}

/// Puts a flag's setting in place of what `base` has.
pub(super) fn put(base: &mut Node, flag: &Flag) {
    let place = Place::whole(Arc::new(Source { name: format!("flag {}", flag.name), text: String::new() }));
    let node = |value| Node { place: place.clone(), value };
    let items = flag.items.iter().map(|item| node(Value::Scalar(Scalar::Text, item.clone())));
    let value = node(Value::List(items.collect()));
    let entry = Entry { key: flag.setting.to_owned(), key_place: place.clone(), value };
    match &mut base.value {
        Value::Map(entries) => {
            entries.retain(|known| known.key != flag.setting);
            entries.push(entry);
        }
        other => *other = Value::Map(vec![entry]),
    }
}

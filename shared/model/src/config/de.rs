//! A serde deserializer over a [`Node`], whose errors know the path and place of what they refuse.
//!
//! Keys that a struct does not have are noted and skipped, so that all of them are told at once and
//! no struct needs `deny_unknown_fields`.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor, value::StrDeserializer,
};
use std::cell::RefCell;

use super::fault::{Fault, nearest};
use super::node::{Entry, Node, Scalar, Step, Value, path_text};
use super::refused::{Refused, unknown};

/// What a reading knows beside the tree: values to leave out, and what it found without stopping.
#[derive(Default)]
pub(super) struct Notes<'a> {
    /// Values that an earlier reading refused.
    pub(super) left_out: Vec<&'a Node>,
    /// Keys that no struct has.
    pub(super) unknown: RefCell<Vec<UnknownKey>>,
}

/// A key that its struct does not have.
#[derive(PartialEq)]
pub(super) struct UnknownKey {
    pub(super) fault: Fault,
    /// The map that holds it.
    pub(super) map: Vec<Step>,
    /// The key that was surely meant.
    pub(super) meant: Option<String>,
}

impl Notes<'_> {
    fn takes(&self, node: &Node) -> bool {
        !self.left_out.iter().any(|left| std::ptr::eq(*left, node))
    }
}

/// The way from the root to the present value.
#[derive(Clone, Copy)]
struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Option<StepRef<'a>>,
}

#[derive(Clone, Copy)]
enum StepRef<'a> {
    Key(&'a str),
    Index(usize),
}

impl Trail<'_> {
    fn path(&self) -> Vec<Step> {
        let mut path = self.parent.map(Trail::path).unwrap_or_default();
        path.extend(self.step.map(|step| match step {
            StepRef::Key(key) => Step::Key(key.to_owned()),
            StepRef::Index(at) => Step::Index(at),
        }));
        path
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct NodeReader<'a, 't> {
    node: &'a Node,
    notes: &'t Notes<'a>,
    trail: Trail<'t>,
}

impl<'a, 't> NodeReader<'a, 't> {
    pub(super) fn new(node: &'a Node, notes: &'t Notes<'a>) -> Self {
        Self { node, notes, trail: Trail { parent: None, step: None } }
    }

    fn refuse(&self, expected: &str) -> Refused {
        Refused::new(format!("expected {expected}, found {}", self.node.describe())).at(&self.node.place)
    }

    fn map<V: Visitor<'a>>(self, visitor: V, fields: Option<&[&str]>) -> Result<V::Value, Refused> {
        let entries: &[Entry] = match &self.node.value {
            Value::Null => &[],
            Value::Map(entries) => entries,
            _ => return Err(self.refuse("a map")),
        };
        let known = |entry: &&'a Entry| {
            let Some(fields) = fields else { return true };
            let known = fields.contains(&entry.key.as_str());
            if !known {
                let map = self.trail.path();
                let mut path = map.clone();
                path.push(Step::Key(entry.key.clone()));
                let fault = Fault {
                    place: Some(entry.key_place.clone()),
                    path: path_text(&path),
                    message: unknown("key", &entry.key, fields),
                };
                let meant = nearest(&entry.key, fields.iter().copied()).map(str::to_owned);
                self.notes.unknown.borrow_mut().push(UnknownKey { fault, map, meant });
            }
            known
        };
        let entries: Vec<&Entry> =
            entries.iter().filter(known).filter(|entry| self.notes.takes(&entry.value)).collect();
        let access = Entries { reader: &self, entries: entries.iter(), value: None };
        visitor.visit_map(access).map_err(|error| error.at(&self.node.place))
    }

    fn list<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        let items: &[Node] = match &self.node.value {
            Value::Null => &[],
            Value::List(items) => items,
            _ => return Err(self.refuse("a list")),
        };
        let access = Items { reader: &self, items: items.iter().enumerate() };
        visitor.visit_seq(access).map_err(|error| error.at(&self.node.place))
    }

    fn scalar<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(Scalar::Bool(value), _) => visitor.visit_bool(*value),
            Value::Scalar(Scalar::Unsigned(value), _) => visitor.visit_u64(*value),
            Value::Scalar(Scalar::Signed(value), _) => visitor.visit_i64(*value),
            Value::Scalar(Scalar::Float(value), _) => visitor.visit_f64(*value),
            Value::Scalar(Scalar::Text, text) => visitor.visit_borrowed_str(text),
            Value::List(_) => visitor.visit_seq(Items { reader: &self, items: [].iter().enumerate() }),
            Value::Map(_) => Err(Refused::invalid_type(Unexpected::Map, &visitor)),
        };
        result.map_err(|error: Refused| error.at(&self.node.place))
    }
}

macro_rules! scalars {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
            match &self.node.value {
                Value::List(_) => {
                    Err(Refused::invalid_type(Unexpected::Seq, &visitor).at(&self.node.place))
                }
                _ => self.scalar(visitor),
            }
        }
    )*};
}

impl<'a> Deserializer<'a> for NodeReader<'a, '_> {
    type Error = Refused;

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_unit deserialize_bytes deserialize_byte_buf
    }

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.node.value {
            Value::List(_) => self.list(visitor),
            Value::Map(_) => self.map(visitor, None),
            _ => self.scalar(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.node.value {
            Value::Scalar(_, text) => {
                visitor.visit_borrowed_str(text).map_err(|error: Refused| error.at(&self.node.place))
            }
            _ => Err(self.refuse("text")),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.scalar(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let place = &self.node.place;
        visitor.visit_newtype_struct(self).map_err(|error: Refused| error.at(place))
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, Refused> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.map(visitor, None)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.map(visitor, Some(fields))
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (variant, value) = match &self.node.value {
            Value::Scalar(_, text) => (text.as_str(), None),
            Value::Map(entries) if entries.len() == 1 => (entries[0].key.as_str(), Some(&entries[0].value)),
            _ => return Err(self.refuse(&format!("one of {}", variants.join(", ")))),
        };
        visitor
            .visit_enum(Variant { reader: &self, variant, value })
            .map_err(|error| error.at(&self.node.place))
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }
}

struct Entries<'r, 'a> {
    reader: &'r NodeReader<'a, 'r>,
    entries: std::slice::Iter<'r, &'a Entry>,
    value: Option<&'a Entry>,
}

impl<'a> MapAccess<'a> for Entries<'_, 'a> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        let key: StrDeserializer<'_, Refused> = entry.key.as_str().into_deserializer();
        let key = seed.deserialize(key);
        key.map(Some).map_err(|error| error.at(&entry.key_place).inside(Step::Key(entry.key.clone())))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let entry = self.value.take().ok_or_else(|| Refused::custom("a value was read before its key"))?;
        let trail = Trail { parent: Some(&self.reader.trail), step: Some(StepRef::Key(&entry.key)) };
        read(seed, &entry.value, self.reader.notes, trail)
            .map_err(|error| error.at(&entry.value.place).inside(Step::Key(entry.key.clone())))
    }
}

struct Items<'r, 'a> {
    reader: &'r NodeReader<'a, 'r>,
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'a> SeqAccess<'a> for Items<'_, 'a> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let notes = self.reader.notes;
        let Some((at, item)) = self.items.find(|(_, item)| notes.takes(item)) else { return Ok(None) };
        let trail = Trail { parent: Some(&self.reader.trail), step: Some(StepRef::Index(at)) };
        read(seed, item, notes, trail)
            .map(Some)
            .map_err(|error| error.at(&item.place).inside(Step::Index(at)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len()) // An upper bound: it only sizes the list.
    }
}

/// Reads a part. The trail lives on the caller's stack, hence the reader's second lifetime.
fn read<'a, 't, T: DeserializeSeed<'a>>(
    seed: T,
    node: &'a Node,
    notes: &'t Notes<'a>,
    trail: Trail<'t>,
) -> Result<T::Value, Refused> {
    seed.deserialize(NodeReader { node, notes, trail })
}

struct Variant<'r, 'a> {
    reader: &'r NodeReader<'a, 'r>,
    variant: &'a str,
    value: Option<&'a Node>,
}

impl<'a> EnumAccess<'a> for Variant<'_, 'a> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let name: StrDeserializer<'_, Refused> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'a> Variant<'_, 'a> {
    fn content(&self) -> Result<(&'a Node, Trail<'_>), Refused> {
        let trail = Trail { parent: Some(&self.reader.trail), step: Some(StepRef::Key(self.variant)) };
        let missing = || Refused::new(format!("`{}` needs settings of its own below it", self.variant));
        Ok((self.value.ok_or_else(missing)?, trail))
    }
}

impl<'a> VariantAccess<'a> for Variant<'_, 'a> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        match self.value {
            None => Ok(()),
            Some(node) if node.value == Value::Null => Ok(()),
            Some(node) => Err(Refused::new(format!("`{}` takes no settings", self.variant)).at(&node.place)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Refused> {
        let (node, trail) = self.content()?;
        read(seed, node, self.reader.notes, trail)
            .map_err(|error| error.at(&node.place).inside(Step::Key(self.variant.to_owned())))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _length: usize, visitor: V) -> Result<V::Value, Refused> {
        let (node, trail) = self.content()?;
        NodeReader { node, notes: self.reader.notes, trail }.list(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (node, trail) = self.content()?;
        NodeReader { node, notes: self.reader.notes, trail }
            .map(visitor, Some(fields))
            .map_err(|error| error.inside(Step::Key(self.variant.to_owned())))
    }
}

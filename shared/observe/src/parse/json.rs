//! JSON objects, one a line. Fields without a role are kept as they are written, or stepped over.

use std::borrow::Cow;
use std::collections::HashSet;

use super::fields::{Bytes, Fields, Unparsed};
use super::instant::Zone;
use super::logfmt::closing_quote;
use super::role::{Role, Roles};
use super::unescape::{Escape, unescape};

/// Objects inside one another that are looked into.
const DEPTH_MAX: usize = 32;

/// Reads JSON lines.
#[derive(Clone, Debug)]
pub struct Json {
    roles: Roles,
    /// Names of objects that hold a field with a role.
    parents: HashSet<Box<str>>,
    keeps_others: bool,
}

impl Json {
    pub(super) fn new(roles: Roles, keeps_others: bool) -> Self {
        let parents = roles.iter().flat_map(|(name, _)| {
            name.match_indices('.').map(|(at, _)| name[..at].into()).collect::<Vec<Box<str>>>()
        });
        Self { parents: parents.collect(), roles, keeps_others }
    }

    pub(super) fn read<'a>(&self, line: &'a [u8], zone: &mut Zone) -> Result<Fields<'a>, Unparsed> {
        let mut scan = Scan { rest: line.trim_ascii(), json: self, fields: Fields::default(), zone };
        scan.object("", 0)?;
        if scan.rest.is_empty() { Ok(scan.fields) } else { Err(Unparsed::Format) }
    }
}

struct Scan<'a, 'p> {
    rest: &'a [u8],
    json: &'p Json,
    fields: Fields<'a>,
    zone: &'p mut Zone,
}

impl<'a> Scan<'a, '_> {
    fn object(&mut self, path: &str, depth: usize) -> Result<(), Unparsed> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.string()?;
            self.expect(b':')?;
            self.value(path, &name, depth)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    fn value(&mut self, path: &str, name: &[u8], depth: usize) -> Result<(), Unparsed> {
        self.space();
        let name = std::str::from_utf8(name).map_err(|_| Unparsed::Format)?;
        let full: Cow<'_, str> = if path.is_empty() { name.into() } else { format!("{path}.{name}").into() };
        if self.rest.first() == Some(&b'{') && depth < DEPTH_MAX && self.json.parents.contains(&*full) {
            return self.object(&full, depth + 1);
        }
        let role = self.json.roles.of(&full);
        match self.rest.first() {
            Some(b'"') => {
                let text = self.string()?;
                self.found(role, full, text)
            }
            Some(b'{' | b'[') => {
                let nested = self.nested()?;
                self.found(None, full, Cow::Borrowed(nested))
            }
            _ => match self.scalar()? {
                b"null" => Ok(()),
                scalar => self.found(role, full, Cow::Borrowed(scalar)),
            },
        }
    }

    fn found(&mut self, role: Option<Role>, name: Cow<'_, str>, value: Bytes<'a>) -> Result<(), Unparsed> {
        match role {
            Some(role) => self.fields.set(role, value, self.zone)?,
            None if self.json.keeps_others => self.fields.keep(Cow::Owned(name.into_owned()), value),
            None => {}
        }
        Ok(())
    }

    fn string(&mut self) -> Result<Bytes<'a>, Unparsed> {
        self.expect(b'"')?;
        let end = closing_quote(self.rest).ok_or(Unparsed::Format)?;
        let raw = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(unescape(raw, Escape::Backslash))
    }

    fn scalar(&mut self) -> Result<&'a [u8], Unparsed> {
        let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
        let end = self.rest.iter().position(is_end).ok_or(Unparsed::Format)?;
        let (scalar, rest) = self.rest.split_at(end);
        self.rest = rest;
        let is_number = scalar.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
        let is_known = is_number || matches!(scalar, b"true" | b"false" | b"null");
        if is_known { Ok(scalar) } else { Err(Unparsed::Format) }
    }

    /// An object or array as it is written: brackets outside strings are counted, not checked for kind.
    fn nested(&mut self) -> Result<&'a [u8], Unparsed> {
        let whole = self.rest;
        let mut depth = 0_usize;
        loop {
            let at = self
                .rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))
                .ok_or(Unparsed::Format)?;
            let byte = self.rest[at];
            self.rest = &self.rest[at + 1..];
            match byte {
                b'"' => {
                    let end = closing_quote(self.rest).ok_or(Unparsed::Format)?;
                    self.rest = &self.rest[end + 1..];
                }
                b'{' | b'[' => depth += 1,
                _ => depth -= 1,
            }
            if depth == 0 {
                return Ok(&whole[..whole.len() - self.rest.len()]);
            }
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let is_next = self.rest.first() == Some(&byte);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), Unparsed> {
        if self.take(byte) { Ok(()) } else { Err(Unparsed::Format) }
    }
}

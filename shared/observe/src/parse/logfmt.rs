//! `key=value key="quoted value"` lines.

use std::borrow::Cow;

use super::fields::{Fields, Unparsed};
use super::instant::Zone;
use super::role::Roles;
use super::unescape::{Escape, unescape};

/// Reads logfmt lines.
#[derive(Clone, Debug)]
pub struct Logfmt {
    roles: Roles,
    keeps_others: bool,
}

impl Logfmt {
    pub(super) const fn new(roles: Roles, keeps_others: bool) -> Self {
        Self { roles, keeps_others }
    }

    /// Reads a line. A line without a single pair is not logfmt.
    pub(super) fn read<'a>(&self, line: &'a [u8], zone: &mut Zone) -> Result<Fields<'a>, Unparsed> {
        let mut fields = Fields::default();
        let mut seen = false;
        pairs(line, |name, value| {
            seen = true;
            let Ok(name) = std::str::from_utf8(name) else { return Ok(()) };
            match self.roles.of(name) {
                Some(role) => fields.set(role, unescape(value, Escape::Backslash), zone)?,
                None if self.keeps_others => {
                    fields.keep(Cow::Borrowed(name), unescape(value, Escape::Backslash));
                }
                None => {}
            }
            Ok(())
        })?;
        if seen { Ok(fields) } else { Err(Unparsed::Format) }
    }
}

/// Calls `pair` with each name and its raw value.
pub(super) fn pairs<'a>(
    line: &'a [u8],
    mut pair: impl FnMut(&'a [u8], &'a [u8]) -> Result<(), Unparsed>,
) -> Result<(), Unparsed> {
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let end = memchr::memchr2(b'=', b' ', rest).unwrap_or(rest.len());
        let name = &rest[..end];
        if rest.get(end) != Some(&b'=') {
            rest = rest[end..].trim_ascii_start();
            continue;
        }
        rest = &rest[end + 1..];
        let value;
        if let [b'"', quoted @ ..] = rest {
            let close = closing_quote(quoted).ok_or(Unparsed::Format)?;
            (value, rest) = (&quoted[..close], &quoted[close + 1..]);
        } else {
            let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            (value, rest) = rest.split_at(end);
        }
        if !name.is_empty() {
            pair(name, value)?;
        }
        rest = rest.trim_ascii_start();
    }
    Ok(())
}

/// The first quote that no backslash stands before.
pub(super) fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

//! A log format compiled to a sequence of literals and variables, run over a line.

use std::borrow::Cow;

use super::fields::{Fields, Unparsed};
use super::instant::Zone;
use super::role::Role;
use super::unescape::{Escape, unescape};

/// A piece of a format, as the compilers of [`super::nginx`] and [`super::apache`] give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(Vec<u8>),
    Variable { role: Option<Role>, is_list: bool },
}

/// A compiled format.
#[derive(Clone, Debug)]
pub struct Pattern {
    start: Box<[u8]>,
    variables: Box<[Variable]>,
    escape: Escape,
    /// Stamps are those of a request's start: its duration is added.
    starts: bool,
}

#[derive(Clone, Debug)]
struct Variable {
    role: Option<Role>,
    /// nginx's lists of upstream values hold their own `, ` and ` : `.
    is_list: bool,
    /// What stands behind it; empty at the end of the line.
    until: Box<[u8]>,
}

impl Pattern {
    /// Compiles pieces; adjacent variables leave the first of them empty.
    pub(super) fn compile(pieces: Vec<Piece>, escape: Escape, starts: bool) -> Self {
        let mut start = Vec::new();
        let mut variables: Vec<Variable> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => match variables.last_mut() {
                    None => start.extend(text),
                    Some(last) => last.until = [&last.until[..], &text[..]].concat().into(),
                },
                Piece::Variable { role, is_list } => {
                    variables.push(Variable { role, is_list, until: Box::default() });
                }
            }
        }
        Self { start: start.into(), variables: variables.into(), escape, starts }
    }

    /// Whether some variable plays a role like this one.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        let like = std::mem::discriminant(&role);
        self.variables.iter().any(|v| v.role.is_some_and(|role| std::mem::discriminant(&role) == like))
    }

    /// Reads a line.
    #[inline]
    pub(super) fn read<'a>(&self, line: &'a [u8], zone: &mut Zone) -> Result<Fields<'a>, Unparsed> {
        let mut fields = Fields::default();
        let mut rest = line.strip_prefix(&*self.start).ok_or(Unparsed::Format)?;
        for variable in &self.variables {
            let end = self.end_of(variable, rest).ok_or(Unparsed::Format)?;
            if let Some(role) = variable.role {
                let raw = &rest[..end];
                let value = match role {
                    Role::Status | Role::Duration(_) | Role::Time => Cow::Borrowed(raw),
                    _ => unescape(raw, self.escape),
                };
                fields.set(role, value, zone)?;
            }
            rest = &rest[end + variable.until.len()..];
        }
        if !rest.is_empty() {
            return Err(Unparsed::Format);
        }
        if self.starts
            && let (Some(at), Some(duration_s)) = (fields.at, fields.duration_s)
        {
            fields.at = Some(at.saturating_add((duration_s * 1e9) as i64));
        }
        Ok(fields)
    }

    /// Where a variable ends: at the first occurrence of what stands behind it.
    #[inline]
    fn end_of(&self, variable: &Variable, rest: &[u8]) -> Option<usize> {
        let until = &*variable.until;
        let Some(&first) = until.first() else { return Some(rest.len()) };
        if first == b'"' && self.escape == Escape::Backslash {
            return quoted_end(rest, until);
        }
        let mut from = 0;
        loop {
            let at = from + memchr::memchr(first, &rest[from..])?;
            let is_inside = variable.is_list && first == b' ' && continues(&rest[..at], &rest[at..]);
            if !is_inside && rest[at..].starts_with(until) {
                return Some(at);
            }
            from = at + 1;
        }
    }
}

/// A quote behind an odd number of backslashes is a part of the value.
fn quoted_end(rest: &[u8], until: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &rest[at..])?;
        if rest[at] == b'\\' {
            at = (at + 2).min(rest.len());
        } else if rest[at..].starts_with(until) {
            return Some(at);
        } else {
            at += 1;
        }
    }
}

/// Whether a space is inside a list such as `0.010, 0.020 : 0.001`.
fn continues(before: &[u8], after: &[u8]) -> bool {
    matches!(before.last(), Some(b',' | b':')) || after.starts_with(b" : ")
}

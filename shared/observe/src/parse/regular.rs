//! Regular expressions with named groups.

use std::borrow::Cow;

use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::config::FormatError;
use super::fields::{Fields, Unparsed};
use super::instant::Zone;
use super::role::{Role, Roles};

/// Largest compiled expression.
const COMPILED_BYTES_MAX: usize = 4 << 20;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Regular {
    regex: Regex,
    groups: Vec<(usize, Role)>,
    /// Named groups without a role, where they are kept.
    others: Vec<(usize, Box<str>)>,
    found: CaptureLocations,
}

impl Regular {
    pub(super) fn compile(pattern: &str, roles: &Roles, keeps_others: bool) -> Result<Self, FormatError> {
        let regex = RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build()?;
        let names = regex.capture_names().enumerate();
        let groups: Vec<_> = names.filter_map(|(at, name)| Some((at, roles.of(name?)?))).collect();
        if groups.is_empty() {
            return Err(FormatError::NoVariable);
        }
        let names = regex.capture_names().enumerate().filter(|_| keeps_others);
        let others = names.filter_map(|(at, name)| Some((at, name?.into())));
        let others = others.filter(|(_, name): &(_, Box<str>)| roles.of(name).is_none()).collect();
        let found = regex.capture_locations();
        Ok(Self { regex, groups, others, found })
    }

    pub(super) fn read<'a>(&mut self, line: &'a [u8], zone: &mut Zone) -> Result<Fields<'a>, Unparsed> {
        self.regex.captures_read(&mut self.found, line).ok_or(Unparsed::Format)?;
        let mut fields = Fields::default();
        for &(group, role) in &self.groups {
            if let Some((from, to)) = self.found.get(group) {
                fields.set(role, Cow::Borrowed(&line[from..to]), zone)?;
            }
        }
        for (group, name) in &self.others {
            if let Some((from, to)) = self.found.get(*group) {
                fields.keep(Cow::Owned(String::from(&**name)), Cow::Borrowed(&line[from..to]));
            }
        }
        Ok(fields)
    }
}

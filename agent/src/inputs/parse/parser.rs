//! A line's reader, whatever its format.

use super::config::{Config, Format, FormatError};
use super::fields::{Fields, Unparsed};
use super::instant::Zone;
use super::json::Json;
use super::pattern::Pattern;
use super::regular::Regular;
use super::role::{Role, Roles};
use super::{apache, logfmt, nginx};

/// Reads the lines of one input.
#[derive(Clone, Debug)]
pub struct Parser {
    format: Compiled,
    zone: Zone,
}

#[derive(Clone, Debug)]
enum Compiled {
    Pattern(Pattern),
    Json(Json),
    Logfmt(Roles),
    Regex(Box<Regular>),
    Plain,
}

impl Parser {
    /// Compiles a format. Stamps without a zone take `zone`.
    pub fn new(config: &Config, zone: Zone) -> Result<Self, FormatError> {
        let roles = config.fields.roles();
        let format = match &config.format {
            Format::Combined => Compiled::Pattern(nginx::compile(nginx::COMBINED, &roles)?),
            Format::Nginx { log_format } => Compiled::Pattern(nginx::compile(log_format, &roles)?),
            Format::Apache { log_format } => Compiled::Pattern(apache::compile(log_format, &roles)?),
            Format::Json => Compiled::Json(Json::new(roles)),
            Format::Logfmt => Compiled::Logfmt(roles),
            Format::Regex { pattern } => Compiled::Regex(Box::new(Regular::compile(pattern, &roles)?)),
            Format::Plain => Compiled::Plain,
        };
        Ok(Self { format, zone })
    }

    /// Reads one line, without its newline.
    #[inline]
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Result<Fields<'a>, Unparsed> {
        match &mut self.format {
            Compiled::Pattern(pattern) => pattern.read(line, &mut self.zone),
            Compiled::Json(json) => json.read(line, &mut self.zone),
            Compiled::Logfmt(roles) => logfmt::read(line, roles, &mut self.zone),
            Compiled::Regex(regular) => regular.read(line, &mut self.zone),
            Compiled::Plain => Ok(Fields::default()),
        }
    }

    /// What `check` should warn of: a format that can never give a duration, or only whole seconds.
    #[must_use]
    pub fn advice(&self) -> Vec<&'static str> {
        let Compiled::Pattern(pattern) = &self.format else { return Vec::new() };
        let mut advice = Vec::new();
        if !pattern.has(Role::Duration(super::role::Unit::Seconds)) {
            advice
                .push("the format has no duration: add $request_time (nginx) or %D (Apache) to get latency");
        }
        if !pattern.has(Role::Time) {
            advice.push("the format has no time: lines count at the instant they are read; add $msec");
        }
        advice
    }
}

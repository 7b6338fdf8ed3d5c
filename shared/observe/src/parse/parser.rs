//! A line's reader, whatever its format.

use super::config::{Config, Format, FormatError};
use super::fields::{Fields, Unparsed};
use super::instant::Zone;
use super::json::Json;
use super::logfmt::Logfmt;
use super::pattern::Pattern;
use super::regular::Regular;
use super::role::Role;
use super::{apache, nginx};

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
    Logfmt(Logfmt),
    Regex(Box<Regular>),
    Plain,
}

impl Parser {
    /// Compiles a format. Stamps without a zone take `zone`. `keeps_others`: named fields without a
    /// role are kept too, for log records.
    pub fn new(config: &Config, zone: Zone, keeps_others: bool) -> Result<Self, FormatError> {
        let roles = config.fields.roles();
        let format = match &config.format {
            Format::Combined => Compiled::Pattern(nginx::compile(nginx::COMBINED, &roles)?),
            Format::Nginx { log_format } => Compiled::Pattern(nginx::compile(log_format, &roles)?),
            Format::Apache { log_format } => Compiled::Pattern(apache::compile(log_format, &roles)?),
            Format::Json => Compiled::Json(Json::new(roles, keeps_others)),
            Format::Logfmt => Compiled::Logfmt(Logfmt::new(roles, keeps_others)),
            Format::Regex { pattern } => {
                Compiled::Regex(Box::new(Regular::compile(pattern, &roles, keeps_others)?))
            }
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
            Compiled::Logfmt(logfmt) => logfmt.read(line, &mut self.zone),
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
